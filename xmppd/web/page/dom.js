// Small helpers for the views. What they write is text, never markup.

export const $ = (id) => document.getElementById(id);

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// Texts of all that names a message: data-text for its content, data-label for its label.
export function translate(root, language) {
  for (const one of root.querySelectorAll("[data-text]")) {
    one.textContent = language.text(one.dataset.text);
  }
  for (const one of root.querySelectorAll("[data-label]")) {
    one.setAttribute("aria-label", language.text(one.dataset.label));
  }
}

// A button that shows and hides what is typed into a field, or written in an element.
export function revealing(button, show) {
  button.addEventListener("click", () => {
    const pressed = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", pressed);
    show(pressed);
  });
}
