// What the pages have in common: their options, and the way to tell what happened.
export const options = await (await fetch("/options.json")).json();

let told = Promise.resolve();

// Events arrive in the order in which they are said. With last, the browser is closed.
export function say(event, more = {}, last = false) {
  const body = JSON.stringify({ event, ...more, last });
  told = told.then(() => fetch("/event", { method: "POST", body }));
}

// The name and the category of an answer to disco#info.
export function identity(answer) {
  const found = answer.querySelector("identity");
  return { name: found.getAttribute("name"), category: found.getAttribute("category") };
}

export const DISCO_INFO = "http://jabber.org/protocol/disco#info";

export async function version(library) {
  const file = await fetch(`/node_modules/${library}/package.json`);
  say("version", { version: (await file.json()).version });
}
