// Test and save without loading the page anew, so that what is typed stays, the secret included.
// Without this script the form does the same, by whole pages.
import { lost } from "./live.js";
import { morph } from "./morph.js";

const place = document.getElementById("form");

place.addEventListener("submit", async (event) => {
  const form = event.target;
  const button = event.submitter;
  event.preventDefault();
  if (form.ariaBusy === "true") return;
  const body = new URLSearchParams(new FormData(form, button));
  const said = button.textContent;
  form.ariaBusy = "true";
  button.textContent = form.dataset[button.value === "test" ? "testing" : "saving"];
  try {
    const answer = await fetch(form.getAttribute("action"), { method: "POST", body });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("form");
    if (!fresh) {
      // Signed out, or not allowed: show the page that says so.
      if (answer.redirected) location.assign(answer.url);
      else document.body.replaceWith(page.body);
      return;
    }
    const saved = answer.redirected;
    const meanwhile = new Set([...form.elements].filter((one) => one.value !== (body.get(one.name) ?? "")));
    morph(place, fresh.innerHTML);
    for (const one of place.querySelectorAll("input")) {
      if (meanwhile.has(one) || (!saved && one.type === "password")) continue;
      one.value = one.defaultValue;
      if (saved) one.checked = one.defaultChecked;
    }
    if (saved) {
      history.replaceState(null, "", answer.url);
      document.title = page.title;
      morph(document.querySelector(".brand"), page.querySelector(".brand").innerHTML);
    }
    const wrong = place.querySelector("[aria-invalid=true]");
    const shown = wrong ?? place.querySelector("#tested-title, .notice, .conflict");
    shown?.focus();
    shown?.scrollIntoView({ block: "nearest" });
  } catch {
    lost(); // nothing came of it: press again
  } finally {
    form.ariaBusy = "false";
    button.textContent = said;
  }
});
