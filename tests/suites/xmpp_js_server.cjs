// In the place of xmpp.js's server/index.js, which starts and stops a Prosody: asks the process that
// runs the suite to do so with ours.
"use strict";

async function ask(what) {
  const answer = await fetch(`${process.env.SUITE_CONTROL}/${what}`, { method: "POST" });
  if (!answer.ok) throw new Error(await answer.text());
}

module.exports = {
  __esModule: true,
  default: {
    start: () => ask("start"),
    stop: (signal = "SIGTERM") => ask(`stop/${signal}`),
    restart: (signal = "SIGTERM") => ask(`restart/${signal}`),
    // SASL, SASL2, stream management and the rest cannot be turned off.
    enableModules: async () => {},
    disableModules: async () => {},
    reset: async () => {},
  },
};
