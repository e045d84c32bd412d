"""Tests for `xmppd.failed_logins`, and for what clients see of it."""

from __future__ import annotations

from ipaddress import ip_network

from twisted.logger import LogLevel, capturedLogs, eventAsText, formatEvent
from twisted.words.xish.domish import Element

from bridgewire.login import LoginReply
from bridgewire.namespaces import ERRORS, SASL
from bridgewire.sasl import CONDITIONS, sasl_failure, sasl_message
from daemonkit.places import Places
from daemonkit.throttle_limits import ThrottleLimits
from tests.support.logged import written
from tests.support.memory import Peer
from tests.xmppd.client_case import AUTH, HERE, ClientCase
from tests.xmppd.test_sasl2 import AGENT, AUTHENTICATE, FAST
from xmppd.failed_logins import COUNTED, FailedLogins
from xmppd.networks import Networks

FREE, MOST, WINDOW, PAUSE = 4, 7, 60.0, 300.0
ELSEWHERE = "192.0.2.8"
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "EXTERNAL", "ANONYMOUS", "HT-SHA-256-NONE")


class FailedLoginsCase(ClientCase):
    """A server that counts failed logins, and people who guess."""

    def setUp(self) -> None:
        super().setUp()
        self.bridge.mechanisms = frozenset(_MECHANISMS)
        self.bridge.capacity = 1000
        self.logins.update(self.bridge)
        self.clients.unauthenticated = Places(0, 0)

    def failed_logins(self) -> FailedLogins:
        limits = ThrottleLimits(free=FREE, most=MOST, window=WINDOW, pause=PAUSE)
        proxies = Networks((ip_network("198.51.100.0/24"),))
        return FailedLogins(self.clock, limits, proxies)

    def guess(self, host: str = HERE) -> str:
        """Try a wrong password, wait for the turn, and answer what came back."""
        peer = self.offered(host)
        asked = len(self.bridge.asked)
        answer = peer.type(AUTH)
        while not answer and len(self.bridge.asked) == asked:
            self.clock.advance(0.5)
        if len(self.bridge.asked) > asked:
            self.bridge.reply("failure")
        return answer + peer.read()

    def guess_often(self, count: int, host: str = HERE) -> None:
        for _ in range(count):
            self.assertIn("<not-authorized", self.guess(host))

    def succeeds(self, peer: Peer, text: str = AUTH) -> bool:
        """Whether a right password lets in, at once."""
        asked = len(self.bridge.asked)
        answer = peer.type(text)
        if len(self.bridge.asked) > asked:
            self.bridge.reply("success", "alice")
        return "<success" in answer + peer.read()


class NetworkTests(FailedLoginsCase):
    """What clients of one network see when logins from there fail."""

    def test_slow(self) -> None:
        """After some failures a login waits before it is relayed, with the right password, too."""
        self.guess_often(FREE + 1)
        peer = self.offered(HERE)
        asked = len(self.bridge.asked)
        peer.type(AUTH)
        self.clock.advance(0.9)
        self.assertEqual((len(self.bridge.asked), self.logins.waiting), (asked, 0))
        self.clock.advance(0.1)
        self.bridge.reply("success", "alice")
        self.assertIn("<success", peer.read())

    def test_paused(self) -> None:
        """After many, it fails for now, at once, and the stream ends and says for how long."""
        self.guess_often(MOST)
        asked = len(self.bridge.asked)
        peer = self.offered(HERE)
        answer = peer.type(AUTH)
        text = "too many logins from your network have failed, try again in 5 minutes"
        self.assertIn(
            f"<failure xmlns='{SASL}'><temporary-auth-failure/>"
            f"<policy xmlns='{ERRORS}'/><text>{text}</text></failure>",
            answer,
        )
        self.assert_ended(peer, answer, "policy-violation")
        self.assertEqual(answer.count(text), 2)
        self.assertEqual(len(self.bridge.asked), asked)
        self.clock.advance(PAUSE)
        self.assertTrue(self.succeeds(self.offered(HERE)))

    def test_sasl2(self) -> None:
        """The same in SASL2."""
        self.guess_often(MOST)
        answer = self.offered(HERE).type(AUTHENTICATE.format("PLAIN", ""))
        self.assertIn("<failure xmlns='urn:xmpp:sasl:2'><temporary-auth-failure", answer)
        self.assertIn(f"<policy xmlns='{ERRORS}'/>", answer)
        self.assertIn("try again in 5 minutes", answer)

    def test_others(self) -> None:
        """Other networks notice nothing; addresses of one /64 are one network."""
        self.guess_often(MOST)
        self.assertTrue(self.succeeds(self.offered(ELSEWHERE)))
        for number in range(MOST):
            self.guess_often(1, f"2001:db8::{number}")
        self.assertFalse(self.succeeds(self.offered("2001:db8::ffff")))
        self.assertTrue(self.succeeds(self.offered("2001:db8:0:1::1")))

    def test_many_connections(self) -> None:
        """Many connections at once get no more guesses than one after the other."""
        peers = [self.offered(HERE) for _ in range(100)]
        for peer in peers:
            peer.type(AUTH)
        self.assertEqual(len(self.bridge.asked), MOST)
        for request, waiting in list(self.bridge.asked):
            waiting.callback(LoginReply(request.session, sasl_failure("not-authorized")))
        self.assertEqual(len(self.bridge.asked), MOST)
        answers = [peer.read() for peer in peers]
        self.assertEqual(sum("not-authorized" in one for one in answers), MOST)
        self.assertEqual(sum("try again in" in one for one in answers), 100 - MOST)

    def test_open_exchanges(self) -> None:
        """Nor do exchanges that are left open, to be ended all at once."""
        peers = [self.offered(HERE) for _ in range(30)]
        for _ in range(3):
            for peer in peers:
                if peer.transport.disconnecting:
                    continue
                peer.type(AUTH.replace("PLAIN", "SCRAM-SHA-256"))
                for request, waiting in self.bridge.asked:
                    if not waiting.called:
                        waiting.callback(LoginReply(request.session, sasl_message("challenge")))
            peers = [self.offered(HERE) for _ in range(10)]
            self.clock.advance(1.0)
        begun = {request.session for request, _ in self.bridge.asked}
        self.assertEqual(len(begun), MOST)

    def test_login_timeout(self) -> None:
        """A wait does not hold a place for longer than the login timeout."""
        self.guess_often(FREE + 1)
        peer = self.offered(HERE)
        self.clock.advance(29.5)
        self.guess_often(1)
        peer.type(AUTH)
        self.clock.advance(0.5)
        self.assert_ended(peer, peer.read(), "connection-timeout")
        peer.lose()
        self.assertEqual(len(self.clients.failed_logins._throttle._lanes), 0)

    def test_gone_while_waiting(self) -> None:
        """Who goes while waiting is not relayed, and leaves nothing behind."""
        self.guess_often(FREE + 1)
        asked = len(self.bridge.asked)
        for way in ("lose", "</stream:stream>", AUTH):
            peer = self.offered(HERE)
            peer.type(AUTH)
            if way == "lose":
                peer.lose()
            else:
                peer.type(way)
                peer.lose()
        for one in list(self.clients.open):
            one.stream.connectionLost()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(len(self.bridge.asked), asked)

    def test_tokens(self) -> None:
        """What cannot be guessed goes on in a pause: tokens, and guests without a code."""
        self.guess_often(MOST)
        token = AUTHENTICATE.format("HT-SHA-256-NONE", AGENT + FAST)
        self.assertTrue(self.succeeds(self.offered(HERE), token))
        self.assertTrue(self.succeeds(self.offered(HERE), AUTH.replace("PLAIN", "ANONYMOUS")))
        for _ in range(2 * MOST):
            peer = self.offered(ELSEWHERE)
            peer.type(token)
            self.bridge.reply("failure")
            self.assertIn("<not-authorized", peer.read())
        self.assertTrue(self.succeeds(self.offered(ELSEWHERE)))

    def test_what_counts(self) -> None:
        """A login counts if somebody has looked; not if nobody could, nor if it made no sense."""
        for condition in CONDITIONS:
            host = f"203.0.113.{sorted(CONDITIONS).index(condition)}"
            peer = self.offered(host)
            peer.type(AUTH)
            request, waiting = self.bridge.asked[-1]
            waiting.callback(LoginReply(request.session, sasl_failure(condition)))
            level = self.clients.failed_logins._throttle.level(host)
            self.assertEqual(level, float(condition in COUNTED), condition)

    def test_forgiven(self) -> None:
        """An operator can let a network in."""
        self.guess_often(MOST)
        failed = self.clients.failed_logins
        self.assertEqual(failed.pauses(), [(HERE, PAUSE)])
        self.assertTrue(failed.forgive(HERE))
        self.assertEqual(failed.pauses(), [])
        self.assertTrue(self.succeeds(self.offered(HERE)))

    def test_not_counted(self) -> None:
        """A proxy's own address, an unlimited one, and none at all are never counted."""
        for host in ("198.51.100.9", "::ffff:198.51.100.9", ""):
            with capturedLogs() as events:
                self.guess_often(2 * MOST, host)
            self.assertEqual([one for one in map(formatEvent, events) if "failed" in one], [])
        self.assertEqual(self.clients.failed_logins.pauses(), [])


class OffTests(FailedLoginsCase):
    """A server that is told not to count."""

    def failed_logins(self) -> FailedLogins:
        return FailedLogins(self.clock)

    def test_off(self) -> None:
        """Nobody is slowed down."""
        self.guess_often(100)
        self.assertTrue(self.succeeds(self.offered(HERE)))
        self.assertEqual(self.clients.failed_logins.pauses(), [])
        self.assertFalse(self.clients.failed_logins.forgive(HERE))


class LogTests(FailedLoginsCase):
    """What operators and fail2ban read."""

    def test_lines(self) -> None:
        """Each failure is one line, the pause one, and refusals one a minute."""
        with written(self.clock) as lines:
            self.guess_often(MOST)
            for _ in range(100):
                self.offered(HERE).type(AUTH)
        said = [(one.level, one.text) for one in lines if "failed" in one.text]
        failed = (LogLevel.info, "failed login from 192.0.2.7 by PLAIN: not-authorized")
        self.assertEqual(said[:MOST], [failed] * MOST)
        level, text = said[MOST]
        self.assertEqual(level, LogLevel.warn)
        self.assertIn("logins by password from 192.0.2.7 are refused for 5m 0s", text)
        self.assertIn("`xmppctl unpause 192.0.2.7`", text)
        [(_, text)] = said[MOST + 1 :]
        self.assertIn("from 192.0.2.7 was refused, policy", text)

    def test_bounded(self) -> None:
        """However often somebody tries, the lines are few."""
        with capturedLogs() as events:
            for _ in range(300):
                self.offered(HERE).type(AUTH)
                for request, waiting in self.bridge.asked:
                    if not waiting.called:
                        waiting.callback(
                            LoginReply(request.session, sasl_failure("not-authorized"))
                        )
                self.clock.advance(1.0)
        lines = [one for one in map(eventAsText, events) if "failed login" in one]
        self.assertLessEqual(len(lines), MOST + FREE * 300 / WINDOW + 1)

    def test_scope(self) -> None:
        """An address of one link only is logged without the name of the interface."""
        with capturedLogs() as events:
            self.guess_often(1, "fe80::1%eth0")
        self.assertIn(
            "failed login from fe80::1 by PLAIN: not-authorized", list(map(formatEvent, events))
        )

    def test_nothing_of_the_peer(self) -> None:
        """Nothing that a peer says gets into the line."""
        evil = "\nfailed login from 1.2.3.4 by PLAIN: not-authorized"
        with capturedLogs() as events:
            peer = self.offered(HERE)
            peer.type(f"<auth xmlns='{SASL}' mechanism='PLAIN&#10;{evil}'>AA==</auth>")
            peer.type(AUTH)
            request, waiting = self.bridge.asked[-1]
            failure = sasl_failure("not-authorized", evil)
            failure.addChild(Element((SASL, "text")))
            waiting.callback(LoginReply(request.session, failure))
        lines = [formatEvent(one) for one in events]
        self.assertIn("failed login from 192.0.2.7 by PLAIN: not-authorized", lines)
        self.assertEqual(
            [one for one in lines if one.startswith(("\n", "failed login from 1."))], []
        )
