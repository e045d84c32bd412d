// A session, and the services that the server names for it.
import { $, element, revealing } from "./dom.js";
import { urlOf } from "./turn.js";

const FACTS = ["jid", "callbridge", "mechanism", "since", "until", "transport", "tls", "peer"];

export class SessionView {
  // on: {leave, again, test}
  constructor(on) {
    this.on = on;
    $("leave").addEventListener("click", on.leave);
    $("again").addEventListener("click", on.again);
  }

  show(state, language, before) {
    $("leave").setAttribute("aria-disabled", state.phase === "leaving");
    if (state.session !== before?.session) {
      $("about").replaceChildren(...facts(state.session, language));
    }
    if (!before || state.services !== before.services) {
      this.services = (state.services ?? []).map((one, at) => this.#service(one, at, language));
      $("services").replaceChildren(...this.services);
      const anew = before?.phase === "in" ? "services.asked" : null;
      const key = state.services?.length ? anew : noneOf(state.services);
      $("services-notice").textContent = key ? language.text(key) : "";
    }
    for (const [number, result] of Object.entries(state.tests)) {
      const said = this.services[number].querySelector(".result");
      const text = outcome(result, language);
      if (said.textContent !== text) said.textContent = text;
      said.dataset.works = result.reason === "same-address" ? "" : result.works ?? "";
    }
    this.tick(language);
  }

  // Time goes on.
  tick(language) {
    for (const one of $("session").querySelectorAll("[data-until]")) {
      const left = new Date(one.dataset.until) - Date.now();
      const expired = left <= 0 && one.closest("#services") !== null;
      const text = expired ? language.text("services.expired") : language.distance(left);
      if (one.textContent !== text) one.textContent = text;
      one.classList.toggle("failure", expired);
    }
  }

  #service(service, number, language) {
    const { type, transport, username, password, expires } = service;
    const name = urlOf(service);
    const labels = { service: name };
    const test = element(
      "button", { "aria-label": language.text("services.test-one", labels) },
      language.text("services.test"),
    );
    test.addEventListener("click", () => this.on.test(service, number));
    const kind = [type, transport].filter(Boolean).join(" · ").toUpperCase();
    const what = element(
      "div", { class: "heading" },
      element("h3", {}, element("span", { class: "kind" }, kind), " ", code(place(service))), test,
    );
    const facts = element("dl");
    if (username) facts.append(...fact(language.text("services.username"), code(username)));
    if (password) {
      const hidden = "•".repeat(12);
      const written = code(hidden);
      const show = element(
        "button",
        {
          "class": "plain", "aria-pressed": "false",
          "aria-label": language.text("services.show-password", labels),
        },
        language.text("services.show"),
      );
      revealing(show, (shown) => { written.textContent = shown ? password : hidden; });
      facts.append(...fact(language.text("services.password"), written, " ", show));
    }
    if (expires) facts.append(...fact(language.text("services.expires"), ...until(expires, language)));
    const result = element("p", { class: "result", role: "status" });
    return element("li", {}, what, ...(facts.children.length ? [facts] : []), result);
  }
}

const noneOf = (services) => (services ? "services.none" : "services.unanswered");

function place({ host, port }) {
  return `${host.includes(":") ? `[${host}]` : host}${port ? `:${port}` : ""}`;
}

// Something that is nobody's language; an address may be broken behind its signs.
const code = (text) =>
  element("code", { translate: "no" }, ...text.split(/(?<=[@/])/).flatMap((one) => [one, element("wbr")]));

const fact = (name, ...values) => [element("dt", {}, name), element("dd", {}, ...values)];

function facts(session, language) {
  return FACTS.filter((name) => session[name]).flatMap((name) => {
    const label = language.text(`session.${name}`);
    if (name === "since") return fact(label, moment(session[name], language));
    if (name === "until") return fact(label, ...until(session[name], language));
    const more = explained(name, session[name]);
    const note = more ? [element("small", {}, language.text(more))] : [];
    return fact(label, code(session[name]), ...note);
  });
}

// The key of what else there is to say of a fact.
function explained(name, value) {
  if (name !== "mechanism") return null;
  if (value.startsWith("SCRAM-")) return "session.mechanism.scram";
  return { PLAIN: "session.mechanism.plain", ANONYMOUS: "session.mechanism.anonymous" }[value];
}

const moment = (written, language) =>
  element("time", { datetime: written }, language.moment(new Date(written)));

// A time to come; `tick` says how far away it is.
const until = (written, language) =>
  [moment(written, language), " ", element("small", { "data-until": written })];

function outcome(result, language) {
  if (result === "running") return language.text("turn.running");
  if (!result.works) return language.text(`turn.${result.reason}`);
  return language.text(`turn.works.${result.kind}`, result);
}
