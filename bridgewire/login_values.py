"""The values in the messages of `urn:x-callbridge:login:1`, each with its limit.

A value that is not right raises `WireFault`, which says what it is.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

from twisted.words.xish.domish import Element

from bridgewire.namespaces import LOGIN
from bridgewire.sasl import WireFault, from_base64, text_of
from bridgewire.username import parse_username

MAX_CAPACITY = 1_000_000
MAX_MECHANISMS = 64
MAX_CHANNEL_BINDINGS = 8
MAX_CHANNEL_BINDING = 1024  # octets
MAX_CERTIFICATE = 16 * 1024  # octets of DER
MAX_DEADLINE = 3600.0  # seconds
MAX_LIFETIME = 999_999.0  # seconds

_CAPACITY = re.compile(r"[0-9]{1,7}")
_SECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_VISIBLE = re.compile(r"[!-~]{1,128}")
_MECHANISM = re.compile(r"[A-Z0-9_-]{1,20}")  # RFC 4422 section 3.1
_BINDING_TYPE = re.compile(r"[A-Za-z0-9.-]{1,64}")  # RFC 5056 section 7
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")  # XEP-0082


def expect(element: Element | None, name: str) -> Element:
    """Answer the element, if it is ours with this name. Raises WireFault."""
    if element is None or (element.uri, element.name) != (LOGIN, name):
        raise WireFault(f"no <{name}/> of {LOGIN}")
    return element


def only(login: Element, name: str) -> Element | None:
    """Answer the one child of ours with this name, or None. Raises WireFault."""
    found = list(login.elements(LOGIN, name))
    if len(found) > 1:
        raise WireFault(f"<{name}/> is there twice")
    return found[0] if found else None


def add_mechanisms(element: Element, names: tuple[str, ...]) -> None:
    """Let the element have one ``<mechanism/>`` for each."""
    for name in names:
        element.addElement((LOGIN, "mechanism"), content=name)


def read_mechanisms(element: Element) -> tuple[str, ...]:
    """Answer the names that are in its ``<mechanism/>`` elements. Raises WireFault."""
    names = tuple(text_of(one).strip() for one in element.elements(LOGIN, "mechanism"))
    for name in names:
        check_mechanism(name)
    if len(names) > MAX_MECHANISMS or len(set(names)) < len(names):
        raise WireFault("there are too many mechanisms, or one is there twice")
    return names


def check_mechanism(name: str) -> str:
    """Answer what can be the name of a SASL mechanism. Raises WireFault."""
    if not _MECHANISM.fullmatch(name):
        raise WireFault(f"{name!r:.40} is not the name of a SASL mechanism")
    return name


def read_channel_bindings(login: Element) -> Mapping[str, bytes]:
    """Answer the data of a client's TLS connection, by type. Raises WireFault."""
    bindings: dict[str, bytes] = {}
    for binding in login.elements(LOGIN, "channel-binding"):
        kind = binding.getAttribute("type", "")
        if not _BINDING_TYPE.fullmatch(kind) or kind in bindings:
            raise WireFault(f"channel-binding has the type {kind!r:.40}, or has it twice")
        data = from_base64(text_of(binding), "bad-request")
        if not 0 < len(data) <= MAX_CHANNEL_BINDING:
            raise WireFault(f"channel-binding has {len(data)} octets")
        bindings[kind] = data
    if len(bindings) > MAX_CHANNEL_BINDINGS:
        raise WireFault(f"there are {len(bindings)} channel bindings")
    return bindings


def read_certificate(login: Element) -> bytes | None:
    """Answer a client's certificate in DER, if there is one. Raises WireFault."""
    element = only(login, "certificate")
    if element is None:
        return None
    data = from_base64(text_of(element), "bad-request")
    if not 0 < len(data) <= MAX_CERTIFICATE:
        raise WireFault(f"certificate has {len(data)} octets")
    return data


def check_visible(what: str, text: str, *, shown: bool = True) -> str:
    """Answer text without white space, not too long. Raises WireFault, which quotes what is
    ``shown``.
    """
    if not _VISIBLE.fullmatch(text):
        value = f" {text!r:.40}," if shown else ""
        raise WireFault(f"{what} is{value} not 1 to 128 visible ASCII characters")
    return text


def parse_localpart(username: str) -> str:
    """Answer a localpart that is in its normal form. Raises WireFault."""
    try:
        if parse_username(username) == username:
            return username
    except ValueError:
        pass
    raise WireFault(f"username is {username!r:.40}, no normalised localpart")


def check_address(text: str) -> str:
    """Answer an IP address. Raises WireFault."""
    try:
        ipaddress.ip_address(text)
        if len(text) <= 64 and text.isprintable():  # an IPv6 zone can be any text
            return text
    except ValueError:
        pass
    raise WireFault(f"peer is {text!r:.60}, no IP address")


def check_time(what: str, text: str) -> str:
    """Answer a time in UTC. Raises WireFault."""
    if not _TIME.fullmatch(text):
        raise WireFault(f"{what} is {text!r:.40}, no time of XEP-0082 in UTC")
    return text


def parse_capacity(text: str) -> int:
    """Answer how many logins a Call Bridge takes at once. Raises WireFault."""
    if not _CAPACITY.fullmatch(text) or int(text) > MAX_CAPACITY:
        raise WireFault(f"capacity is {text!r:.40}, no number from 0 to {MAX_CAPACITY}")
    return int(text)


def parse_seconds(what: str, text: str, maximum: float) -> float:
    """Answer a number of seconds up to ``maximum``. Raises WireFault."""
    if not _SECONDS.fullmatch(text) or float(text) > maximum:
        raise WireFault(f"{what} is {text!r:.40}, no number of seconds up to {maximum:g}")
    return float(text)
