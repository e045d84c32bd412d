// Logging in, and what a session can be asked. Nothing here knows the document.
import { Failure, ofLogin, ofOpening, ofSession } from "./failures.js";
import { StrictConnection, WITHOUT, WITH_PASSWORD, prepared } from "./sasl.js";
import { $iq, Strophe } from "./strophe.js";

const SESSION = "urn:x-callbridge:session:1";
const SERVICES = "urn:xmpp:extdisco:2"; // XEP-0215
const { Status } = Strophe;

const LOGIN_MS = 45_000; // the server's own limit is mostly shorter, and its answer says more
const ANSWER_MS = 10_000;

// A session with the server; `ended`, once it is set, is called with a Failure.
class Session {
  constructor(connection) {
    this.connection = connection;
    this.ended = () => {};
  }

  // {jid, since, until, peer, transport, tls, mechanism, callbridge}, as far as the server says.
  async about() {
    const answer = await this.#ask("session", SESSION);
    const found = answer?.getElementsByTagName("session")[0];
    return { jid: this.connection.jid, ...(found && attributes(found)) };
  }

  // [{type, host, port, transport, username, password, expires, ...}]; null if it does not say.
  async services() {
    const answer = await this.#ask("services", SERVICES);
    if (answer?.getElementsByTagName("service-unavailable").length) return [];
    if (answer?.getAttribute("type") !== "result") return null;
    return [...answer.getElementsByTagName("service")].map(attributes);
  }

  leave() {
    return new Promise((resolve) => {
      this.ended = resolve;
      this.connection.disconnect();
    });
  }

  // The result, or the error; null if there is neither in time.
  #ask(name, xmlns) {
    const server = this.connection.domain;
    const question = $iq({ type: "get", to: server }).c(name, { xmlns });
    return new Promise((resolve) => {
      const told = (answer) => resolve(answer?.getAttribute("from") === server ? answer : null);
      this.connection.sendIQ(question, told, told, ANSWER_MS);
    });
  }
}

// What becomes of a connection: a session that lasts until it ends, or a failure. It outlives the
// login, and so must not be where the password is.
class Attempt {
  constructor(connection, guest, anonymous) {
    Object.assign(this, { connection, guest, anonymous });
    this.session = null;
    this.failure = null; // the first one says what it was; those after it are its consequences
    this.outcome = new Promise((resolve, reject) => Object.assign(this, { resolve, reject }));
    this.timer = setTimeout(() => this.giveUp(new Failure("no-connection")), LOGIN_MS);
  }

  // What strophe.js calls.
  changed(status, condition, element) {
    if (status === Status.CONNECTED) {
      this.#settle();
      this.session = new Session(this.connection);
      this.resolve(this.session);
    } else if (status === Status.AUTHFAIL && !this.failure) {
      this.giveUp(ofLogin(element, this.guest));
    } else if (status === Status.CONNFAIL) {
      this.failure ??= ofConnection(condition, this.anonymous);
    } else if (status === Status.ERROR) {
      this.failure ??= this.session ? ofSession(condition) : ofOpening(condition);
    } else if (status === Status.DISCONNECTED) {
      this.#end(new Failure(this.session ? "connection-lost" : "no-connection"));
    }
  }

  giveUp(failure) {
    if (this.session) return;
    this.#end(failure);
    this.connection.disconnect();
  }

  #end(failure) {
    this.#settle();
    this.failure ??= failure;
    if (this.session) this.session.ended(this.failure);
    else this.reject(this.failure);
  }

  #settle() {
    clearTimeout(this.timer);
    this.connection.forget();
  }
}

// Answer a Session, or throw a Failure. `username` and `password` null: as a guest, without any.
// `signal`: an AbortSignal, for a user who does not want to wait.
export function signIn({ websocket, domain, username, password, guest, signal }) {
  const mechanisms = username === null ? WITHOUT : WITH_PASSWORD;
  const address = username === null ? domain : `${username}@${domain}`;
  const connection = new StrictConnection(websocket, { mechanisms });
  const attempt = new Attempt(connection, guest, username === null);
  signal?.addEventListener("abort", () => attempt.giveUp(new Failure("unexpected")));
  const changed = (...what) => attempt.changed(...what);
  connection.connect(address, password && prepared(password), changed);
  return attempt.outcome;
}

function ofConnection(condition, anonymous) {
  if (condition === Strophe.ErrorCondition.NO_AUTH_MECH) {
    return new Failure(anonymous ? "no-guests" : "no-mechanism");
  }
  // A name is the server's condition, a sentence strophe.js's own.
  return /^[a-z-]+$/.test(condition) ? ofOpening(condition) : new Failure("no-connection");
}

const attributes = (element) =>
  Object.fromEntries([...element.attributes].map(({ name, value }) => [name, value]));
