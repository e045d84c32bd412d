// Follows what happens: the server sends each part of the page as it changes, as HTML of its own.
import { morph } from "./morph.js";
import { localize, moments } from "./times.js";

const stale = document.getElementById("stale");
const LOST_AFTER = 20_000;
const AGAIN_AFTER = 10_000;
let heard = new Date();
let asked = heard;

let source;
function follow() {
  if (document.hidden) return;
  asked = new Date();
  source = new EventSource("/live");
  for (const id of ["announce", "summary", "alarms", "flow", "numbers", "events"]) {
    source.addEventListener(id, ({ data }) => {
      const part = document.getElementById(id);
      if (part) morph(part, JSON.parse(data), localize);
    });
  }
  source.addEventListener("sample", ({ data }) => {
    heard = new Date();
    stale.hidden = true;
    dispatchEvent(new CustomEvent("sample", { detail: JSON.parse(data) }));
  });
  // The browser asks again by itself, unless it was refused.
  source.addEventListener("error", () => source.readyState === EventSource.CLOSED && refused());
}

// Whoever is signed out signs in again; where too many follow, a place may become free.
async function refused() {
  const { status } = await fetch("/live", { method: "HEAD" }).catch(() => ({}));
  if (status === 401) location.reload();
  else setTimeout(() => source.readyState === EventSource.CLOSED && follow(), AGAIN_AFTER);
}
follow();

// Says that the Call Bridge cannot be reached, until it is heard of again.
export function lost() {
  stale.textContent = stale.dataset.text.replace("{time}", moments.format(heard));
  stale.hidden = false;
}
setInterval(() => {
  if (stale.hidden && !document.hidden && new Date() - Math.max(heard, asked) > LOST_AFTER) lost();
}, 1000);
// A browser has few connections to one host: tabs that nobody looks at leave them to others.
document.addEventListener("visibilitychange", () => {
  source?.close();
  follow();
});
addEventListener("pagehide", () => source?.close());
addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
