// A web hook (docs/web-hook.md) on Node's own HTTPS server: node hook.mjs JSON, where JSON has host,
// port, certificate and key (paths), and may have clientAuthorities (a path: clients need a
// certificate), token (they need it), and behaviour: the path of a JSON file that is read for each
// question. What is there: users, delay (milliseconds), mode (how to answer, below). Each event is
// one line on standard output, without passwords.

import { readFileSync } from "node:fs";
import { createServer } from "node:https";

const options = JSON.parse(process.argv[2]);
const say = (event, more) => console.log(JSON.stringify({ event, ...more }));
const behaviour = () => JSON.parse(readFileSync(options.behaviour));

function answer(question, users) {
  const user = Object.hasOwn(users, question.username) ? users[question.username] : null;
  if (question.method === "scram-keys") {
    const keys = user?.keys?.[question.mechanism] ?? null;
    return keys && { keys, result: user.result, username: user.username } || { keys: null };
  }
  if (question.method === "account") {
    return { fingerprint: user ? user.changed ?? "never" : null };
  }
  if (!user || question.password !== user.password) return { result: "deny" };
  return { result: user.result ?? "allow", username: user.username };
}

// mode -> what is done in the place of an answer
const JSON_TYPE = { "Content-Type": "application/json" };
const send = (response, status, headers, body) => response.writeHead(status, headers).end(body);
const raw = (response, text) => response.socket.write(text, "latin1");
const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 19\r\n\r\n";
const MODES = {
  silent: () => {},
  half: (response) => raw(response, head + '{"result":'),
  "half-head": (response) => raw(response, head.slice(0, 40)),
  "hang-up": (response) => response.socket.destroy(),
  "cut-off": (response) => { raw(response, head + '{"result":'); response.socket.end(); },
  "not-http": (response) => raw(response, "220 mail.example.com ESMTP\r\n"),
  redirect: (response) => send(response, 307, { Location: options.elsewhere ?? "/other" }),
  page: (response) => send(response, 200, { "Content-Type": "text/html" }, "<h1>Log in</h1>"),
  broken: (response) => send(response, 500, {}, "a traceback"),
  busy: (response) => send(response, 503, { "Retry-After": "30" }),
  compressed: (response) =>
    send(response, 200, { ...JSON_TYPE, "Content-Encoding": "gzip" }, "\x1f\x8b"),
  huge: (response) => {
    response.writeHead(200, JSON_TYPE);
    const more = () => { while (!response.destroyed && response.write(" ".repeat(4096))); };
    response.on("drain", more);
    more();
  },
  "endless-head": (response) => {
    raw(response, head.split("\r\nContent-Length")[0] + "\r\n");
    const timer = setInterval(() => raw(response, `X-More: ${"x".repeat(1000)}\r\n`), 1);
    response.socket.on("close", () => clearInterval(timer));
  },
  empty: (response) => send(response, 200, JSON_TYPE, ""),
  "not-json": (response) => send(response, 200, JSON_TYPE, "result=allow"),
  "not-utf-8": (response) =>
    send(response, 200, JSON_TYPE, Buffer.from('{"result":"caf\xe9"}', "latin1")),
  twice: (response) => send(response, 200, JSON_TYPE, '{"result":"deny","result":"allow"}'),
  nan: (response) => send(response, 200, JSON_TYPE, '{"result":NaN}'),
  deep: (response) => send(response, 200, JSON_TYPE, "[".repeat(9000)),
  array: (response) => send(response, 200, JSON_TYPE, '["allow"]'),
  "wrong-type": (response) => send(response, 200, JSON_TYPE, '{"result":true}'),
  "unknown-result": (response) => send(response, 200, JSON_TYPE, '{"result":"ok"}'),
  "unknown-member": (response) =>
    send(response, 200, JSON_TYPE, '{"result":"allow","usernme":"bob"}'),
  // What it was asked comes back, with all that is secret in it.
  echo: (response, asked) => send(response, 500, JSON_TYPE, JSON.stringify(asked)),
  "echo-result": (response, asked) =>
    send(response, 200, JSON_TYPE, JSON.stringify({ result: JSON.stringify(asked) })),
  "no-user": (response) => send(response, 200, JSON_TYPE, '{"result":"allow","username":"a b@c"}'),
};

function serve(request, response) {
  let text = "";
  response.on("close", () => response.writableFinished || say("gave-up"));
  request.setEncoding("utf8").on("data", (part) => (text += part));
  request.on("end", () => {
    const certificate = request.socket.getPeerCertificate();
    const wait = request.headers.prefer;
    if (options.token && request.headers.authorization !== `Bearer ${options.token}`) {
      say("refused");
      send(response, 401, JSON_TYPE, "{}");
      return;
    }
    const { password, ...question } = JSON.parse(text);
    const connection = `${request.socket.remotePort}`;
    say("question", { ...question, wait, connection, shown: certificate.subject?.CN });
    const { users, delay, mode } = behaviour();
    setTimeout(() => {
      if (response.destroyed) return;
      const act = MODES[mode];
      if (act) act(response, { password, headers: request.headers, ...question });
      else send(response, 200, JSON_TYPE, JSON.stringify(answer({ ...question, password }, users)));
    }, delay);
  });
}

const server = createServer({
  cert: readFileSync(options.certificate),
  key: readFileSync(options.key),
  ca: options.clientAuthorities && readFileSync(options.clientAuthorities),
  requestCert: Boolean(options.clientAuthorities),
}, serve);
server.on("tlsClientError", (error) => say("tls", { error: error.code ?? error.message }));
server.listen(options.port, options.host, () => say("listening"));
