// Makes an element's content like some HTML from the server, changing only what differs: so focus,
// selection, what is typed, and what the reader has opened stay as they are. What has an id stays
// also where something comes or goes before it. `finish` is applied to the new content first.
export function morph(element, html, finish = () => {}) {
  const wanted = new DOMParser().parseFromString(`<!doctype html><body>${html}`, "text/html").body;
  finish(wanted);
  children(element, wanted);
}

function children(old, wanted) {
  const ids = new Set([...wanted.children].map(({ id }) => id));
  const there = [...old.childNodes];
  for (const node of [...wanted.childNodes]) {
    const stays = node.id ? there.findIndex(({ id }) => id === node.id) : -1;
    if (stays > 0) there.splice(0, stays).forEach((one) => one.remove());
    const [one] = there;
    if (!one) old.append(node);
    else if (one.id && one.id !== node.id && ids.has(one.id)) one.before(node);
    else {
      there.shift();
      if (one.nodeName !== node.nodeName || one.id !== node.id) one.replaceWith(node);
      else if (node instanceof Element) same(one, node);
      else if (one.data !== node.data) one.data = node.data;
    }
  }
  there.forEach((one) => one.remove());
}

function same(old, wanted) {
  // A link that fails is opened, so that the step is seen; the reader may close it again.
  if (wanted.matches("details.bad") && !old.matches(".bad")) old.open = true;
  for (const { name } of [...old.attributes]) {
    if (!wanted.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  children(old, wanted);
}
