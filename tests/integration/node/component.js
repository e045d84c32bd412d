// A component by @xmpp/component: node component.js JSON, where JSON has host, port, serverName,
// authority, certificate, key (paths), domain and secret.
//
// The library speaks plain TCP only, so a tunnel in this process adds TLS, as stunnel would. Each
// event is one line on standard output. It answers <query xmlns='urn:example:echo'/>.
"use strict";

const fs = require("fs");
const net = require("net");
const tls = require("tls");
const { component, xml } = require("@xmpp/component");

const options = JSON.parse(process.argv[2]);

const tunnel = net.createServer((inside) => {
  const outside = tls.connect({
    host: options.host,
    port: options.port,
    servername: options.serverName,
    ca: fs.readFileSync(options.authority),
    cert: fs.readFileSync(options.certificate),
    key: fs.readFileSync(options.key),
  });
  outside.on("secureConnect", () => console.log("tls", outside.getProtocol()));
  for (const [socket, other] of [[inside, outside], [outside, inside]]) {
    socket.on("error", (error) => console.log("socket", error.message));
    socket.on("close", () => other.destroy());
  }
  inside.pipe(outside).pipe(inside);
});

tunnel.listen(0, "127.0.0.1", async () => {
  const entity = component({
    service: `xmpp://127.0.0.1:${tunnel.address().port}`,
    domain: options.domain,
    password: options.secret,
  });
  entity.reconnect.stop();
  entity.on("error", (error) => console.log("error", error.condition || error.message));
  entity.on("online", async (address) => {
    console.log("online", address.toString());
    const answer = await entity.iqCaller.get(
      xml("ping", { xmlns: "urn:xmpp:ping" }), options.server);
    console.log("pong", answer === undefined ? "empty" : answer.name);
  });
  entity.iqCallee.get("urn:example:echo", "query", (context) => {
    console.log("asked by", context.from.toString());
    return xml("query", { xmlns: "urn:example:echo" }, context.element.text());
  });
  await entity.start().catch((error) => console.log("refused", error.condition || error.message));
});
