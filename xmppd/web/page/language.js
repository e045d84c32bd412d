// Texts, dates and times in the language of the reader.
import en from "./messages/en.js";
import ja from "./messages/ja.js";

export const LANGUAGES = { en, ja };
const KEPT_AS = "language";

export class Language {
  constructor(tag) {
    this.tag = tag;
    this.messages = LANGUAGES[tag];
    this.moments = new Intl.DateTimeFormat(tag, { dateStyle: "medium", timeStyle: "short" });
    this.durations = new Intl.RelativeTimeFormat(tag, { numeric: "auto" });
  }

  // The message of this key, with what stands in braces replaced by `values`.
  text(key, values = {}) {
    return this.messages[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
  }

  has(key) {
    return Object.hasOwn(this.messages, key);
  }

  moment(date) {
    return this.moments.format(date);
  }

  // "in 12 hours", "5 minutes ago"
  distance(milliseconds) {
    const minutes = Math.round(milliseconds / 60_000);
    if (Math.abs(minutes) < 90) return this.durations.format(minutes, "minute");
    const hours = Math.round(minutes / 60);
    if (Math.abs(hours) < 48) return this.durations.format(hours, "hour");
    return this.durations.format(Math.round(hours / 24), "day");
  }
}

// The first of `wanted`, language tags with the best in front, that there are texts in.
export function preferred(wanted) {
  const found = wanted.map((tag) => tag.split("-")[0].toLowerCase());
  return found.find((tag) => Object.hasOwn(LANGUAGES, tag)) ?? "en";
}

// What the reader has chosen before, or what the browser says. A browser may forbid to keep it.
export function initial() {
  let kept = null;
  try {
    kept = localStorage.getItem(KEPT_AS);
  } catch {
    // nothing is kept
  }
  return new Language(preferred([...(kept ? [kept] : []), ...navigator.languages]));
}

export function chosen(tag) {
  try {
    localStorage.setItem(KEPT_AS, tag);
  } catch {
    // then it is for this time only
  }
  return new Language(tag);
}
