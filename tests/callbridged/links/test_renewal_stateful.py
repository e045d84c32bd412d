"""Tests of callbridged.links.renewal in any order of reloads, rotations and losses."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from twisted.internet.defer import AlreadyCalledError
from twisted.trial.unittest import SynchronousTestCase

from bridgewire.handshake import component_digest
from callbridged.links.links import Links
from tests.callbridged import network
from tests.callbridged.links.links_case import ONE, TWO, at
from tests.callbridged.links.test_registration import Delegate
from tests.callbridged.links.test_retry import Highest
from tests.callbridged.network import HOSTS, Network, Server, Zone

SECRETS = ("s3cret", "second", "third")
#: Seconds after which every attempt was repeated, whatever it waited for.
LONG_ENOUGH = 150

hosts = st.sampled_from([ONE, TWO])
secrets = st.sampled_from(SECRETS)


class XmppServer:
    """As much of an XMPP server as knows secrets and names; the other end of its connections."""

    def __init__(self, delegate: Delegate) -> None:
        self.accepted = {SECRETS[0]}
        self.up: list[tuple[Server, str]] = []
        self._delegate = delegate

    def living(self) -> list[str]:
        """The secrets of the links that are up."""
        self.up = [(server, secret) for server, secret in self.up if not server.lost]
        return [secret for _, secret in self.up]

    def answer(self, server: Server) -> None:
        """Take a registration, or refuse it."""
        found = re.search(r"<handshake(?: successor='([^']+)')?>(\w+)</handshake>", server.open())
        assert found is not None
        token, digest = found.groups()
        good = [one for one in self.accepted if component_digest("abc", one) == digest]
        if not good:
            refuse(server, "not-authorized")
        elif self.living() and token not in self._delegate.announced:
            refuse(server, "conflict")
        else:
            self.up.append((server, good[0]))
            server.type("<handshake/>")


def refuse(server: Server, condition: str) -> None:
    server.type(
        f"<stream:error><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
        "</stream:error></stream:stream>"
    )
    server.close()


class Walk(RuleBasedStateMachine):
    """A Call Bridge with links to two servers, whose secrets change at either end."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Network()
        self.delegate = Delegate()
        self.zone = Zone(at(ONE), at(TWO))
        self.secret = SECRETS[0]
        self.servers = {host: XmppServer(self.delegate) for host in (ONE, TWO)}
        self.links = Links(
            self.network,
            self.zone,
            self.zone,
            network.settings(ping_interval=6000.0),
            self.delegate,
            random=Highest(),
        )
        self.links.startService()
        self.settle()

    def settle(self) -> None:
        """Let all happen that takes no time; the servers answer, and no login is under way."""
        by_address = {address: host for host, address in HOSTS.items()}
        while True:
            self.network.settle()
            dialled = self.network.dialled()
            draining = [one for one in self.delegate.draining if not one.called]
            if not dialled and not draining:
                return
            for one in draining:
                one.callback(None)
            for host in dict.fromkeys(by_address[address] for address in dialled):
                # Of two at once to one server, one hangs, and is given up in time.
                with contextlib.suppress(AlreadyCalledError):  # it was given up before it was up
                    self.servers[host].answer(self.network.accept(host))

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds * 2)):
            self.network.advance(0.5)
            self.settle()

    def unharmed(self) -> list[str]:
        """The servers that a link is up to."""
        return [host for host, server in self.servers.items() if server.living()]

    @rule(secret=secrets)
    def reload(self, secret: str) -> None:
        """Whatever the secret, what is up stays up, or its successor is."""
        before = self.unharmed()
        self.secret = secret
        changed = replace(network.settings(ping_interval=6000.0), secret=secret)
        self.links.reconfigure(changed, self.zone, self.zone, None)
        self.settle()
        assert set(before) <= set(self.unharmed())

    @rule()
    def renew(self) -> None:
        before = self.unharmed()
        self.links.renew()
        self.settle()
        assert set(before) <= set(self.unharmed())

    @rule(seconds=st.sampled_from([1, 15, 70]))
    def wait(self, seconds: int) -> None:
        before = self.unharmed()
        self.pass_time(seconds)
        assert set(before) <= set(self.unharmed())

    @rule(host=hosts, secret=secrets)
    def rotate(self, host: str, secret: str) -> None:
        """The server accepts one more."""
        self.servers[host].accepted.add(secret)

    @rule(host=hosts, secret=secrets)
    def forget(self, host: str, secret: str) -> None:
        self.servers[host].accepted.discard(secret)

    @rule(host=hosts)
    def lose(self, host: str) -> None:
        for server, _ in self.servers[host].up:
            if not server.lost:
                server.vanish()
        self.settle()

    def teardown(self) -> None:
        """In the end each link that can be up is up with the right secret, and nothing is left."""
        self.pass_time(LONG_ENOUGH)
        shown = {str(one["target"]).partition(":")[0]: one for one in self.links.status()}
        for host, server in self.servers.items():
            if self.secret in server.accepted:
                assert server.living() == [self.secret], (host, server.living(), shown[host])
                assert shown[host]["state"] == "registered"
                assert (shown[host]["secret_in_use"], shown[host]["newer"]) == ("current", None)
                assert shown[host]["last_error"] is None
            elif server.living():
                assert shown[host]["secret_in_use"] in ("former", "current")
                assert len(server.living()) == 1
            else:
                assert shown[host]["last_error"] is not None
        assert len(self.delegate.links) == len(self.unharmed())
        stopped = self.links.stopService()
        self.settle()
        assert stopped.called
        assert self.network.getDelayedCalls() == []
        assert self.delegate.links == []


class RenewalWalks(SynchronousTestCase):
    """Whatever the order."""

    def test_walks(self) -> None:
        """A link that is up is never lost by a reload, and each comes to the secret in the end."""
        run_state_machine_as_test(
            Walk, settings=settings(max_examples=20, stateful_step_count=15, deadline=None)
        )
        self.assertEqual(self.flushLoggedErrors(), [])
