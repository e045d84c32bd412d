// converse.js as a driver. It is told only the address and the password: it finds the server by
// the domain's host-meta (XEP-0156), and comes back by itself.
import { DISCO_INFO, identity, options, say, version } from "./driver.js";

await version("converse.js");
await import("/node_modules/converse.js/dist/converse.min.js");
const { converse } = window;
const { $iq, $msg, Strophe } = converse.env;
let rounds = 0;

converse.plugins.add("driver", {
  initialize() {
    const { _converse } = this;
    const { api } = _converse;

    const play = () => {
      rounds += 1;
      const jid = api.connection.get().jid;
      say("online", { jid, resumed: Boolean(_converse.session.get("smacks_resumed")) });
      api.listen.stanza("message", received);
      api.send($msg({ to: jid, type: "chat" }).c("body").t(`round ${rounds}`));
    };

    const received = (message) => {
      const body = message.querySelector("body");
      if (body) talk(body.textContent, message.getAttribute("from"));
      return true;
    };

    const ask = (name, xmlns) =>
      api.sendIQ($iq({ to: options.component, type: "get" }).c(name, { xmlns }));

    const talk = async (body, from) => {
      say("message", { body, from });
      say("answer", identity(await ask("query", DISCO_INFO)));
      await ask("query", "jabber:iq:version");
      await ask("ping", "urn:xmpp:ping");
      say("done");
      if (rounds === 2) api.user.logout();
    };

    api.listen.on("connected", play);
    api.listen.on("reconnected", play);
    api.listen.on("disconnected", () => rounds === 2 && say("closed", {}, true));
    api.listen.on("pluginsInitialized", () => {
      const feedback = _converse.state.connfeedback;
      feedback.on("change:connection_status", () => {
        if (feedback.get("connection_status") === Strophe.Status.AUTHFAIL) {
          say("refused", { condition: feedback.get("message") }, true);
        }
      });
    });
  },
});

converse.initialize({
  assets_path: "/node_modules/converse.js/dist/",
  authentication: "login",
  auto_login: true,
  auto_reconnect: true,
  discover_connection_methods: true,
  i18n: "en",
  jid: `${options.user}@${options.domain}/converse`,
  loglevel: "warn",
  password: options.password,
  view_mode: "fullscreen",
  whitelisted_plugins: ["driver"],
});
