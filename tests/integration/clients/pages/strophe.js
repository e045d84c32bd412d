// strophe.js as a driver. Connecting again is for the page to do, resuming is for the library.
import { DISCO_INFO, identity, options, say, version } from "./driver.js";

await version("strophe.js");
const { Strophe, $iq, $msg, $pres } = window.strophe ?? window;
const connection = new Strophe.Connection(options.url, { enableStreamManagement: true });
const address = `${options.user}@${options.domain}/strophe`;
let rounds = 0;

function changed(status, condition) {
  if (status === Strophe.Status.CONNECTED) {
    play();
  } else if (status === Strophe.Status.AUTHFAIL) {
    say("refused", { condition: condition ?? "AUTHFAIL" }, true);
  } else if (status === Strophe.Status.DISCONNECTED && rounds === 2) {
    say("closed", {}, true);
  } else if (status === Strophe.Status.DISCONNECTED && rounds === 1) {
    connection.connect(address, options.password, changed);
  }
}

function play() {
  rounds += 1;
  say("online", { jid: connection.jid, resumed: connection.hasResumed() });
  connection.addHandler(received, null, "message");
  if (!connection.hasResumed()) connection.send($pres());
  connection.send($msg({ to: connection.jid, type: "chat" }).c("body").t(`round ${rounds}`));
}

function received(message) {
  const from = message.getAttribute("from");
  say("message", { body: message.querySelector("body").textContent, from });
  ask("query", DISCO_INFO, (info) => {
    say("answer", identity(info));
    ask("query", "jabber:iq:version", () => ask("ping", "urn:xmpp:ping", finish));
  });
}

function ask(name, xmlns, then) {
  connection.sendIQ($iq({ to: options.component, type: "get" }).c(name, { xmlns }), then);
}

function finish() {
  say("done");
  if (rounds === 2) connection.disconnect();
}

connection.connect(address, options.password, changed);
