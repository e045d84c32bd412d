"""Tests for `xmppd.clients.session` and `presence`: XEP-0198, XEP-0352, RFC 6121."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

from bridgewire.login import LoginReply
from bridgewire.sasl import sasl_message
from tests.support.memory import Peer
from tests.xmppd.client_case import BIND, ClientCase
from tests.xmppd.test_sasl2 import AUTHENTICATE, BIND2
from xmppd.clients.session import ACK_TIMEOUT

ENABLE = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>"
R = "<r xmlns='urn:xmpp:sm:3'/>"
MESSAGE = "<message to='{}' id='{}'><body>hi</body></message>"


def ack(count: int) -> str:
    return f"<a xmlns='urn:xmpp:sm:3' h='{count}'/>"


class ManagedCase(ClientCase):
    """A client with stream management."""

    def managed(self, user: str = "alice", enable: str = ENABLE) -> tuple[Peer, str]:
        """Answer a session's client and the id to resume it by."""
        peer = self.bound(user)
        answer = peer.type(enable)
        found = re.search("id='([^']+)'", answer)
        return peer, found[1] if found else answer

    def authenticated(self, user: str = "alice") -> Peer:
        peer = self.offered()
        peer.type(AUTHENTICATE.format("PLAIN", ""))
        self.bridge.reply("success", user)
        peer.read()
        return peer

    def resume(self, id_: str, count: int, user: str = "alice") -> tuple[Peer, str]:
        peer = self.authenticated(user)
        return peer, peer.type(f"<resume xmlns='urn:xmpp:sm:3' previd='{id_}' h='{count}'/>")


class ManagementTests(ManagedCase):
    """Acknowledgements and resumption."""

    def test_enabled(self) -> None:
        """A session that can be resumed has an id and a time, one that cannot has none."""
        _, answer = self.bound(), self.bound(resource="b").type(ENABLE)
        self.assertRegex(answer, "<enabled xmlns='urn:xmpp:sm:3' id='[^']{16,}' resume='true' max")
        answer = self.bound().type("<enable xmlns='urn:xmpp:sm:3'/>")
        self.assertEqual(answer, "<enabled xmlns='urn:xmpp:sm:3'/>")

    def test_order(self) -> None:
        """Before a resource is bound, and twice, it is an unexpected request."""
        self.assertIn("<unexpected-request", self.authenticated().type(ENABLE))
        peer, _ = self.managed()
        self.assertIn("<unexpected-request", peer.type(ENABLE))
        self.assertIn("<unexpected-request", self.bound().type(R))
        peer = self.offered()
        self.assert_ended(peer, peer.type(ENABLE), "not-authorized")

    def test_handled(self) -> None:
        """The server counts what it has handled."""
        peer, _ = self.managed()
        peer.type("<presence/><iq type='get' id='1'/><message/>")
        self.assertIn("h='3'", peer.type(R))

    def test_asks(self) -> None:
        """It asks for an acknowledgement of what it sends, once at a time."""
        bob, _ = self.managed("bob")
        alice = self.bound("alice")
        alice.type(MESSAGE.format("bob@example.com/phone", 1))
        self.assertTrue(bob.read().endswith(R))
        alice.type(MESSAGE.format("bob@example.com/phone", 2))
        self.assertNotIn(R, bob.read())
        self.assertEqual(bob.type(ack(1)), R)
        self.assertEqual(bob.type(ack(1)), "", "it has miscounted: asking again helps nobody")
        alice.type(MESSAGE.format("bob@example.com/phone", 3))
        self.assertTrue(bob.read().endswith(R))
        self.assertEqual(bob.type(ack(3)), "")

    def test_too_high(self) -> None:
        """Acknowledging more than was sent ends the stream."""
        peer, _ = self.managed()
        answer = peer.type(ack(1))
        self.assertIn("<handled-count-too-high xmlns='urn:xmpp:sm:3' h='1' send-count='0'", answer)
        self.assert_ended(peer, answer, "undefined-condition")
        peer, _ = self.managed()
        self.assert_ended(peer, peer.type("<a xmlns='urn:xmpp:sm:3' h='x'/>"), "bad-format")

    def test_resumed(self) -> None:
        """A client that comes back gets what it has missed, and nothing twice."""
        bob, id_ = self.managed("bob")
        bob.type("<message type='headline'/>")
        alice = self.bound("alice")
        for number in (1, 2):
            alice.type(MESSAGE.format("bob@example.com/phone", number))
        bob.lose()
        self.assertEqual(len(self.sessions), 2)
        self.assertTrue(self.sessions.of("bob@example.com")[0].away)
        self.assertEqual(alice.type(MESSAGE.format("bob@example.com/phone", 3)), "")
        bob, answer = self.resume(id_, 1, "bob")
        self.assertTrue(answer.startswith(f"<resumed xmlns='urn:xmpp:sm:3' previd='{id_}' h='1'/>"))
        self.assertEqual(re.findall("id='([0-9])'", answer), ["2", "3"])
        self.assertEqual(bob.type(ack(3)), "")
        alice.type(MESSAGE.format("bob@example.com/phone", 4))
        self.assertIn("id='4'", bob.read())
        self.assertFalse(self.sessions.of("bob@example.com")[0].away)

    def test_resumed_in_sasl2(self) -> None:
        """The same in the exchange of the login: no features follow, and no resource is bound."""
        bob, id_ = self.managed("bob")
        bob.lose()
        peer = self.offered()
        resume = f"<resume xmlns='urn:xmpp:sm:3' previd='{id_}' h='0'/>"
        peer.type(AUTHENTICATE.format("PLAIN", resume + BIND2.format("")))
        self.bridge.reply("success", "bob")
        answer = peer.read()
        self.assertIn("<resumed ", answer)
        self.assertIn(">bob@example.com/phone</authorization-identifier>", answer)
        self.assertNotIn("features", answer)
        self.assertNotIn("<bound", answer)
        self.assertIn("bad-request", peer.type("<iq type='get'/>"))

    def test_not_resumed_in_sasl2(self) -> None:
        """Where the session is gone, the login says so and goes on with the resource."""
        peer = self.offered()
        resume = "<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>"
        peer.type(AUTHENTICATE.format("PLAIN", resume + BIND2.format("")))
        self.bridge.reply("success", "bob")
        self.assertRegex(peer.read(), "<failed .*<item-not-found.*<bound.*<stream:features")

    def test_live_connection(self) -> None:
        """A session is taken over also from a connection that is thought to be alive."""
        old, id_ = self.managed()
        new, answer = self.resume(id_, 0)
        self.assertIn("<resumed", answer)
        self.assert_ended(old, old.read(), "conflict")
        old.lose()
        self.assertIn("h='1'", new.type("<message/>" + R))

    def test_no_resumption(self) -> None:
        """Nobody else's session can be resumed, none that is over, and none with a false count."""
        alice, id_ = self.managed()
        alice.lose()
        self.assertIn("<item-not-found", self.resume(id_, 0, "bob")[1])
        peer, answer = self.resume(id_, 7)
        self.assertIn("<bad-request", answer)
        self.assertIn("<jid>alice@example.com", peer.type(BIND.format("")))
        self.clock.advance(300)
        self.assertIn("<item-not-found", self.resume(id_, 0)[1])

    def test_closed(self) -> None:
        """A client that closes its stream is gone, and what it has not got comes back."""
        bob, _ = self.managed("bob")
        alice = self.bound("alice")
        alice.type(MESSAGE.format("bob@example.com/phone", 1))
        bob.type("</stream:stream>")
        self.assertEqual(len(self.sessions), 1)
        self.assertIn("<recipient-unavailable", alice.read())

    def test_never_back(self) -> None:
        """A session waits for its client for so long, and then ends the same way."""
        bob, _ = self.managed("bob")
        bob.lose()
        alice = self.bound("alice")
        alice.type(MESSAGE.format("bob@example.com/phone", 1))
        self.clock.advance(299)
        self.assertEqual(alice.read(), "")
        self.clock.advance(1)
        self.assertIn("<recipient-unavailable", alice.read())
        self.assertEqual((len(self.sessions), self.clients.resumable), (1, {}))

    def test_no_answer(self) -> None:
        """A connection over which no acknowledgement comes is cut, and the session waits."""
        bob, id_ = self.managed("bob")
        self.bound("alice").type(MESSAGE.format("bob@example.com/phone", 1))
        self.clock.advance(ACK_TIMEOUT)
        self.assertTrue(bob.transport.aborted)
        bob.lose()
        self.assertIn("<resumed", self.resume(id_, 0, "bob")[1])

    def test_not_read(self) -> None:
        """A connection that takes nothing any more is cut, and the session waits."""
        bob, id_ = self.managed("bob")
        bob.stream.pauseProducing()
        alice = self.bound("alice")
        text = "x" * 200_000
        for _ in range(2):
            alice.type(f"<message to='bob@example.com/phone'><body>{text}</body></message>")
        bob.stream._limits = replace(bob.stream._limits, unsent_bytes=1000)
        alice.type(MESSAGE.format("bob@example.com/phone", 1))
        self.assertTrue(bob.transport.aborted)
        bob.lose()
        self.assertIn("<resumed", self.resume(id_, 0, "bob")[1])

    def test_too_much(self) -> None:
        """A session that too much waits for ends, and the senders are told."""
        bob, _ = self.managed("bob")
        bob.lose()
        alice = self.bound("alice")
        text = "x" * 200_000
        answers = [
            alice.type(f"<message to='bob@example.com/phone'><body>{text}</body></message>")
            for _ in range(3)
        ]
        self.assertEqual([bool(answer) for answer in answers], [False, False, True])
        self.assertEqual(answers[2].count("<recipient-unavailable"), 3)
        self.assertEqual(len(self.sessions), 1)

    def test_miscounted(self) -> None:
        """A client that is there and miscounts keeps its session, but not its way back."""
        bob, id_ = self.managed("bob")
        alice = self.bound("alice")
        text = "x" * 200_000
        for _ in range(4):
            answer = alice.type(
                f"<message to='bob@example.com/phone'><body>{text}</body></message>"
            )
            self.assertEqual(answer, "")
        self.assertEqual(bob.read().count("<message"), 4)
        self.assertEqual(bob.type(ack(9)), R)
        self.assertIn("<item-not-found", self.resume(id_, 0, "bob")[1])
        bob.lose()
        self.assertEqual(len(self.sessions), 1)

    def test_client_states(self) -> None:
        """What the client says of its user is known."""
        peer = self.bound()
        [session] = self.sessions.all()
        self.assertEqual(peer.type("<inactive xmlns='urn:xmpp:csi:0'/>"), "")
        self.assertFalse(session.info().active)
        peer.type("<active xmlns='urn:xmpp:csi:0'/>")
        self.assertTrue(session.info().active)


class LifeTests(ManagedCase):
    """How many there are, and how they end."""

    def test_too_many(self) -> None:
        """One session more than a user may have is refused, and the client may go on."""
        peers = [self.bound(resource=str(number)) for number in range(10)]
        peer = self.bound(resource="more")
        self.assertIn("<resource-constraint", self.answer)
        peers[0].lose()
        self.assertIn("<jid>", peer.type(BIND.format("")))

    def test_room_of_one_that_is_away(self) -> None:
        """A session whose client is away makes room."""
        first, _ = self.managed()
        for number in range(9):
            self.bound(resource=str(number))
        first.lose()
        self.bound(resource="more")
        self.assertIn("<jid>alice@example.com/more", self.answer)
        self.assertEqual(len(self.sessions), 10)

    def test_ended(self) -> None:
        """An ended session's client is told why."""
        peer = self.bound()
        self.sessions.all()[0].end("policy-violation", "out with you")
        answer = peer.read()
        self.assertIn("out with you", answer)
        self.assert_ended(peer, answer, "policy-violation")
        self.assertEqual(len(self.sessions), 0)

    def guest(self) -> Peer:
        """A client that was let in for an hour, on the stream before its resource is bound."""
        peer = self.offered()
        peer.type(AUTHENTICATE.format("PLAIN", ""))
        request, waiting = self.bridge.asked[-1]
        self.sasl_session = request.session
        reply = LoginReply(
            request.session, sasl_message("success"), "guest1", lifetime=3600.0, report=True
        )
        waiting.callback(reply)
        return peer

    def test_lifetime(self) -> None:
        """Who was let in for a time is out when it is over, and the Call Bridge is told."""
        peer = self.guest()
        peer.type(BIND.format(""))
        self.clock.advance(3600)
        self.assert_ended(peer, peer.read(), "not-authorized")
        [ended] = self.bridge.ended
        self.assertEqual((ended.session, ended.username), (self.sasl_session, "guest1"))

    def test_until(self) -> None:
        """It is known from the beginning when that will be; other sessions have no such time."""
        self.guest().type(BIND.format(""))
        self.bound("alice")
        guest, alice = (self.sessions.of(f"{one}@example.com")[0] for one in ("guest1", "alice"))
        self.assertEqual(guest.info().until, guest.info().since + timedelta(hours=1))
        self.assertIsNone(alice.info().until)

    def test_never_bound(self) -> None:
        """The Call Bridge is told also where no session ever came of it."""
        self.guest().lose()
        self.assertEqual([one.username for one in self.bridge.ended], ["guest1"])

    def test_not_wanted(self) -> None:
        """A Call Bridge that does not want to know is not told."""
        self.bound().lose()
        self.assertEqual(self.bridge.ended, [])

    def test_shutdown(self) -> None:
        """When the server stops, sessions whose clients are away end as well."""
        self.managed()[0].lose()
        self.clients.close()
        self.assertEqual((len(self.sessions), self.clock.getDelayedCalls()), (0, []))


class PresenceTests(ManagedCase):
    """RFC 6121 section 4, as far as there are no rosters."""

    def test_own_sessions(self) -> None:
        """A user's sessions see each other come, change and go."""
        phone, sofa = self.bound(resource="phone"), self.bound(resource="sofa")
        self.assertEqual(phone.type("<presence/>").count("<presence"), 1)
        answer = sofa.type("<presence><show>away</show></presence>")
        self.assertIn("from='alice@example.com/phone'", answer)
        self.assertIn("<show>away</show>", phone.read())
        sofa.type("<presence type='unavailable'/>")
        self.assertIn("type='unavailable'", phone.read())
        sofa.type("<presence/>")
        phone.read()
        sofa.lose()
        self.assertIn("<presence from='alice@example.com/sofa' type='unavailable'/>", phone.read())

    def test_directed(self) -> None:
        """Whoever was told that a session is there is told when it is gone, and only then."""
        alice, bob = self.bound("alice"), self.bound("bob")
        alice.type("<presence to='bob@example.com/phone'/>")
        self.assertIn("<presence", bob.read())
        alice.type("<presence/>")
        self.assertEqual(bob.read(), "")
        alice.lose()
        self.assertRegex(bob.read(), "<presence [^>]*type='unavailable'[^>]*/>")

    def test_taken_back(self) -> None:
        """Who was told that it is gone is not told again."""
        alice, bob = self.bound("alice"), self.bound("bob")
        alice.type("<presence to='bob@example.com/phone'/>")
        alice.type("<presence to='bob@example.com/phone' type='unavailable'/>")
        bob.read()
        alice.lose()
        self.assertEqual(bob.read(), "")

    def test_bounded(self) -> None:
        """Only so many can be told."""
        peer = self.bound()
        answers = [peer.type(f"<presence to='x{n}@example.com/y'/>") for n in range(501)]
        self.assertEqual(set(answers[:500]), {""})
        self.assertIn("<resource-constraint", answers[500])

    def test_away(self) -> None:
        """A session whose client is away keeps its presence."""
        alice, bob = self.managed("alice")[0], self.bound("bob")
        alice.type("<presence/><presence to='bob@example.com/phone'/>")
        bob.read()
        alice.lose()
        self.assertEqual(bob.read(), "")
        self.clock.advance(300)
        self.assertIn("unavailable", bob.read())

    def test_account(self) -> None:
        """The server answers IQs to the user's own bare JID as those to nobody."""
        got = []
        server = type("Server", (), {"deliver": staticmethod(got.append)})
        self.router.server = server
        peer = self.bound()
        for to in ("", "to='alice@example.com'"):
            peer.type(f"<iq type='get' id='1' {to}><query xmlns='jabber:iq:roster'/></iq>")
        self.assertEqual([iq.hasAttribute("to") for iq in got], [False, False])
