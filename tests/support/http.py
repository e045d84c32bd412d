"""An HTTP client in memory: types requests for a `daemonkit.web.site.WebSite`, reads answers."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure

from tests.support.memory import MemoryTransport


class HttpClient:
    """The other end of one connection. ``host`` is for the Host header."""

    host = "xmpp1.example.com:5443"

    def __init__(self, channel: Any) -> None:
        self.transport = MemoryTransport()
        # As TLS does it, a wrapper knows which protocol has the connection.
        self.wrapper = ProtocolWrapper(WrappingFactory(Factory()), channel)
        self.wrapper.makeConnection(self.transport)

    def type(self, data: bytes | str) -> bytes:
        """Send bytes and answer what came back for them."""
        self.wrapper.dataReceived(data.encode() if isinstance(data, str) else data)
        return self.read()

    def read(self) -> bytes:
        """Answer the bytes that came since the last time."""
        data = self.transport.value()
        self.transport.clear()
        return data

    def ask(self, path: str, method: str = "GET", body: str = "", **headers: str | None) -> bytes:
        """Send one HTTP request; ``user_agent="x"`` is the header User-Agent."""
        fields: dict[str, str | None] = {"Host": self.host}
        fields |= {name.replace("_", "-").title(): value for name, value in headers.items()}
        shown = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
        return self.type(f"{method} {path} HTTP/1.1\r\n{shown}\r\n{body}")

    @property
    def hung_up(self) -> bool:
        """True once the server wants to be rid of us."""
        return self.transport.disconnecting

    def lose(self) -> None:
        """Drop the connection."""
        self.wrapper.connectionLost(Failure(ConnectionDone()))
