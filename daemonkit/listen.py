"""Twisted's endpoint strings, as settings have them, checked before anything listens."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address

from twisted.internet.endpoints import serverFromString

from daemonkit.section import Section

_TCP_PORT = re.compile(r"tcp6?:(?:port=)?(?P<port>[^:]*)")
_TCP = re.compile(r"tcp(?P<six>6?):(?:port=)?(?P<port>\d+)(?P<rest>:.*)?")
_INTERFACE = re.compile(r":interface=(?P<host>(?:\\.|[^:\\])*)")


@dataclass(frozen=True)
class TcpListen:
    """What ``tcp:5222:interface=192.0.2.1`` means. No ``host``: every address. ``six``: tcp6."""

    host: str
    port: int
    six: bool


def tcp_listen(endpoint: str) -> TcpListen | None:
    """Answer what a checked endpoint string means; None where it is not about TCP."""
    found = _TCP.fullmatch(endpoint)
    if found is None:
        return None
    interface = _INTERFACE.search(found["rest"] or "")
    host = re.sub(r"\\(.)", r"\1", interface["host"]) if interface else ""
    with suppress(ValueError):
        host = str(ip_address(host))
    return TcpListen(host, int(found["port"]), bool(found["six"]))


def parse_listen(text: str) -> str:
    """Answer ``text`` if it is an endpoint string for a listener, like ``tcp:5223``.

    Whether the port is free, and whether systemd has passed the socket on, shows only when the
    daemon listens.

    Raises:
        ValueError: with a sentence that says what is wrong, and how to write it.
    """
    kind, colon, rest = text.partition(":")
    if not colon and kind.isdecimal():
        raise ValueError(f"{text!r} is only a port. Write tcp:{text}.")
    if kind == "ssl":
        raise ValueError(f"{text!r}: TLS is added by the daemon. Write tcp:PORT.")
    if kind == "systemd":
        _check_systemd(text, rest)
        return text
    tcp = _TCP_PORT.match(text)
    if tcp and not (tcp["port"].isascii() and tcp["port"].isdecimal() and int(tcp["port"]) < 65536):
        raise ValueError(f"{text!r} has no port from 0 to 65535. Write it like tcp:5223.")
    try:
        serverFromString(
            None, text
        )  # makes the endpoint only; it needs no reactor until it listens
    except (ValueError, TypeError, LookupError, AttributeError, OSError) as error:
        raise ValueError(
            f"{text!r} is no Twisted endpoint string ({error}). Write it like tcp:5223, "
            "tcp:5223:interface=192.0.2.1, tcp6:5223 or systemd:domain=INET:index=0."
        ) from None
    return text


def parse_local_listen(text: str) -> str:
    """Answer as `parse_listen`; what says no ``interface=`` is for this machine alone.

    Raises:
        ValueError: with a sentence.
    """
    endpoint = parse_listen(text)
    if endpoint.partition(":")[0] not in ("tcp", "tcp6", "unix", "systemd"):
        raise ValueError(f"{text!r} is none of tcp:, tcp6:, unix: and systemd:. Write tcp:PORT.")
    tcp = tcp_listen(endpoint)
    if tcp is None or _INTERFACE.search(endpoint):
        return endpoint
    return endpoint + (r":interface=\:\:1" if tcp.six else ":interface=127.0.0.1")


def is_local(endpoint: str) -> bool | None:
    """True where only this machine can connect to what `parse_local_listen` has answered.

    None where that is said elsewhere, in a unit of systemd's.
    """
    if endpoint.startswith("unix:"):
        return True
    tcp = tcp_listen(endpoint)
    if tcp is None:
        return None
    with suppress(ValueError):
        return ip_address(tcp.host).is_loopback
    return False


def refuse_twice(places: Iterable[tuple[Section, str, Sequence[str]]]) -> None:
    """Note a fault for each endpoint that is there already: section, key, and what it has."""
    taken = set()
    for section, key, endpoints in places:
        for endpoint in endpoints:
            if endpoint in taken:
                section.fault(key, f"{endpoint} is there twice. Listen on it once.")
            taken.add(endpoint)


def listening_ports(endpoints: Sequence[str]) -> list[int]:
    """Answer the TCP ports of endpoint strings; those of systemd tell none."""
    found = [tcp.port for one in endpoints if (tcp := tcp_listen(one))]
    return [port for port in found if port]


def _check_systemd(text: str, rest: str) -> None:
    """Only its form: the sockets are there in the daemon, but not in a ctl command."""
    words = dict(word.partition("=")[::2] for word in rest.split(":"))
    index = words.get("index", "0")
    if (
        words.get("domain") not in ("INET", "INET6", "UNIX")
        or ("index" in words) == ("name" in words)
        or not (index.isascii() and index.isdecimal())
        or set(words) - {"domain", "index", "name"}
    ):
        raise ValueError(
            f"{text!r}: a socket of systemd's is written systemd:domain=INET:index=0 "
            "or systemd:domain=INET6:name=NAME."
        )
