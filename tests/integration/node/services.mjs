// A client by stanza, which knows XEP-0215: node services.mjs JSON, where JSON has url (of the
// WebSocket), domain, and user and password; without these it is a guest. It logs in, asks for
// services, for credentials at the first TURN server, and what the server knows of the session, and
// leaves. What it got is one line (tests/integration/clients/driver.py).

import { createClient } from "stanza";

const { url, domain, user, password } = JSON.parse(process.argv[2]);
const say = (event, more) => console.log(JSON.stringify({ event, ...more }));

const client = createClient({
  ...(user ? { jid: `${user}@${domain}`, password } : { server: domain }),
  transports: { websocket: url, bosh: false },
});
// It would choose -PLUS and then bind to nothing; and for a guest, what wants a password.
const unfit = user ? ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"] : client.sasl.mechanisms.map((one) => one.name);
unfit.filter((name) => name !== "ANONYMOUS").forEach((name) => client.sasl.disable(name));
client.on("auth:failed", () => say("refused"));
client.on("session:started", async () => {
  const { features } = await client.getDiscoInfo(domain);
  const { services } = await client.getServices(domain);
  const { host, type, port } = services.find((service) => service.type === "turn");
  const credentials = await client.getServiceCredentials(domain, host, type, port);
  say("services", { jid: client.jid, features, services, credentials });
  client.disconnect();
});
client.on("disconnected", () => process.exit());
client.connect();
