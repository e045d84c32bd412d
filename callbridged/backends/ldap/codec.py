"""LDAP messages by libldap (python-ldap), which makes and reads them and never sees the network.

libldap is given one end of a socket pair, which is no more than a buffer here: what it writes goes
out by Twisted, and what comes in is put there, a whole message at a time. So no call of its can
wait for anything. On its own it would block in connect and TLS, and does not keep its own timeouts
there: built with GnuTLS, as Debian's is, it asks a silent server again and again without a pause,
for ever.

This is the only module that needs python-ldap.
"""

from __future__ import annotations

import os
import socket
from typing import Any

# libldap would follow /etc/ldap/ldap.conf, ~/.ldaprc and variables; ours is all in callbridged.ini.
os.environ.setdefault("LDAPNOINIT", "1")

import ldap
from ldap.controls import DecodeControlTuples
from ldap.controls.ppolicy import PasswordPolicyControl
from ldap.extop import ExtendedRequest
from ldap.ldapobject import SimpleLDAPObject
from pyasn1.error import PyAsn1Error

from callbridged.backends.ldap.framing import MAX_MESSAGE, NotLdap
from callbridged.backends.ldap.interface import Entry, Result, Search, printable
from callbridged.backends.ldap.messages import Answer, Done, Notice, Reference

#: Older ones crash on attributes whose names are not UTF-8, and that may come before TLS does.
MIN_VERSION = "3.4.8"
if [int(one) for one in ldap.__version__.split(".")[:3]] < [*map(int, MIN_VERSION.split("."))]:
    raise ImportError(f"version {MIN_VERSION} or newer is needed, and this is {ldap.__version__}")

_SCOPES = {"sub": ldap.SCOPE_SUBTREE, "one": ldap.SCOPE_ONELEVEL, "base": ldap.SCOPE_BASE}
_START_TLS = "1.3.6.1.4.1.1466.20037"  # RFC 4511 section 4.14
_WHO_AM_I = "1.3.6.1.4.1.4203.1.11.3"  # RFC 4532
_POLICY = PasswordPolicyControl.controlType


_NONSENSE = "What came is an LDAP message that makes no sense, or answers nothing that was asked."


class LibldapCodec:
    """The messages of one connection (`messages.Codec`)."""

    def __init__(self) -> None:
        self._buffer, theirs = socket.socketpair()
        self._buffer.setblocking(False)
        theirs.setblocking(False)
        self._ldap = SimpleLDAPObject("ldap://-", fileno=theirs.detach())
        self._ldap.set_option(ldap.OPT_REFERRALS, ldap.OPT_OFF)
        self._asked: int | None = None

    def close(self) -> None:
        """It is of no use any more."""
        self._ldap.unbind_ext()
        self._buffer.close()

    def start_tls(self) -> bytes:
        """Answer the request for TLS (RFC 4511 section 4.14)."""
        return self._request(self._ldap.extop, ExtendedRequest(_START_TLS, None))

    def bind(self, dn: str, password: str) -> bytes:
        """Answer a request for a simple bind, which asks for the password policy's state, too."""
        return self._request(self._ldap.simple_bind, dn, password, [PasswordPolicyControl()])

    def search(self, search: Search, seconds: int) -> bytes:
        """Answer a request for a search that may take the server so long.

        Raises ValueError where the filter makes no sense.
        """
        try:
            return self._request(
                self._ldap.search_ext,
                search.base,
                _SCOPES[search.scope],
                search.filter,
                list(search.attributes),
                timeout=seconds,
                sizelimit=search.limit,
            )
        except ldap.FILTER_ERROR:
            raise ValueError(f"{search.filter!r} is no LDAP filter (RFC 4515).") from None

    def who_am_i(self) -> bytes:
        """Answer the question whom the directory takes us for."""
        return self._request(self._ldap.extop, ExtendedRequest(_WHO_AM_I, None))

    def decode(self, message: bytes) -> Answer:
        """Answer what a whole message says.

        Raises:
            NotLdap: it makes no sense, or answers no request of ours.
        """
        try:
            if self._buffer.send(message) < len(message):
                raise NotLdap(_NONSENSE)
            kind, data, number, controls, _, value = self._ldap.result4(
                ldap.RES_ANY, 0, timeout=0, add_extop=1
            )
        except ldap.LDAPError as error:
            return self._refused(error)
        except Exception:  # noqa: BLE001 - MemoryError, PyAsn1Error, ...: whatever comes of nonsense
            raise NotLdap(_NONSENSE) from None
        if kind == ldap.RES_SEARCH_ENTRY:
            return _entry(*data[0][:2])
        if kind == ldap.RES_SEARCH_REFERENCE:
            return Reference()
        if kind is None:
            raise NotLdap(_NONSENSE)
        policies = [one.error for one in controls if isinstance(one, PasswordPolicyControl)]
        result = Result(0, "", policies[0] if policies else None)
        return Done(result, value or b"") if number == self._asked else Notice(result)

    def _request(self, make: Any, *arguments: Any, **more: Any) -> bytes:
        self._asked = make(*arguments, **more)
        return self._buffer.recv(MAX_MESSAGE)

    def _refused(self, error: ldap.LDAPError) -> Done | Notice:
        """libldap raises what is another result than success; negative codes are its own faults."""
        said = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        code = said.get("result", -1)
        if code < 0:
            raise NotLdap(_NONSENSE) from None
        policy = None
        for oid, critical, value in said.get("ctrls", ()):
            if oid == _POLICY:
                policy = _policy(oid, critical, value)
        result = Result(code, printable(said.get("info", "")), policy)
        return Done(result) if said.get("msgid") == self._asked else Notice(result)


def _entry(dn: str, attributes: dict[str, list[bytes]]) -> Entry:
    return Entry(dn, {name.lower(): tuple(values) for name, values in attributes.items()})


def _policy(oid: str, critical: bool, value: bytes) -> int | None:
    """What a password policy response control says, None for one that is broken."""
    try:
        (control,) = DecodeControlTuples([(oid, critical, value)])
    except (PyAsn1Error, ValueError):
        return None
    error: int | None = control.error
    return error
