// How the page logs in: strophe.js's mechanisms, held to what RFC 5802 and this page ask of them.
import { Strophe } from "./strophe.js";

// A name in a SCRAM message (RFC 5802 section 5.1), which strophe.js sends as it is.
const escaped = (name) => name.replaceAll("=", "=3D").replaceAll(",", "=2C");

const scram = (Mechanism) =>
  class extends Mechanism {
    clientChallenge(connection, nonce) {
      const name = connection.authcid;
      connection.authcid = escaped(name);
      try {
        return super.clientChallenge(connection, nonce);
      } finally {
        connection.authcid = name;
      }
    }

    // strophe.js checks the server's signature if the server has come so far as to owe one; a
    // server that says <success/> earlier than that has not shown that it knows the password.
    onSuccess() {
      const connection = this._connection;
      super.onSuccess();
      if (!connection._sasl_data["server-signature"]) {
        connection.refuse();
        throw new Error("the server has proved nothing");
      }
    }
  };

export const WITH_PASSWORD = [
  scram(Strophe.SASLSHA512), scram(Strophe.SASLSHA256), scram(Strophe.SASLSHA1), Strophe.SASLPlain,
];
export const WITHOUT = [Strophe.SASLAnonymous];

const isScram = (mechanism) => mechanism.mechname.startsWith("SCRAM-");

export class StrictConnection extends Strophe.Connection {
  // PLAIN only where there is no SCRAM at all. And where nothing fits, nothing is sent: strophe.js
  // would go on with XEP-0078, which has the password in it.
  authenticate(offered) {
    const fit = offered.some(isScram) ? offered.filter(isScram) : offered;
    if (!this._attemptSASLAuth(fit)) this._proto._no_auth_received();
  }

  refuse() {
    this._changeConnectStatus(Strophe.Status.AUTHFAIL, null, null);
  }

  // Nothing of the password, and nothing made from it, is needed after the login.
  forget() {
    this.pass = null;
    this.scram_keys = null;
    this._sasl_data = {};
  }
}

// RFC 4013 section 2, as far as it is the client's: spaces of other widths, and what is invisible.
const SPACES = /[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/g;
const NOTHING = /[\u00ad\u034f\u1806\u180b-\u180d\u200b-\u200d\u2060\ufe00-\ufe0f\ufeff]/g;

export const prepared = (password) =>
  password.replace(SPACES, " ").replace(NOTHING, "").normalize("NFKC");
