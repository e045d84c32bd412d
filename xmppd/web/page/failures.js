// What can go wrong, by names of our own. Each has a sentence in both languages: "failure." and
// the name.

const SASL = "urn:ietf:params:xml:ns:xmpp-sasl";
const ERRORS = "urn:x-callbridge:errors:1";

// A login that the server refuses (RFC 6120 section 6.5).
const OF_LOGIN = {
  "not-authorized": "not-authorized",
  "account-disabled": "account-disabled",
  "credentials-expired": "credentials-expired",
  "temporary-auth-failure": "temporary-auth-failure",
  "policy-violation": "too-many-attempts",
};
// The same for guests.
const OF_GUESTS = { "not-authorized": "wrong-code", "temporary-auth-failure": "unavailable" };
// Why it is temporary, where the server says so (docs/client-protocol.md).
const OF_REASONS = { "policy": "too-many-attempts", "resource-limit": "no-room" };

// A stream that the server ends (RFC 6120 section 4.9.3): before there is a session, and then.
const OF_OPENING = {
  "host-unknown": "host-unknown",
  "policy-violation": "too-many-attempts",
  "connection-timeout": "too-slow",
  "resource-constraint": "overloaded",
  "system-shutdown": "shutdown",
};
const OF_SESSION = {
  "conflict": "ended-elsewhere",
  "not-authorized": "ended-by-callbridge",
  "policy-violation": "ended-by-operator",
  "system-shutdown": "shutdown",
};

// What was typed, the connection, and what else this page finds out by itself.
export const OF_PAGE = [
  "username-missing", "username-invalid", "username-elsewhere", "password-missing",
  "no-connection", "no-mechanism", "no-guests", "server-unproven", "too-many-sessions",
  "connection-lost", "unexpected",
];

export const NAMES = [...new Set([
  ...Object.values(OF_LOGIN), ...Object.values(OF_GUESTS), ...Object.values(OF_REASONS),
  ...Object.values(OF_OPENING), ...Object.values(OF_SESSION), ...OF_PAGE,
])];

export class Failure extends Error {
  // name: one of NAMES.
  constructor(name) {
    super(name);
    this.name = name;
  }
}

export function ofLogin(element, guest) {
  if (!element) return new Failure("server-unproven"); // it was the client that gave up
  if (element.localName === "iq") return new Failure("too-many-sessions");
  const first = (namespace) =>
    [...element.children].find((one) => one.namespaceURI === namespace)?.localName;
  const condition = first(SASL);
  const name =
    OF_REASONS[first(ERRORS)] || (guest && OF_GUESTS[condition]) || OF_LOGIN[condition];
  return new Failure(name || "unexpected");
}

export const ofOpening = (condition) => new Failure(OF_OPENING[condition] ?? "unexpected");

export const ofSession = (condition) => new Failure(OF_SESSION[condition] ?? "unexpected");
