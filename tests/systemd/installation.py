"""An installation that the tests share: the packages on two hosts, set up and running."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.support.debs import built, with_systemd
from tests.support.people import Login, log_in
from tests.support.rawstream import RawStream
from tests.support.waiting import DEADLINE, wait_until
from tests.support.zones import Zone
from tests.systemd.hosts import EDGE, TwoHosts

DOMAIN = "example.com"
SERVER = "xmpp1.example.com"
PASSWORD = "wonderland"
COMMON = "callbridge-xmpp-common"


class Installation(TwoHosts):
    """xmppd at the edge and callbridged inside, linked, with alice as the only user."""

    def __init__(self) -> None:
        zone = Zone(DOMAIN)
        zone.srv.append((10, 10, 5223, SERVER))
        zone.clients.append((10, 10, 5222, SERVER))
        zone.hosts[SERVER] = [EDGE]
        super().__init__(with_systemd(), zone)

    def _set_up(self) -> None:
        with ThreadPoolExecutor() as threads:
            both = ((self.edge, "xmppd"), (self.inside, "callbridged"))
            list(threads.map(lambda one: one[0].install(built(), COMMON, one[1]), both))
        names = f"--domain {DOMAIN} --hostname {SERVER} --callbridge cb1"
        self.edge.run(f"cd /root; xmppctl setup {names}")
        self.edge.run("systemctl enable --now xmppd.socket xmppd")
        self.inside.write("/root/cb1.join", self.edge.read("/root/cb1.join"))
        self.inside.run("callbridgectl setup --join /root/cb1.join --user alice", typed=PASSWORD)
        self.inside.run("systemctl enable --now callbridged")
        #: Whom clients trust.
        self.authority = self.directory / "ca.crt"
        self.authority.write_bytes(self.edge.read("/etc/xmppd/tls/ca.crt"))
        self.await_link()

    def link(self) -> dict[str, Any]:
        """The Call Bridge's entry in the server's status."""
        (entry,) = json.loads(self.edge.run("xmppctl --json status"))["callbridges"]
        return entry

    def await_link(self, after: dict[str, Any] | None = None) -> dict[str, Any]:
        """Once logins are served; ``after``: by another link than that one."""
        former = (after["peer"], after["since"]) if after else None

        def probe() -> dict[str, Any] | None:
            with contextlib.suppress(AssertionError):  # xmppd may not be there
                entry = self.link()
                if entry["mechanisms"] and (entry["peer"], entry["since"]) != former:
                    return entry
            return None

        return wait_until("the link is up", probe, DEADLINE, self.explain)

    def explain(self) -> str:
        return self.edge.explain("xmppd") + self.inside.explain("callbridged")

    def log_in(self, password: str = PASSWORD) -> Login:
        """Alice, from outside, by slixmpp."""
        with self.outside.entered():
            return asyncio.run(log_in(EDGE, 5222, f"alice@{DOMAIN}", password, self.authority))

    def connect(self, port: int = 5222) -> RawStream:
        with self.outside.entered():
            return RawStream(EDGE, port)


_made: list[Installation] = []


def installation() -> Installation:
    """The one that all tests share."""
    if not _made:
        _made.append(Installation())
    return _made[0]


@atexit.register
def discard() -> None:
    """The next one who wants it gets a new one."""
    while _made:
        _made.pop().close()
