// The form: what is typed, and what is wrong with it.
import { $, element, revealing } from "./dom.js";

// Which field a failure is about; others are about none.
const FIELDS = {
  "username-missing": "username", "username-invalid": "username", "username-elsewhere": "username",
  "password-missing": "password", "not-authorized": "password", "credentials-expired": "password",
  "no-guests": "code", "wrong-code": "code",
};

export class SignInView {
  // domains: their names. on: {enter, cancel, choose}, called for what the user does.
  constructor(domains, on) {
    for (const name of domains) $("domain").append(element("option", { value: name }, name));
    $("domains").hidden = domains.length < 2;
    $("domain").addEventListener("change", () => this.#showDomain());
    $("form").addEventListener("submit", (event) => {
      event.preventDefault();
      on.enter(this.#typed());
    });
    $("ways").addEventListener("change", (event) => on.choose(event.target.value));
    $("cancel").addEventListener("click", on.cancel);
    for (const button of $("form").querySelectorAll("[aria-controls]")) {
      const field = $(button.getAttribute("aria-controls"));
      revealing(button, (shown) => { field.type = shown ? "text" : "password"; });
    }
    this.#showDomain();
  }

  show(state, language) {
    const busy = state.phase === "entering";
    const guest = state.way === "guest";
    $("as-user").hidden = guest;
    $("as-guest").hidden = !guest;
    $("form").elements.way.value = state.way;
    $("form").setAttribute("aria-busy", busy);
    for (const field of $("form").querySelectorAll("input, select")) {
      if (field.type === "radio") field.disabled = busy;
      else field.readOnly = busy;
      field.removeAttribute("aria-invalid");
    }
    $("domain").disabled = busy;
    $("enter").textContent = language.text(guest ? "sign-in.join" : "sign-in.enter");
    $("enter").setAttribute("aria-disabled", busy);
    $("cancel").hidden = !busy;
    const notice = busy ? "status.entering" : state.notice;
    $("notice").textContent = notice ? language.text(notice) : "";
    const { failure } = state;
    $("failure").textContent =
      failure ? language.text(`failure.${failure}`, { domain: $("domain").value }) : "";
    if (failure && FIELDS[failure]) $(FIELDS[failure]).setAttribute("aria-invalid", "true");
  }

  // Where the user goes on after a failure.
  focus(failure) {
    const field = $(FIELDS[failure] ?? "enter");
    field.focus();
    field.select?.();
  }

  // Nothing that is secret stays in the page.
  clear() {
    for (const field of [$("password"), $("code")]) {
      field.value = "";
      field.type = "password";
    }
    for (const button of $("form").querySelectorAll("[aria-pressed]")) {
      button.setAttribute("aria-pressed", "false");
    }
  }

  #typed() {
    return {
      way: $("form").elements.way.value,
      domain: $("domain").value,
      username: $("username").value.trim(),
      password: $("password").value,
      code: $("code").value,
    };
  }

  #showDomain() {
    $("domain-name").textContent = $("domain").value;
  }
}
