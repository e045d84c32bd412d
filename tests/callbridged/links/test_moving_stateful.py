"""Tests of callbridged.links.moving in any order of changes, losses, and what servers know."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from bridgewire.handshake import component_digest
from callbridged.links.generation import Plan
from callbridged.links.moving import MovingLinks
from daemonkit.hosts import HostPort
from tests.callbridged import network
from tests.callbridged.links.links_case import ONE, TWO, at
from tests.callbridged.links.test_registration import Delegate
from tests.callbridged.links.test_renewal_stateful import refuse
from tests.callbridged.links.test_retry import Highest
from tests.callbridged.network import HOSTS, Network, Server, Zone

#: Seconds after which every attempt was repeated, whatever it waited for.
LONG_ENOUGH = 150

hosts = st.sampled_from([ONE, TWO])
names = st.sampled_from(["cb1", "cb2"])
secrets = st.sampled_from(["s3cret", "another"])
#: By address, or by SRV records.
places = st.sampled_from([(ONE,), (TWO,), (ONE, TWO, "SRV")])

_HANDSHAKE = re.compile(r"<handshake(?: successor='([^']+)')?>(\w+)</handshake>")


class XmppServer:
    """As much of an XMPP server as knows names, secrets, and who may take whose place."""

    def __init__(self, host: str, delegate: Delegate) -> None:
        self.known = {("cb1", "s3cret")}
        self.is_there = True
        #: It has heard of successors.
        self.modern = True
        self._host = host
        self._delegate = delegate
        self._links: list[tuple[Server, str, str]] = []

    def up(self) -> list[tuple[str, str]]:
        """Name and secret of each link that is up."""
        self._links = [one for one in self._links if not one[0].lost]
        return [(name, secret) for _, name, secret in self._links]

    def lose(self) -> None:
        """All connections break."""
        for server, _, _ in self._links:
            if not server.lost:
                server.vanish()

    def answer(self, server: Server) -> None:
        """Take a registration, or refuse it."""
        if not self.is_there:
            server.vanish()
            return
        found = _HANDSHAKE.search(server.open())
        if found is None:  # it was given up
            return
        token, digest = found.groups()
        good = [one for one in self.known if component_digest("abc", one[1]) == digest]
        name = server.called
        if name not in {one[0] for one in self.known}:
            refuse(server, "host-unknown")
        elif name not in {one[0] for one in good}:
            refuse(server, "not-authorized")
        elif name in {one[0] for one in self.up()} and token not in self._successors(name):
            refuse(server, "conflict")
        else:
            secret = next(one[1] for one in good if one[0] == name)
            self._links.append((server, name, secret))
            server.type("<handshake/>")

    def _successors(self, name: str) -> set[str]:
        links = self._delegate.links if self.modern else []
        ours = [one for one in links if one.target.host == self._host]
        return {one.successor for one in ours if one.component.startswith(name)} - {""}


class Walk(RuleBasedStateMachine):
    """A Call Bridge whose settings change, and two servers."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Network()
        self.delegate = Delegate()
        self.servers = {host: XmppServer(host, self.delegate) for host in (ONE, TWO)}
        self.plan = self.make((ONE,), "cb1", "s3cret")
        self.wanted = [ONE]
        self.links = MovingLinks(self.network, self.plan, self.delegate, Highest())
        self.links.startService()
        self.settle()

    def make(self, place: tuple[str, ...], name: str, secret: str) -> Plan:
        found = [host for host in place if host in HOSTS]
        zone = Zone(*map(at, found))
        ours = replace(network.settings(ping_interval=6000.0), name=name, secret=secret)
        return Plan(ours, zone, zone, None if "SRV" in place else HostPort(found[0], None))

    def settle(self) -> None:
        """Let all happen that takes no time; the servers answer, and no login is under way."""
        by_address = {address: host for host, address in HOSTS.items()}
        while True:
            self.network.settle()
            dialled = [by_address[address] for address in self.network.dialled()]
            draining = [one for one in self.delegate.draining if not one.called]
            if not dialled and not draining:
                return
            for one in draining:
                one.callback(None)
            while dialled:
                host = dialled.pop(0)
                if not self.network.given_up(host, before=dialled.count(host)):
                    server = self.network.accept(host, before=dialled.count(host))
                    self.servers[host].answer(server)

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds * 2)):
            self.network.advance(0.5)
            self.settle()

    def unharmed(self) -> set[str]:
        """The servers that a link is up to."""
        return {host for host, server in self.servers.items() if server.up()}

    def takes(self, host: str) -> bool:
        """True where a server lets links in by the settings of today."""
        ours = (self.plan.settings.name, self.plan.settings.secret)
        return self.servers[host].is_there and ours in self.servers[host].known

    def assert_no_loss(self, before: set[str]) -> None:
        """Who was up is up, unless the settings of today lead elsewhere, and there it is up."""
        now = self.unharmed()
        for host in before - now:
            assert host not in self.wanted or not self.takes(host), host
            assert now & set(self.wanted), (before, now, self.wanted)

    @rule(place=places, name=names, secret=secrets, at_once=st.sampled_from([False] * 5 + [True]))
    def change(self, place: tuple[str, ...], name: str, secret: str, at_once: bool) -> None:
        """Whatever the settings, nothing that works is given up for what does not."""
        before = self.unharmed()
        self.plan = self.make(place, name, secret)
        self.wanted = [host for host in place if host in HOSTS]
        self.links.reconfigure(self.plan, at_once=at_once)
        self.settle()
        if not at_once:
            self.assert_no_loss(before)

    @rule()
    def renew(self) -> None:
        before = self.unharmed()
        self.links.renew()
        self.settle()
        self.assert_no_loss(before)

    @rule(seconds=st.sampled_from([1, 15, 70]))
    def wait(self, seconds: int) -> None:
        before = self.unharmed()
        self.pass_time(seconds)
        self.assert_no_loss(before)

    @rule(host=hosts, name=names, secret=secrets)
    def learn(self, host: str, name: str, secret: str) -> None:
        self.servers[host].known.add((name, secret))

    @rule(host=hosts, name=names, secret=secrets)
    def forget(self, host: str, name: str, secret: str) -> None:
        self.servers[host].known.discard((name, secret))

    @rule(host=hosts)
    def lose(self, host: str) -> None:
        self.servers[host].lose()
        self.settle()

    @rule(host=hosts)
    def crash(self, host: str) -> None:
        self.servers[host].is_there = False
        self.servers[host].lose()
        self.settle()

    @rule(host=hosts)
    def return_(self, host: str) -> None:
        self.servers[host].is_there = True

    @rule(host=hosts, modern=st.booleans())
    def another_version(self, host: str, modern: bool) -> None:
        self.servers[host].modern = modern

    def teardown(self) -> None:
        """In the end all links are up that can be, by the settings of today, and no others."""
        self.pass_time(LONG_ENOUGH)
        ours = (self.plan.settings.name, self.plan.settings.secret)
        shown = {str(one["target"]).partition(":")[0]: one for one in self.links.status()}
        assert list(shown) == self.wanted or set(shown) == set(self.wanted)
        for host, server in self.servers.items():
            if host in self.wanted and self.takes(host):
                assert server.up() == [ours], (host, server.up())
                assert shown[host]["state"] == "registered"
                assert shown[host]["last_error"] is None
        if any(map(self.takes, self.wanted)):
            assert not self.links.moving
            assert self.links.former() == []
            assert self.unharmed() <= set(self.wanted)
        assert len(self.delegate.links) == sum(len(one.up()) for one in self.servers.values())
        stopped = self.links.stopService()
        self.settle()
        assert stopped.called
        assert self.network.getDelayedCalls() == []
        assert self.delegate.links == []


class MovingWalks(SynchronousTestCase):
    """Whatever the order."""

    def test_walks(self) -> None:
        """Settings that do not work cost nothing, and those that do are come to in the end."""
        run_state_machine_as_test(
            Walk, settings=settings(max_examples=20, stateful_step_count=15, deadline=None)
        )
        self.assertEqual(self.flushLoggedErrors(), [])
