// @xmpp/client as a driver: node client.mjs JSON (tests/integration/clients/driver.py says what
// that is). NODE_EXTRA_CA_CERTS names the CA to trust.
import dns from "node:dns";
import { readFileSync } from "node:fs";
import { webcrypto } from "node:crypto";
import { createRequire } from "node:module";
import WebSocket from "ws";

// What the library takes from newer Nodes than Debian 12's.
globalThis.crypto ??= webcrypto;
globalThis.WebSocket ??= WebSocket;

const { client, xml } = await import("@xmpp/client");
const options = JSON.parse(process.argv[2]);
const say = (event, more) => console.log(JSON.stringify({ event, ...more }));

// The names lead to where the test listens, as entries in /etc/hosts would.
const lookup = dns.lookup;
dns.lookup = (name, ...rest) =>
  lookup([options.domain, options.host].includes(name) ? options.address : name, ...rest);

const service = {
  starttls: `xmpp://${options.domain}:${options.port}`,
  "direct-tls": `xmpps://${options.host}:${options.port}`,
  websocket: options.url,
}[options.transport];

const file = createRequire(import.meta.url).resolve("@xmpp/client/package.json");
say("version", { version: JSON.parse(readFileSync(file)).version });

const entity = client({
  service,
  domain: options.domain,
  resource: "xmpp.js",
  username: options.user,
  password: options.password,
});
let rounds = 0;

// @xmpp/reconnect connects again a second after a connection was lost; 'online' is not said again
// where the session was resumed.
entity.on("online", (jid) => play(jid, false));
entity.streamManagement.on("resumed", () => play(entity.jid, true));
entity.on("stanza", received);
entity.on("error", async (error) => {
  console.log("error", String(error));
  if (error.name !== "SASLError") return; // it connects again by itself
  entity.reconnect.stop();
  await entity.stop();
  say("refused", { condition: error.condition });
});

async function play(jid, resumed) {
  say("online", { jid: jid.toString(), resumed });
  rounds += 1;
  await entity.send(xml("presence"));
  await entity.send(
    xml("message", { to: jid.toString(), type: "chat" }, xml("body", {}, `round ${rounds}`)));
}

async function received(stanza) {
  if (!stanza.is("message") || stanza.attrs.type === "error") return;
  say("message", { body: stanza.getChildText("body"), from: stanza.attrs.from });
  const ask = (name, xmlns) => entity.iqCaller.get(xml(name, { xmlns }), options.component);
  const info = await ask("query", "http://jabber.org/protocol/disco#info");
  const { name, category } = info.getChild("identity").attrs;
  say("answer", { name, category });
  await ask("query", "jabber:iq:version");
  await ask("ping", "urn:xmpp:ping");
  say("done");
  if (rounds === 2) {
    await entity.stop();
    say("closed");
  }
}

entity.start().catch(() => {}); // told as an error, too
