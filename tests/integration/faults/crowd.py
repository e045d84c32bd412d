"""A domain with many XMPP servers, hardly one of which is as it should be."""

from __future__ import annotations

import random
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

from tests.support.processes import free_port
from tests.support.site import CallBridge, Site
from tests.support.waiting import wait_until
from tests.support.zones import Dnsmasq


class Crowd:
    """A site whose SRV records lead to impostors, and to real servers as well. A context manager.

    Each is called as its fault: ``expired.example.com``.
    """

    def __init__(self) -> None:
        self.site = Site(nameserver_class=Dnsmasq)
        self.certificates = self.site.ca
        self._open = ExitStack()
        self._open.callback(self.site.close)
        self._net = f"127.{random.randint(16, 250)}.{random.randint(1, 250)}"
        self._taken = 0

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._open.close()

    def address(self) -> str:
        """One that nobody has."""
        self._taken += 1
        return f"{self._net}.{self._taken}"

    def place(self, name: str, port: int = 0) -> tuple[str, int]:
        """Publish a server that nobody has made, and answer its address and port."""
        address = self.address()
        port = port or free_port(address)
        host = f"{name}.{self.site.domain}"
        self.site.zone.hosts[host] = [address]
        self.site.zone.srv.append((10, 10, port, host))
        return address, port

    def let_in(self, impostor: AbstractContextManager[Any]) -> None:
        """Let an impostor listen until the end."""
        self._open.enter_context(impostor)

    def closing(self, callback: Any) -> None:
        self._open.callback(callback)

    def certificate(self, name: str, **options: Any) -> tuple[Path, Path]:
        """One for this server, good unless ``options`` say otherwise."""
        names = [self.site.domain, f"{name}.{self.site.domain}"]
        return self.site.ca.issue(name, **{"dns": names, **options})


def wait_failed(bridge: CallBridge) -> None:
    """Until each link has met its fault."""
    wait_until(
        "all links have failed",
        lambda: bridge.links() and all(one["last_error"] for one in bridge.links()),
        explain=bridge.explain,
    )
