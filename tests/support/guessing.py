"""People who log in with right and wrong passwords, from many addresses at once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support.rawstream import RawStream, plain
from tests.support.rawwebsocket import OPEN, RawWebSocket
from tests.support.site import XmppServer

_SAID = r"<success|<failure.*?</failure>"


class Door:
    """One xmppd, as somebody comes to it who tries passwords."""

    def __init__(self, server: XmppServer, authority: Path, websocket_port: int = 0) -> None:
        self.server = server
        self.authority = authority
        self.websocket_port = websocket_port

    def stream(self, source: str, header: str = "") -> RawStream:
        """A stream with TLS from ``source``, which begins with a PROXY ``header``, if any."""
        stream = RawStream(self.server.address, self.server.client_port, source=source)
        stream.send(header)
        stream.start_tls(self.authority, "example.com")
        stream.read_until("</stream:features>")
        return stream

    def guess(self, source: str, user: str, password: str, header: str = "") -> str:
        """Try a password once, by PLAIN; answer ``success``, or the condition of the failure."""
        stream = self.stream(source, header)
        try:
            stream.send(plain(user, password))
            return outcome(stream.read_until(_SAID).decode())
        finally:
            stream.close()

    def guess_by_websocket(
        self, source: str, forwarded: str | None, user: str, password: str
    ) -> str:
        """The same in a browser, behind a proxy that says who it is for."""
        headers = [("X-Forwarded-For", forwarded)] if forwarded else []
        connection = RawWebSocket(
            self.server.address, self.websocket_port, self.authority, source=source, headers=headers
        )
        try:
            connection.send(OPEN)
            connection.read_until("<stream:features")
            connection.send(plain(user, password))
            return outcome(connection.read_until(_SAID))
        finally:
            connection.close()


def outcome(answer: str) -> str:
    """``success``, or the condition of a SASL failure."""
    if "<success" in answer:
        return "success"
    condition = re.search(r"<failure[^>]*>\s*<([a-z-]+)", answer)
    assert condition, answer
    return condition[1]


def at_once(guesses: Iterable[Callable[[], str]], threads: int = 20) -> Counter[str]:
    """Try all, many at the same time; how often each outcome came."""
    with ThreadPoolExecutor(threads) as pool:
        return Counter(pool.map(lambda guess: guess(), guesses))
