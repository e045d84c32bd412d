"""Names and addresses of hosts, as settings have them."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

import idna


class HostPort(NamedTuple):
    """Where something listens. ``host``: a DNS name in A-labels, or an address without brackets."""

    host: str
    port: int | None

    def __str__(self) -> str:
        """``host``, ``host:port``, ``[2001:db8::1]:port``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


def parse_name(text: str) -> str:
    """Answer a DNS name as DNS has it: A-labels (RFC 5891), lower case, no dot at the end.

    Raises:
        ValueError: with a sentence that says what is wrong with it.
    """
    if is_address(text.strip("[]")):
        raise ValueError(f"{text} is an address, and a name is needed, like xmpp1.example.com.")
    try:
        name = idna.encode(text.removesuffix("."), uts46=True).decode("ascii").lower()
    except idna.IDNAError as error:
        why = str(error)[:1].lower() + str(error)[1:].rstrip(".")
        raise ValueError(f"{text[:80]!r} is no DNS name: {why}.") from None
    if name.rpartition(".")[2].isdecimal():
        raise ValueError(f"{text} is no DNS name: its last part is a number.")
    return name


def parse_domain(text: str) -> str:
    """Answer a domain as XMPP has it: U-labels (RFC 7622 section 3.2), lower case.

    Raises ValueError like `parse_name`.
    """
    return idna.decode(parse_name(text))


def parse_label(text: str) -> str:
    """Answer one label of a domain name, without any dot, like `parse_domain`.

    Raises:
        ValueError: with a sentence that says what is wrong with it.
    """
    if "." in text:
        raise ValueError(
            f"{text[:80]!r} has a dot in it. It is the first part of the name only, like cb1; "
            "the domain is added to it."
        )
    try:
        return idna.decode(idna.encode(text, uts46=True))
    except idna.IDNAError:
        raise ValueError(
            f"{text[:80]!r} cannot be part of a DNS name. Use 1 to 63 letters, digits and hyphens, "
            "with no hyphen at either end."
        ) from None


def parse_host_port(text: str) -> HostPort:
    """Answer what ``host``, ``host:port``, ``192.0.2.1:port`` or ``[2001:db8::1]:port`` says.

    Raises:
        ValueError: with a sentence that says what is wrong with it.
    """
    if "/" in text:
        raise ValueError(f"{text[:80]!r} has a slash in it. Write a host, or host:port, not a URL.")
    if is_address(text):
        if ":" in text:
            raise ValueError(f"an IPv6 address is written in brackets: [{text}].")
        return HostPort(text, None)
    host, colon, digits = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, digits = text, ""
    elif not digits:
        raise ValueError(f"{text!r} has nothing after the colon. Write the port, or no colon.")
    if host.startswith("[") and host.endswith("]"):
        host = _address6(host[1:-1])
    elif not is_address(host) or ":" in host:
        host = parse_name(host)
    return HostPort(host, parse_port(digits) if digits else None)


def parse_port(text: str) -> int:
    """Answer a TCP or UDP port that one can connect to. Raises ValueError with a sentence."""
    if not (text.isascii() and text.isdecimal()) or len(text) > 5 or not 1 <= int(text) <= 65535:
        raise ValueError(f"{text[:20]!r} is no port: ports are 1 to 65535.")
    return int(text)


def is_address(text: str) -> bool:
    """True for an IPv4 or IPv6 address, without brackets."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _address6(text: str) -> str:
    try:
        return str(IPv6Address(text))
    except ValueError:
        raise ValueError(f"[{text[:80]}] is no IPv6 address.") from None
