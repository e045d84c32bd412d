// The library, which puts itself into the global scope, as a module.
import "./vendor/strophe.umd.min.js";

export const { Strophe, $iq } = globalThis;

Strophe.setLogLevel(Strophe.LogLevel.FATAL); // what goes wrong is said on the page
