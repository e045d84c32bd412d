"""What an entry says of its user: the localpart, SCRAM keys, and what changes with the password."""

from __future__ import annotations

import hashlib

from bridgewire.username import parse_username
from callbridged.backends.ldap.interface import Entry, printable
from callbridged.scram_keys import ScramKeys
from callbridged.scram_text import parse_keys

#: What stays with an entry: RFC 4530, Active Directory, 389-ds. Else its DN does.
_IDENTIFIERS = ("entryUUID", "objectGUID", "nsUniqueId")
#: When the password was changed: draft-behera, Active Directory, 389-ds. Else when anything was.
_CHANGED = ("pwdChangedTime", "pwdLastSet", "pwdUpdateTime", "modifyTimestamp")
#: What `fingerprint` reads.
FINGERPRINT = (*_IDENTIFIERS, *_CHANGED)


def localpart(entry: Entry, attribute: str, domain: str) -> str:
    """Answer the localpart that the entry's user is let in as, in normal form.

    ``domain``: of the e-mail addresses that the attribute has; empty: it has none. Raises
    BrokenAccount.
    """
    text = entry.text(attribute)
    if text is None:
        raise entry.broken(attribute, "it is not there, or the search account may not read it")
    if domain:
        text, at, host = text.rpartition("@")
        if not at or host.lower() != domain:
            raise entry.broken(attribute, f"it is no address of {domain}")
    try:
        return parse_username(text)
    except ValueError as error:
        raise entry.broken(attribute, f"no localpart can be made of it: {error}") from None


def scram_keys(entry: Entry, attribute: str, mechanism: str) -> ScramKeys:
    """Answer the keys for a mechanism, out of values as RFC 5803 has them.

    Raises BrokenAccount, also where there are none.
    """
    found = []
    for value in entry.attributes.get(attribute.lower(), ()):
        # RFC 3112 allows spaces around each $.
        text = value.decode("ascii", "replace").replace(" ", "")
        if text.startswith(f"{mechanism}$"):
            found.append(text)
    if len(found) != 1:
        raise entry.broken(
            attribute,
            f"{mechanism} has {len(found)} values there, and needs one. Give the user a new "
            "password; or leave the mechanism out of mechanisms",
        )
    try:
        return parse_keys(found[0])[1]
    except ValueError as error:
        raise entry.broken(attribute, f"its value for {mechanism}: {error}") from None


def fingerprint(entry: Entry) -> bytes:
    """Answer what is another when the password is.

    Raises BrokenAccount where nothing tells when it was changed.
    """
    identifier = next(filter(None, map(entry.octets, _IDENTIFIERS)), entry.dn.encode())
    changed = next((name for name in _CHANGED if entry.octets(name)), None)
    if changed is None:
        raise entry.broken(_CHANGED[-1], "it is not there, or the search account may not read it")
    value = entry.octets(changed) or b""
    return hashlib.sha256(b"\0".join((identifier, changed.encode(), value))).digest()


def several(filter_text: str, entries: tuple[Entry, ...]) -> str:
    """Answer a sentence about a search for one user that found more."""
    found = " and ".join(printable(entry.dn) for entry in entries[:2])
    return (
        f"the filter {printable(filter_text)} finds {found}, and who of them logs in? Make base "
        "or filter stricter."
    )
