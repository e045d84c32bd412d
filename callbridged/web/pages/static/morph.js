// Makes an element's content like some HTML from the server, changing only what differs: so focus,
// selection, and what the reader has opened stay as they are. `finish` is applied to the new
// content first.
export function morph(element, html, finish = () => {}) {
  const wanted = new DOMParser().parseFromString(`<!doctype html><body>${html}`, "text/html").body;
  finish(wanted);
  children(element, wanted);
}

function children(old, wanted) {
  const there = [...old.childNodes];
  [...wanted.childNodes].forEach((node, index) => {
    const one = there[index];
    if (!one) old.append(node);
    else if (one.nodeName !== node.nodeName || one.id !== node.id) one.replaceWith(node);
    else if (node instanceof Element) same(one, node);
    else if (one.data !== node.data) one.data = node.data;
  });
  there.slice(wanted.childNodes.length).forEach((one) => one.remove());
}

function same(old, wanted) {
  for (const { name } of [...old.attributes]) {
    if (!wanted.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  children(old, wanted);
}
