"""What an HTTP port listens for: its pages, and the connections that they are asked for by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web.resource import IResource
from twisted.web.server import Site

from daemonkit.web.channel import Channel, Limits, Request
from daemonkit.web.door import Door


def _say_nothing(host: str, reason: Failure) -> None:
    pass


class WebSite(Site):
    """HTTP/1.1, without a log of requests: what matters about them is logged by the pages."""

    protocol = Channel  # type: ignore[assignment]  # Twisted's also knows HTTP/2
    requestFactory = Request
    noisy = False

    def __init__(
        self,
        root: IResource,
        reactor: IReactorTime,
        door: Door,
        limits: Limits = Limits(),  # noqa: B008  it is frozen
        tls_failed: Callable[[str, Failure], None] = _say_nothing,
    ) -> None:
        """``tls_failed``: told whose connections ended for it, and OpenSSL's error."""
        super().__init__(
            root, reactor=reactor, timeout=limits.request_timeout, parsePOSTFormSubmission=False
        )
        self.door = door
        self.limits = limits
        self.tls_failed = tls_failed

    def accept(self, host: str) -> Channel | None:
        """Answer the protocol for a connection from ``host``; None where there are too many."""
        if not self.door.admit(host):
            return None
        channel: Any = self.buildProtocol(None)
        assert isinstance(channel, Channel)  # noqa: S101  for mypy: it is `protocol`
        channel.host = host
        return channel

    def log(self, request: Any) -> None:
        pass
