// What was typed into the form, as a login wants it.
import { Failure } from "./failures.js";

const GUEST = "guest"; // the account that an access code is the password of
const NOT_IN_A_NAME = /[\s"&'/:<>@\u0000-\u001f\u007f]/u; // RFC 7622 section 3.3.1

// {domain, username, password, guest}; throws a Failure. A guest without a code has neither name
// nor password.
export function typed({ way, domain, username, password, code }) {
  if (way === "guest") {
    return { domain, username: code ? GUEST : null, password: code || null, guest: true };
  }
  const [name, ...rest] = username.split("@");
  if (!username) throw new Failure("username-missing");
  if (rest.length && rest.join("@").toLowerCase() !== domain) throw new Failure("username-elsewhere");
  if (!name || NOT_IN_A_NAME.test(name)) throw new Failure("username-invalid");
  if (!password) throw new Failure("password-missing");
  return { domain, username: name, password, guest: false };
}
