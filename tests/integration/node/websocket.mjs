// A client by @xmpp/client over WebSocket: node websocket.mjs JSON, where JSON has service (a wss URL),
// domain, username and password. Each event is one line on standard output. It sends a message to
// itself, loses its connection once, resumes its session by itself, and sends another one.

import { webcrypto } from "node:crypto";

import { client, xml } from "@xmpp/client";
import WebSocket from "ws";

// Node has its own since versions 22 and 20.
globalThis.WebSocket ??= WebSocket;
globalThis.crypto ??= webcrypto;

const options = JSON.parse(process.argv[2]);
const xmpp = client(options);
let logins = 0;

xmpp.on("error", (error) => console.log("error", error.condition || error.message));
xmpp.on("disconnect", () => console.log("disconnected"));
xmpp.on("online", async (address) => {
  console.log("online", address.toString());
  await xmpp.send(xml("presence"));
  await greet();
});
xmpp.streamManagement.on("resumed", async () => {
  console.log("resumed", xmpp.jid.toString());
  await greet();
});

async function greet() {
  logins += 1;
  const body = xml("body", {}, `hello ${logins}`);
  await xmpp.send(xml("message", { to: xmpp.jid.toString() }, body));
}

xmpp.on("stanza", async (stanza) => {
  const body = stanza.is("message") && stanza.getChildText("body");
  if (!body) {
    return;
  }
  console.log("heard", body);
  if (body === "hello 1" && logins === 1) {
    xmpp.socket.socket.close(); // without <close/>, as when the network goes
  } else if (body === "hello 2") {
    await xmpp.stop();
    console.log("stopped");
  }
});
xmpp.start().catch((error) => console.log("refused", error.condition || error.message));
