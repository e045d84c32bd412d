// Joins what the user does, what the server says, and what is shown.
import { $, element, translate } from "./dom.js";
import { Failure } from "./failures.js";
import { LANGUAGES, Language, chosen, initial } from "./language.js";
import { SessionView } from "./session_view.js";
import { SignInView } from "./sign_in_view.js";
import { Store } from "./state.js";
import { probe } from "./turn.js";
import { typed } from "./typed.js";
import { signIn } from "./xmpp.js";

const { domains } = JSON.parse(document.body.dataset.settings);
const names = domains.map(({ name }) => name);
let language = initial();
let session = null;
let attempt = null;

const store = new Store(show);
const form = new SignInView(names, { enter, cancel, choose: (way) => store.tell({ type: "chosen", way }) });
const inside = new SessionView({ leave, again, test });

async function enter(fields) {
  if (store.state.phase !== "out") return;
  let wanted;
  try {
    wanted = typed(fields);
  } catch (failure) {
    store.tell({ type: "refused", failure: failure.name });
    return;
  }
  const { signal } = (attempt = new AbortController());
  session = null;
  store.tell({ type: "entering" });
  try {
    session = await signIn({ ...wanted, websocket: websocketOf(wanted.domain), signal });
    session.ended = ended;
    const [about, services] = await Promise.all([session.about(), session.services()]);
    if (!signal.aborted) store.tell({ type: "entered", session: about, services });
  } catch (failure) {
    if (signal.aborted) return;
    session?.leave();
    store.tell({ type: "failed", failure: named(failure) });
  }
}

// Functions that outlive a login stand outside of it: there they would keep the password alive.
const ended = (failure) => store.tell({ type: "ended", failure: failure.name });

const websocketOf = (domain) => domains.find(({ name }) => name === domain).websocket;

function cancel() {
  attempt?.abort();
  session?.leave();
  store.tell({ type: "cancelled" });
}

async function leave() {
  if (store.state.phase !== "in") return;
  store.tell({ type: "leaving" });
  await session.leave();
  store.tell({ type: "left" });
}

async function again() {
  store.tell({ type: "served", services: await session.services() });
}

async function test(service, number) {
  if (store.state.tests[number] === "running") return;
  const { services } = store.state;
  store.tell({ type: "tested", number, result: "running" });
  const result = await probe(service);
  if (store.state.services === services) store.tell({ type: "tested", number, result });
}

const named = (failure) => (failure instanceof Failure ? failure.name : "unexpected");

// `before`: what was shown until now; null: draw everything anew, and leave the focus alone.
function show(state, before) {
  const here = state.phase === "in" || state.phase === "leaving";
  const moved = here === $("session").hidden;
  $("sign-in").hidden = here;
  $("session").hidden = !here;
  if (here) inside.show(state, language, before);
  else form.show(state, language);
  const title = language.text(here ? "session.title" : "sign-in.title");
  document.title = `${title} · ${$("domain-name").textContent}`;
  if (moved) {
    form.clear();
    $(here ? "session" : "sign-in").querySelector("h1").focus();
  } else if (before && state.failure && state.failure !== before.failure) {
    form.focus(state.failure);
  }
}

function speak(next) {
  language = next;
  document.documentElement.lang = language.tag;
  translate(document, language);
  for (const button of $("languages").children) {
    button.setAttribute("aria-pressed", button.lang === language.tag);
  }
  show(store.state, null);
}

for (const tag of Object.keys(LANGUAGES)) {
  const name = new Language(tag).text("language.name");
  const button = element("button", { lang: tag, class: "plain" }, name);
  button.addEventListener("click", () => speak(chosen(tag)));
  $("languages").append(button);
}
speak(language);
$("page").hidden = false;
$("username").focus();
setInterval(() => inside.tick(language), 10_000);
// A page that is left may be come back to as it was, but not its connection.
addEventListener("pagehide", () => (store.state.phase === "entering" ? cancel() : leave()));
