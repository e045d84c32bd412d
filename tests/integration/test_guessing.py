"""Passwords are guessed while honest people log in: what gets through, and what fail2ban finds."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import threading
from collections import Counter
from functools import partial
from pathlib import Path
from typing import ClassVar

from twisted.trial import unittest

from daemonkit.networks import network_of
from tests.support import fail2ban
from tests.support.guessing import Door, at_once
from tests.support.processes import free_port
from tests.support.rawstream import RawStream, client_header, plain
from tests.support.shared import shared_site
from tests.support.site import Site, making, started_small_site
from tests.support.waiting import wait_until

PROXY = "127.0.0.3"
HONEST = "127.0.0.8"
PASSWORD = "wonderland"
FREE, MOST = 3, 6
#: Long, so that nothing is forgotten while a test runs.
WINDOW = "1h"
_BY_NETWORK = {"free": FREE, "most": MOST, "window": WINDOW, "pause": WINDOW}
_AGENT = "<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'/>"
_HT = "HT-SHA-256-NONE"


class GuessingCase(unittest.SynchronousTestCase):
    """One xmppd with few free failures, and a Call Bridge."""

    by_account: ClassVar[dict[str, object]] = {"enabled": "no"}
    websocket_port: int

    def setUp(self) -> None:
        self.site = shared_site(type(self), self.make)
        server, bridge = self.site.servers[0], self.site.bridges[0]
        self.server, self.bridge = server, bridge
        self.since = server.process.mark(), bridge.process.mark()
        self.door = Door(server, self.site.ca.certificate_path, self.websocket_port)

    @classmethod
    def make(cls) -> Site:
        cls.websocket_port = free_port("127.0.0.2")
        client = {
            "websocket_listen": f"tcp:{cls.websocket_port}:interface=127.0.0.2",
            "trusted_proxies": PROXY,
            "proxy_protocol": "listen",
        }
        with making(Site()) as site:
            site.server(settings={"client": client, "failed_logins": _BY_NETWORK})
            site.enrol(site.bridge(settings={"failed_logins": cls.by_account}))
            for name in ("alice", "bob", "carol"):
                site.user(name, PASSWORD)
            site.start()
        return site

    def honest(self, user: str = "alice", source: str = HONEST) -> str:
        return self.door.guess(source, user, PASSWORD)

    def found(self) -> Counter[str]:
        """What fail2ban finds in what was logged since the test began."""
        log = self.site.directory / "since"
        log.write_text(self.server.process.text(self.since[0]))
        by_file = fail2ban.found(log)
        self.assertEqual(by_file, fail2ban.found_in_journal(log))
        return by_file

    def paused(self) -> list[str]:
        return [one["network"] for one in self.server.status()["paused_networks"]]

    def looked_at(self) -> int:
        """How many wrong passwords the user backend was asked about."""
        return self.bridge.process.text(self.since[1]).count(": not-authorized")

    def while_honest_log_in(self, attack: list[partial[str]]) -> tuple[Counter[str], Counter[str]]:
        """The outcomes of an attack, and of honest logins from elsewhere in the meantime."""
        over = threading.Event()
        logged_in: Counter[str] = Counter()

        def keep_logging_in() -> None:
            while not over.is_set():
                logged_in[self.honest("bob")] += 1

        honest = threading.Thread(target=keep_logging_in)
        honest.start()
        try:
            return at_once(attack), logged_in
        finally:
            over.set()
            honest.join()
            logged_in[self.honest("carol")] += 1


class NetworkTests(GuessingCase):
    """What `xmppd` does, by network."""

    def test_one_address(self) -> None:
        """Parallel guesses from one address: a few are looked at, and nobody else notices."""
        source = "127.0.1.1"
        attack = [partial(self.door.guess, source, "alice", f"guess{n}") for n in range(60)]
        guessed, honest = self.while_honest_log_in(attack)
        self.assertEqual(set(guessed), {"not-authorized", "temporary-auth-failure"})
        # On a machine that is so busy that logins take seconds, some more are let through.
        looked_at = self.looked_at()
        self.assertTrue(MOST <= looked_at <= 30, guessed)
        self.assertEqual(guessed["not-authorized"], looked_at)
        self.assertEqual(set(honest), {"success"})
        self.assertEqual(self.found(), {source: looked_at})

        stream = self.door.stream(source)
        self.addCleanup(stream.close)
        stream.send(plain("alice", PASSWORD))
        answer = stream.read_until("</failure>")
        self.assertIn(b"<temporary-auth-failure/>", answer)
        self.assertIn(b"<text>too many logins from your network have failed", answer)
        self.assertEqual(stream.stream_error(), "policy-violation")
        self.assertIn(b"try again in 60 minutes", stream.seen)

        self.assertIn(source, self.paused())
        shown = self.server.command("status").stdout
        self.assertIn(f"{source} may not log in by password for", shown)
        self.assertIn(source, self.server.command("paused").stdout)
        self.assertIn("may log in again", self.server.command("unpause", source).stdout)
        self.assertEqual(self.honest(source=source), "success")
        self.assertNotIn(source, self.paused())

    def test_one_after_the_other(self) -> None:
        """Above what is free, each guess waits until the one before it is some time over."""
        source = "127.0.1.2"
        for _ in range(FREE + 1):
            self.assertEqual(self.door.guess(source, "alice", "wrong"), "not-authorized")
        stream = self.door.stream(source)
        self.addCleanup(stream.close)
        stream.send(plain("alice", PASSWORD))
        self.assertEqual(self.honest(), "success")
        stream.read_until("<success")
        self.server.process.wait_for(f"alice@example.com from {source} is in by", self.since[0])

    def test_many_addresses(self) -> None:
        """Each IPv4 address and each IPv6 /64 counts by itself, behind proxies, too."""
        names = ("alice", "bob", "carol", "nobody")
        v4 = [f"127.0.2.{n}" for n in range(1, 5)]
        attack = [
            partial(self.door.guess, source, names[n % 4], f"guess{n}")
            for source in v4
            for n in range(2 * MOST)
        ]
        attack += [
            partial(
                self.door.guess, PROXY, names[n % 4], "x",
                f"PROXY TCP6 2001:db8:0:{n % 2 + 1}::{n:x} 2001:db8::1 9 5222\r\n",
            )
            for n in range(4 * MOST)
        ]  # fmt: skip
        by_websocket = partial(self.door.guess_by_websocket, PROXY)
        attack += [
            partial(by_websocket, f"2001:db8:0:{n % 2 + 3}::{n:x}", "bob", "x")
            for n in range(4 * MOST)
        ]
        guessed, honest = self.while_honest_log_in(attack)
        self.assertEqual(set(honest), {"success"})
        looked_at = self.looked_at()
        self.assertEqual(guessed["not-authorized"], looked_at)
        found = self.found()
        self.assertEqual(found.total(), looked_at)
        networks: Counter[str] = Counter()
        for address, count in found.items():
            networks[network_of(address)] += count
        self.assertEqual(set(networks), {*v4, *(f"2001:db8:0:{n}::/64" for n in range(1, 5))})
        self.assertTrue(all(FREE <= count < 2 * MOST for count in networks.values()), networks)
        # The proxy goes on for everybody else.
        self.assertEqual(
            self.door.guess_by_websocket(PROXY, "2001:db8:0:9::1", "bob", PASSWORD), "success"
        )

    def test_silent_proxy(self) -> None:
        """A trusted proxy that does not say for whom it asks is neither logged nor paused."""
        for number in range(2 * MOST):
            forwarded = None if number % 2 else "unknown"
            said = self.door.guess_by_websocket(PROXY, forwarded, "alice", "wrong")
            self.assertEqual(said, "not-authorized")
        self.assertEqual(self.found(), {})
        self.assertEqual(self.door.guess_by_websocket(PROXY, None, "alice", PASSWORD), "success")

    def test_token(self) -> None:
        """Behind the address of somebody who guesses, a client with a token gets in."""
        source = "127.0.3.1"
        wish = f"<request-token xmlns='urn:xmpp:fast:0' mechanism='{_HT}'/>"
        message = base64.b64encode(f"\0alice\0{PASSWORD}".encode()).decode()
        stream = self.door.stream(source)
        self.addCleanup(stream.close)
        stream.send(_authenticate("PLAIN", message, wish))
        token = re.search(b"token='([^']+)'", stream.read_until("</success>"))
        assert token
        at_once(partial(self.door.guess, source, "alice", "wrong") for _ in range(2 * MOST))
        self.assertEqual(self.honest("bob", source), "temporary-auth-failure")
        proof = hmac.digest(token[1], b"Initiator", hashlib.sha256)
        stream = self.door.stream(source)
        self.addCleanup(stream.close)
        answer = base64.b64encode(b"alice\0" + proof).decode()
        stream.send(_authenticate(_HT, answer, "<fast xmlns='urn:xmpp:fast:0'/>"))
        stream.read_until("<success")

    def test_forged_lines(self) -> None:
        """Nothing that a client says looks like a failed login of somebody else's."""
        line = "info [login-refused] failed login from 1.2.3.4 by PLAIN: no"
        whole = f"2026-11-25T04:16:00.123+00:00 {line}"
        source = "127.0.3.2"
        forgeries = [f"{newline}{text}" for newline in "\n\r\u2028\x85" for text in (line, whole)]
        for forgery in (line, whole, *forgeries):
            self.door.guess(source, forgery, forgery)
            self.server.command("unpause", source)
        shown = line.replace("<", "")
        for header in (
            client_header(whole),
            client_header("example.com").replace(
                "version=", f"from='a@example.com/&#10;{shown}' version="
            ),
            f"<{shown}>",
            f"PROXY TCP4 {whole}\r\n",
        ):
            stream = RawStream(self.server.address, self.server.client_port, source=source)
            self.addCleanup(stream.close)
            stream.send(header + "&#10;" + shown)
            stream.send("</stream:stream>")
            stream.read_to_end()
        for auth in (
            f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN&#10;{whole}'/>",
            plain("alice", PASSWORD),
        ):
            stream = self.door.stream(source)
            self.addCleanup(stream.close)
            stream.send(auth)
            stream.read_until("</failure>|<success[^>]*/>")
        stream.send(client_header())
        stream.read_until("</stream:features>")
        stream.send(
            "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
            f"<resource>{whole}</resource></bind></iq>"
        )
        stream.read_until("</iq>")
        stream.send("<x xmlns='urn:x'/>")
        stream.read_to_end()
        for forwarded in (f"1.2.3.4, {whole}", whole):
            self.door.guess_by_websocket(PROXY, forwarded, "alice", "wrong")
        log = self.server.process.text(self.since[0])
        self.assertIn("1.2.3.4", log, "no forgery got into the log at all")
        self.assertEqual(set(self.found()), {source})


class AccountTests(GuessingCase):
    """What both do together where one account is guessed at from many addresses."""

    by_account: ClassVar[dict[str, object]] = {
        "free": 2,
        "most": 9,
        "window": WINDOW,
        "pause": WINDOW,
    }

    def test_one_account(self) -> None:
        """From many addresses together few guesses are looked at; the owner gets in at home."""
        self.assertEqual(self.honest("alice"), "success")
        attack = [
            partial(self.door.guess, f"127.0.4.{n}", "alice", f"guess{n}") for n in range(1, 41)
        ]
        guessed, honest = self.while_honest_log_in(attack)
        self.assertEqual(guessed["not-authorized"], self.looked_at())
        self.assertLessEqual(self.looked_at(), 20)
        self.assertEqual(set(honest), {"success"})
        self.assertEqual(self.honest("alice"), "success")
        self.assertEqual(self.found().total(), self.looked_at())


class JailTests(unittest.SynchronousTestCase):
    """The jail that comes with it."""

    def test_jail(self) -> None:
        """fail2ban takes it: it reads the journal of the unit, and bans before xmppd pauses."""
        made = fail2ban.jail(Path(self.mktemp()))
        self.assertIn("['add', 'xmppd', 'systemd']", made)
        matches = "'_SYSTEMD_UNIT=xmppd.service', 'XMPP_EVENT=login-refused'"
        self.assertIn(f"['set', 'xmppd', 'addjournalmatch', {matches}]", made)
        self.assertIn("['set', 'xmppd', 'maxretry', 40]", made)
        self.assertIn("['start', 'xmppd']", made)


class LimitTests(unittest.SynchronousTestCase):
    """Connections that have logged in."""

    def test_one_address(self) -> None:
        """One address has as many connections as are allowed, and others get in meanwhile."""
        site = started_small_site(settings={"limits": {"max_connections_per_address": 3}})
        self.addCleanup(site.close)
        door = Door(site.servers[0], site.ca.certificate_path)
        held = []
        for _ in range(3):
            stream = door.stream("127.0.5.1")
            self.addCleanup(stream.close)
            stream.send(plain("alice", PASSWORD))
            stream.read_until("<success")
            held.append(stream)
        more = RawStream(site.servers[0].address, site.servers[0].client_port, source="127.0.5.1")
        self.addCleanup(more.close)
        self.assertEqual(more.read_to_end(), b"")
        self.assertEqual(door.guess("127.0.5.2", "alice", PASSWORD), "success")
        self.assertIn("max_connections_per_address", site.servers[0].process.text())
        held.pop().close()

        def less() -> bool:
            return bool(site.servers[0].status()["connections"] <= 2)

        wait_until("a connection is gone", less)
        self.assertEqual(door.guess("127.0.5.1", "alice", PASSWORD), "success")


def _authenticate(mechanism: str, message: str, more: str) -> str:
    return (
        f"<authenticate xmlns='urn:xmpp:sasl:2' mechanism='{mechanism}'>"
        f"<initial-response>{message}</initial-response>{_AGENT}{more}</authenticate>"
    )
