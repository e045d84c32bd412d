"""Origins and WebSocket URLs, as settings and browsers write them."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from twisted.web.iweb import IRequest

from daemonkit.hosts import is_address, parse_host_port, parse_name

#: Where WebSocket connections are taken.
PATH = "/xmpp-websocket"

_PORTS = {"http": 80, "https": 443, "wss": 443}


def parse_origin(text: str) -> str:
    """Answer an origin (RFC 6454) as it is compared: ``https://meet.example.com``, or ``*``.

    Lower case, names in A-labels, and no port where it is the scheme's own.

    Raises:
        ValueError: with a sentence that says what is wrong with it.
    """
    if text == "*":
        return text
    url = urlsplit(text)
    try:
        port = url.port
        host = url.hostname or ""
        if not url.scheme or not host or text != f"{url.scheme}://{url.netloc}" or "@" in text:
            raise ValueError
        host = f"[{host}]" if ":" in host else host if is_address(host) else parse_name(host)
    except ValueError:
        raise ValueError(
            f"{text[:80]!r} is no origin. Write scheme and host, like https://meet.example.com, "
            "with the port only if the browser shows one, and with no slash at the end."
        ) from None
    shown = "" if port in (None, _PORTS.get(url.scheme)) else f":{port}"
    return f"{url.scheme}://{host}{shown}"


def default_origins(domains: Iterable[str], hostname: str) -> tuple[str, ...]:
    """Answer the origins whose pages may log in where none are set: those of our own names."""
    return tuple(f"https://{parse_name(name)}" for name in (*domains, hostname))


def parse_websocket_url(text: str) -> str:
    """Answer ``text`` if it is a URL that can be announced; ``{domain}`` in it stands for a domain.

    Raises:
        ValueError: with a sentence that says what is wrong with it.
    """
    try:
        url = urlsplit(text.replace("{domain}", "example.com"))
        parse_origin(f"https://{url.netloc}")
        good = url.scheme == "wss" and url.port != 0 and not url.fragment
    except ValueError:
        good = False
    if not good or not text.isascii() or any(letter in text for letter in "<>\"' "):
        raise ValueError(
            f"{text[:80]!r} is no URL of a WebSocket with TLS. "
            f"Write it like wss://xmpp.example.com{PATH}."
        )
    return text


def default_websocket_url(hostname: str, listen: str) -> str | None:
    """Answer the URL of the endpoint ``listen``; None where it does not name its port."""
    port = port_of(listen)
    if port is None:
        return None
    return f"wss://{hostname}" + (f":{port}" if port != 443 else "") + PATH


def port_of(listen: str) -> int | None:
    """Answer the port of the endpoint ``listen``; None where it does not say it."""
    kind, _, rest = listen.partition(":")
    port = rest.partition(":")[0].removeprefix("port=")
    return int(port) if kind in ("tcp", "tcp6") and port.isdecimal() and port != "0" else None


def asked_name(request: IRequest) -> str:
    """Answer the name in a request's Host header, in A-labels; empty where there is none."""
    try:
        return parse_host_port((request.getHeader("host") or "").lower()).host
    except ValueError:
        return ""
