"""Links that move over a network in memory, for the tests of that."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from bridgewire.handshake import component_digest
from callbridged.links.generation import Plan
from callbridged.links.link_interface import ActiveLink
from callbridged.links.moving import MovingLinks
from daemonkit.hosts import HostPort
from tests.callbridged.links.links_case import ONE, at
from tests.callbridged.links.test_registration import Delegate
from tests.callbridged.links.test_retry import Highest
from tests.callbridged.network import Network, Server, Zone, settings

#: A little more than a refusal waits.
AFTER_REFUSAL = 67


def plan(*hosts: str, by_srv: bool = False, secret: str = "s3cret", name: str = "cb1") -> Plan:
    """Links to these hosts, by their SRV records if there are several."""
    zone = Zone(*map(at, hosts))
    made = replace(settings(ping_interval=6000.0), name=name, secret=secret)
    address = None if by_srv or len(hosts) > 1 else HostPort(hosts[0], None)
    return Plan(made, zone, zone, address)


class Deaf(Delegate):
    """Whose servers do not acknowledge that there is a successor."""

    def __init__(self) -> None:
        super().__init__()
        self.announcing: list[Deferred[None]] = []

    def link_announces(self, link: ActiveLink) -> Deferred[None]:
        super().link_announces(link)
        self.announcing.append(Deferred())
        return self.announcing[-1]


class MovingCase(SynchronousTestCase):
    """Links that are up, to the first server unless it is said otherwise."""

    delegate: Delegate
    links: MovingLinks

    def setUp(self) -> None:
        self.network = Network()
        self.delegate = Delegate()

    def start(self, first: Plan | None = None) -> None:
        self.links = MovingLinks(self.network, first or plan(ONE), self.delegate, Highest())
        self.links.startService()
        self.network.settle()

    def up(self, *hosts: str) -> list[Server]:
        self.start(plan(*hosts or (ONE,)))
        servers = [self.network.accept(host).register() for host in hosts or (ONE,)]
        self.network.dialled()
        return servers

    def move(self, *hosts: str, at_once: bool = False, **more: Any) -> None:
        self.links.reconfigure(plan(*hosts, **more), at_once=at_once)
        self.network.settle()

    def greet(self, host: str, secret: str = "s3cret") -> tuple[Server, str | None]:
        """Accept the last connection to ``host``; answer it, and which successor it shows."""
        server = self.network.accept(host)
        found = re.search(r"<handshake(?: successor='([^']+)')?>(\w+)</handshake>", server.open())
        assert found is not None
        self.assertEqual(found[2], component_digest("abc", secret))
        return server, found[1]

    def refuse(self, host: str, condition: str) -> None:
        self.network.accept(host).refuse(condition)
        self.network.settle()

    def drained(self) -> None:
        """The logins under way are over, on all links that drain."""
        for draining in self.delegate.draining:
            if not draining.called:
                draining.callback(None)
        self.network.settle()

    def using(self) -> list[str]:
        """Where the delegate may use links to, and as whom."""
        return [
            f"{link.component.split('.')[0]} {link.target.host}" for link in self.delegate.links
        ]

    def states(self) -> tuple[dict[str, str], dict[str, str]]:
        """Of the links, and of the former ones."""
        both = (self.links.status(), self.links.former())
        new, old = ({str(o["target"])[:5]: str(o["state"]) for o in some} for some in both)
        return new, old

    def successor(self) -> str:
        """What was announced last."""
        return self.delegate.announced[-1]
