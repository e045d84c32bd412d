// Times come in UTC, and are shown in the reader's own; those of today without the day.
const language = document.documentElement.lang;
export const moments = new Intl.DateTimeFormat(language, { dateStyle: "short", timeStyle: "medium" });
const hours = new Intl.DateTimeFormat(language, { timeStyle: "medium" });

export function localize(root) {
  const today = new Date().toDateString();
  for (const one of root.querySelectorAll("time")) {
    const at = new Date(one.dateTime);
    one.textContent = (at.toDateString() === today ? hours : moments).format(at);
  }
}
localize(document);
