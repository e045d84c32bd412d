"""Tests for a component's stream: `xmppd.components`."""

from __future__ import annotations

import re

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from twisted.words.xish.domish import Element

from bridgewire.handshake import component_digest, digests_match
from bridgewire.namespaces import COMPONENT
from bridgewire.session_end import EndSessions, SessionEnded
from daemonkit.files import mark
from tests.support.memory import Peer
from tests.support.names import KnownNames
from xmppd.components import admission
from xmppd.components.admission import Admission
from xmppd.components.callbridge import TELL_TIMEOUT
from xmppd.components.connected import MAX_UNREGISTERED, Components
from xmppd.components.stream import Times

SECRETS = {"cb1": "s3cret", "echo": "other"}
#: The Call Bridges of example.org.
OTHERS = {"cb1": "an0ther"}


class ComponentTests(SynchronousTestCase):
    """What a component sees."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.names = KnownNames({"example.com": SECRETS, "example.org": OTHERS})
        self.routed: list[Element] = []
        self.changed: list[tuple[str, str]] = []
        self.ended: list[tuple[str, EndSessions]] = []
        self.used: list[tuple[str, str, bytes]] = []
        self.components = Components(
            self.clock,
            Admission(["example.com", "example.org"], self.names, self.clock.seconds),
            Times(registration_timeout=5.0, ping_interval=15.0, ping_timeout=5.0),
            route=self.routed.append,
            changed=lambda domain, bridge: self.changed.append((domain, bridge.host)),
            end_sessions=self.end_sessions,
            secret_used=lambda domain, name, used: self.used.append((domain, name, used)),
        )

    def end_sessions(self, domain: str, order: EndSessions) -> int:
        self.ended.append((domain, order))
        return 2

    def connect(self) -> Peer:
        stream = self.components.accept("192.0.2.7")
        assert stream is not None
        return Peer(stream, COMPONENT)

    def prove(
        self,
        peer: Peer,
        name: str = "cb1",
        secret: str | None = None,
        domain: str = "example.com",
        more: str = "",
    ) -> str:
        """Open the stream, send the handshake and answer what comes back for it."""
        header = peer.open(f"{name}.{domain}")
        found = re.search("id='([^']+)'", header)
        assert found is not None, header
        digest = component_digest(found[1], secret or SECRETS[name])
        return peer.type(f"<handshake{more}>{digest}</handshake>")

    def serving(self, name: str = "cb1", domain: str = "example.com") -> Peer:
        """A registered component that answers logins."""
        peer = self.connect()
        known = (SECRETS if domain == "example.com" else OTHERS)[name]
        self.assertEqual(self.prove(peer, name, known, domain), "<handshake/>")
        answer = peer.type(
            f"<iq type='set' id='1' from='{name}.{domain}' to='{domain}'>"
            "<serve xmlns='urn:x-callbridge:login:1' capacity='20'>"
            "<mechanism>PLAIN</mechanism></serve></iq>"
        )
        self.assertIn("type='result'", answer)
        return peer

    def registered(self, name: str = "cb1") -> Peer:
        peer = self.connect()
        self.assertEqual(self.prove(peer, name), "<handshake/>")
        return peer

    def assert_ended(self, peer: Peer, answer: str, condition: str) -> None:
        self.assertIn(f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'", answer)
        self.assertTrue(answer.endswith("</stream:stream>"), answer)
        self.assertTrue(peer.hung_up)

    def test_registers(self) -> None:
        """Who knows the secret is in."""
        self.registered()
        self.assertIn("cb1.example.com", self.components.registered)

    def test_upper_case_digest(self) -> None:
        """A digest in upper case counts too: some libraries send it so."""
        peer = self.connect()
        found = re.search("id='([^']+)'", peer.open("cb1.example.com"))
        assert found is not None
        digest = component_digest(found[1], "s3cret").upper()
        self.assertEqual(peer.type(f"<handshake>{digest}</handshake>"), "<handshake/>")

    def test_secret_of_a_join_file(self) -> None:
        """A secret that was given out in a join file comes in time once, and is good ever after."""
        self.names.expires["example.com", "cb1"] = 3600
        self.clock.advance(3600)
        peer = self.connect()
        self.assertEqual(self.prove(peer), "<handshake/>")
        self.assertEqual(self.names.expires, {})

    def test_expired_secret(self) -> None:
        """A secret that comes for the first time after its join file's end is refused, and why."""
        self.names.expires["example.com", "cb1"] = 3600
        self.clock.advance(3601)
        answer = self.prove(peer := self.connect())
        self.assert_ended(peer, answer, "not-authorized")
        self.assertIn("<secret-expired xmlns='urn:x-callbridge:errors:1'/>", answer)
        self.assertIn("good until 1970-01-01 01:00 UTC", answer)
        # Who does not know the secret does not learn that it has expired.
        answer = self.prove(self.connect(), secret="wrong")
        self.assertNotIn("expired", answer)

    def test_wrong_secret(self) -> None:
        """Who does not know it is told so, and hung up on."""
        peer = self.connect()
        self.assert_ended(peer, self.prove(peer, secret="guess"), "not-authorized")
        self.assertEqual(self.components.registered, {})

    def test_header_faults(self) -> None:
        """A header that names nobody we know, or another protocol, ends the stream at once."""
        for to, condition in (
            ("nobody.example.com", "host-unknown"),
            ("cb1.example.net", "host-unknown"),
            ("cb1", "host-unknown"),
            ("a.cb1.example.com", "host-unknown"),
            (None, "improper-addressing"),
        ):
            peer = self.connect()
            self.assert_ended(peer, peer.open(to), condition)
        peer = self.connect()
        peer.namespace = "jabber:client"
        self.assert_ended(peer, peer.open("cb1.example.com"), "invalid-namespace")

    def test_stanza_before_handshake(self) -> None:
        """Nothing but the handshake is taken before registration."""
        peer = self.connect()
        peer.open("cb1.example.com")
        answer = peer.type("<message from='cb1.example.com' to='example.com'/>")
        self.assert_ended(peer, answer, "not-authorized")
        self.assertEqual(self.routed, [])

    def test_silent(self) -> None:
        """Who does not register in time is told so."""
        for prepare in (lambda peer: None, lambda peer: peer.open("cb1.example.com")):
            peer = self.connect()
            prepare(peer)
            peer.read()
            self.clock.advance(5)
            self.assertIn("connection-timeout", peer.read())
            self.assertTrue(peer.hung_up)

    def test_foreign_sender(self) -> None:
        """A stanza from outside the component's domain ends the stream."""
        for sender in ("echo.example.com", "example.com", "not@a@jid", ""):
            peer = self.registered()
            answer = peer.type(f"<message from='{sender}' to='user@example.com'/>")
            self.assert_ended(peer, answer, "invalid-from")
            self.assertNotIn("cb1.example.com", self.components.registered)
        self.assertEqual(self.routed, [])

    def test_no_stanza(self) -> None:
        """What is no stanza is not passed on: it could end the stream of whoever gets it."""
        for text in (
            "<message xmlns='urn:x' from='cb1.example.com' to='echo.example.com'/>",
            "<handshake from='cb1.example.com' to='echo.example.com'/>",
        ):
            peer = self.registered()
            self.assert_ended(peer, peer.type(text), "unsupported-stanza-type")
        peer = self.registered()
        error = "<stream:error to='echo.example.com'><conflict xmlns='{}'/></stream:error>"
        peer.type(error.format("urn:ietf:params:xml:ns:xmpp-streams"))
        self.assertTrue(peer.hung_up)
        self.assertEqual((self.components.registered, self.routed), ({}, []))

    def test_second_handshake(self) -> None:
        """Whoever waits to know whether the older link lives has nothing more to prove."""
        self.registered()
        newer = self.connect()
        self.assertEqual(self.prove(newer), "")
        self.assert_ended(newer, newer.type("<handshake>x</handshake>"), "not-authorized")

    def test_removed_while_another_waits(self) -> None:
        """A name that is removed does not go to a link that waited for the older one's end."""
        older = self.registered()
        newer = self.connect()
        self.prove(newer)
        self.components.dismiss("cb1.example.com", "removed")
        self.assertEqual(self.components.registered, {})
        self.assertTrue(older.hung_up)
        self.assertTrue(newer.hung_up)

    def test_stanzas_are_routed(self) -> None:
        """A stanza from within its domain is routed."""
        peer = self.registered()
        peer.type("<message from='x@cb1.example.com/y' to='user@example.com'/>")
        self.assertEqual([one["to"] for one in self.routed], ["user@example.com"])

    def test_conflict_with_the_living(self) -> None:
        """While the older link answers, a newer one is refused and the older one stays."""
        older = self.registered()
        newer = self.connect()
        self.assertEqual(self.prove(newer), "")
        ping = older.read()
        self.assertIn("urn:xmpp:ping", ping)
        found = re.search("id='([^']+)'", ping)
        assert found is not None
        older.type(f"<iq type='result' id='{found[1]}' from='cb1.example.com' to='example.com'/>")
        self.assert_ended(newer, newer.read(), "conflict")
        self.assertFalse(older.hung_up)

    def test_conflict_with_a_ghost(self) -> None:
        """An older link that does not answer makes room for the newer one."""
        older = self.registered()
        newer = self.connect()
        self.prove(newer)
        self.clock.advance(5)
        self.assertEqual(newer.read(), "<handshake/>")
        self.assertTrue(older.hung_up)
        self.assertEqual(list(self.components.registered), ["cb1.example.com"])
        older.lose()
        self.assertEqual(list(self.components.registered), ["cb1.example.com"])

    def test_older_goes_while_asked(self) -> None:
        """An older link that is lost while it is asked makes room at once."""
        older = self.registered()
        newer = self.connect()
        self.prove(newer)
        older.lose()
        self.assertEqual(newer.read(), "<handshake/>")
        self.assertEqual(list(self.components.registered), ["cb1.example.com"])

    def test_two_newer_links_and_a_ghost(self) -> None:
        """Of two that wait for a ghost's end, the first is in; the second finds it alive."""
        self.registered()
        first, second = self.connect(), self.connect()
        self.prove(first)
        self.prove(second)
        self.clock.advance(5)
        answer = first.read()
        self.assertTrue(answer.startswith("<handshake/>"))
        found = re.search("id='([^']+)'", answer)  # the second one's question
        assert found is not None
        first.type(f"<iq type='result' id='{found[1]}' from='cb1.example.com' to='example.com'/>")
        self.assert_ended(second, second.read(), "conflict")
        self.assertFalse(first.hung_up)

    def test_either_secret(self) -> None:
        """While a secret is rotated both count, and it is said which one let the link in."""
        self.names.next["example.com", "cb1"] = "n3w"
        for secret in ("s3cret", "n3w"):
            peer = self.connect()
            self.assertEqual(self.prove(peer, secret=secret), "<handshake/>")
            self.assertEqual(self.used[-1], ("example.com", "cb1", mark(secret.encode())))
            peer.lose()
        peer = self.connect()
        self.assert_ended(peer, self.prove(peer, secret="neither"), "not-authorized")
        self.assertEqual(len(self.used), 2)

    def test_no_oracle(self) -> None:
        """Whatever is known of a name, a digest is compared twice, and refused in one way."""
        compared: list[str] = []

        def compare(offered: str, expected: str) -> bool:
            compared.append(expected)
            return digests_match(offered, expected)

        self.patch(admission, "digests_match", compare)
        rules = self.components.admission
        said = set()
        for following in (None, "n3w"):
            if following:
                self.names.next["example.com", "cb1"] = following
            for name, secret in (("cb1", "wrong"), ("nobody", "wrong"), ("cb1", "s3cret")):
                digest = component_digest("id", secret)
                compared.clear()
                try:
                    rules.check_digest("example.com", name, "id", digest)
                except admission.Refused as refused:
                    said.add(str(refused).replace(name, "NAME"))
                self.assertEqual(len(set(compared)), 2)
        self.assertEqual(len(said), 1)

    def test_refused_newer_link_used_nothing(self) -> None:
        """A secret was not used by a link that is not let in, however right it is."""
        self.registered()
        self.prove(self.connect(), secret="s3cret")
        self.assertEqual(len(self.used), 1)

    def replaceable(self) -> Peer:
        """A Call Bridge's link that a newer one may take the place of."""
        older = self.serving()
        self.offer(older, 20, " successor='t0ken'")
        return older

    def offer(self, peer: Peer, capacity: int, more: str = "") -> None:
        answer = peer.type(
            "<iq type='set' id='2' from='cb1.example.com' to='example.com'>"
            f"<serve xmlns='urn:x-callbridge:login:1' capacity='{capacity}'{more}>"
            "<mechanism>PLAIN</mechanism></serve></iq>"
        )
        self.assertIn("type='result'", answer)

    def test_successor(self) -> None:
        """The link that the older one has announced takes its place; that one goes on as well."""
        older, newer = self.replaceable(), self.connect()
        self.assertEqual(self.prove(newer, more=" successor='t0ken'"), "<handshake/>")
        self.assertFalse(older.hung_up)
        first = self.components.registered["cb1.example.com"]
        self.assertIs(first.stream, newer.stream)
        self.offer(older, 0)  # what is under way there goes on
        self.assertEqual(older.read(), "")
        with capturedLogs() as logged:
            older.lose()
        self.assertIs(self.components.registered["cb1.example.com"], first)
        self.assertEqual([one["log_level"] for one in logged], [LogLevel.info])
        self.assertEqual(self.components.troubles, {})

    def test_successor_that_goes(self) -> None:
        """If the successor goes first, the older link has its place again."""
        older, newer = self.replaceable(), self.connect()
        self.prove(newer, more=" successor='t0ken'")
        newer.lose()
        self.assertIs(self.components.registered["cb1.example.com"].stream, older.stream)
        older.lose()
        self.assertEqual(self.components.registered, {})

    def test_no_successor(self) -> None:
        """Without the right token a newer link stays a rival, also where none was announced."""
        for more in ("", " successor=''", " successor='other'", " successor='t0ke&#xF1;'"):
            older, newer = self.replaceable(), self.connect()
            self.assertEqual(self.prove(newer, more=more), "")
            self.assertIn("urn:xmpp:ping", older.read())
            newer.lose()
            self.offer(older, 20)
            another = self.connect()
            self.assertEqual(self.prove(another, more=" successor=''"), "")
            another.lose()
            older.lose()

    def test_name_removed_while_replaced(self) -> None:
        """If the name is taken out of the registry, both links go."""
        older, newer = self.replaceable(), self.connect()
        self.prove(newer, more=" successor='t0ken'")
        self.assertTrue(self.components.dismiss("cb1.example.com", "removed"))
        self.assertTrue(older.hung_up)
        self.assertTrue(newer.hung_up)
        self.assertEqual(self.components.registered, {})

    def test_silent_link(self) -> None:
        """A registered link that answers no ping is cut after interval and timeout."""
        peer = self.registered()
        self.clock.advance(15)
        self.assertIn("urn:xmpp:ping", peer.read())
        self.clock.advance(5)
        self.assertTrue(peer.transport.aborted)
        self.assertEqual(self.components.registered, {})

    def test_slow_reader(self) -> None:
        """A component that does not keep up is congested first, and given up at the limit."""
        peer = self.registered()
        stream = self.components.registered["cb1.example.com"]
        stanza = Element((None, "message"))
        stanza.addContent("x" * 1024 * 1024)
        for _ in range(20):
            stream.deliver(stanza)
        self.assertFalse(stream.congested or peer.hung_up)
        peer.stream.pauseProducing()
        for _ in range(9):
            stream.deliver(stanza)
        self.assertTrue(stream.congested and not peer.hung_up)
        for _ in range(8):
            stream.deliver(stanza)
        self.assertTrue(peer.hung_up)

    def test_removed_name(self) -> None:
        """A name that is removed loses its link at once."""
        peer = self.registered()
        self.assertTrue(self.components.dismiss("cb1.example.com", "removed"))
        self.assertFalse(self.components.dismiss("cb1.example.com", "removed"))
        self.assert_ended(peer, peer.read(), "not-authorized")

    def test_too_many_unregistered(self) -> None:
        """Connections that do not register are limited in number; registered ones do not count."""
        self.registered()
        peers = [self.connect() for _ in range(MAX_UNREGISTERED // 4)]
        self.assertIsNone(self.components.accept("192.0.2.7"))
        self.assertIsNotNone(self.components.accept("192.0.2.8"))
        peers[0].lose()
        self.assertIsNotNone(self.components.accept("192.0.2.7"))
        self.clock.advance(5)

    def test_offer(self) -> None:
        """An offer to answer logins is acknowledged; a bad one is not, and changes nothing."""
        peer = self.registered()
        serve = (
            "<iq type='set' id='1' from='cb1.example.com' to='example.com'>"
            "<serve xmlns='urn:x-callbridge:login:1' capacity='{}'>"
            "<mechanism>PLAIN</mechanism></serve></iq>"
        )
        self.assertIn("type='result'", peer.type(serve.format(20)))
        bridge = self.components.registered["cb1.example.com"].callbridge
        self.assertEqual((bridge.capacity, bridge.mechanisms), (20, frozenset({"PLAIN"})))
        self.assertIn("bad-request", peer.type(serve.format("many")))
        self.assertEqual(bridge.capacity, 20)
        peer.type(serve.format(0))
        self.assertTrue(bridge.draining)

    def test_shutdown(self) -> None:
        """When the server stops, each component is told."""
        peer = self.registered()
        self.components.close()
        self.assert_ended(peer, peer.read(), "system-shutdown")

    def test_domains(self) -> None:
        """The same name in two domains is two Call Bridges, with a secret each."""
        com, org = self.serving(), self.serving(domain="example.org")
        self.assertEqual(
            self.changed, [("example.com", "cb1.example.com"), ("example.org", "cb1.example.org")]
        )
        self.assertEqual(self.components.of("example.org"), ["cb1.example.org"])
        answer = self.prove(self.connect(), "cb1", "s3cret", "example.org")
        self.assertIn("not-authorized", answer)
        self.components.dismiss("cb1.example.org", "removed")
        self.assertTrue(org.hung_up and not com.hung_up)

    def test_other_domain(self) -> None:
        """A Call Bridge offers nothing to another domain, and is nobody's there."""
        peer = self.registered()
        peer.type(
            "<iq type='set' id='1' from='cb1.example.com' to='example.org'>"
            "<serve xmlns='urn:x-callbridge:login:1' capacity='20'>"
            "<mechanism>PLAIN</mechanism></serve></iq>"
        )
        self.assertEqual(self.changed, [])
        self.assertEqual([one["to"] for one in self.routed], ["example.org"])  # that bounces
        answer = peer.type("<message from='cb1.example.org' to='alice@example.org'/>")
        self.assert_ended(peer, answer, "invalid-from")

    def test_name_that_is_a_domain(self) -> None:
        """No component can have the address of a domain that lies below its own."""
        names = KnownNames({one: {"chat": "s3cret"} for one in ("example.com", "chat.example.com")})
        rules = Admission(["example.com", "chat.example.com"], names)
        self.assertFalse(rules.known("example.com", "chat"))
        self.assertTrue(rules.known("chat.example.com", "chat"))

    def order(self, peer: Peer, attributes: str, to: str = "example.com") -> str:
        return peer.type(
            f"<iq type='set' id='7' from='cb1.example.com' to='{to}'>"
            f"<end-sessions xmlns='urn:x-callbridge:login:1' {attributes}/></iq>"
        )

    def test_end_sessions(self) -> None:
        """A Call Bridge ends sessions of its own domain, and is told how many they were."""
        peer = self.serving()
        answer = self.order(peer, "username='alice' reason='account closed'")
        self.assertIn("type='result'", answer)
        self.assertIn("id='7'", answer)
        self.assertIn("count='2'", answer)
        self.order(peer, "username='alice' resource='phone'")
        self.assertEqual(
            self.ended,
            [
                ("example.com", EndSessions("alice", None, "account closed")),
                ("example.com", EndSessions("alice", "phone")),
            ],
        )

    def test_end_sessions_elsewhere(self) -> None:
        """An order to another domain is none: it is routed, and bounces there."""
        self.order(self.serving(), "username='alice'", "example.org")
        self.assertEqual(self.ended, [])
        self.assertEqual([one["to"] for one in self.routed], ["example.org"])

    def test_end_sessions_of_a_draining_callbridge(self) -> None:
        """One that takes no new logins may still end the sessions that it let in."""
        peer = self.serving()
        peer.type(
            "<iq type='set' id='2' from='cb1.example.com' to='example.com'>"
            "<serve xmlns='urn:x-callbridge:login:1' capacity='0'>"
            "<mechanism>PLAIN</mechanism></serve></iq>"
        )
        self.assertIn("count='2'", self.order(peer, "username='alice'"))

    def test_end_sessions_forbidden(self) -> None:
        """A component that answers no logins ends no sessions."""
        self.assertIn("<forbidden", self.order(self.registered(), "username='alice'"))
        self.assertEqual(self.ended, [])

    def test_end_sessions_unreadable(self) -> None:
        """An order that cannot be read ends nothing, and the link stays."""
        peer = self.serving()
        self.assertIn("<bad-request", self.order(peer, "username=''"))
        self.assertEqual(self.ended, [])
        self.assertFalse(peer.hung_up)

    def test_session_ended(self) -> None:
        """A Call Bridge is told that a session is over, and its answer is not waited for long."""
        peer = self.serving()
        peer.read()
        bridge = self.components.registered["cb1.example.com"].callbridge
        bridge.tell_ended(SessionEnded("4f0c", "guest1"))
        told = peer.read()
        for words in ("type='set'", "to='cb1.example.com'", "session='4f0c'", "username='guest1'"):
            self.assertIn(words, told)
        self.clock.advance(TELL_TIMEOUT)
        self.assertFalse(peer.hung_up)

    def test_session_ended_after_reconnection(self) -> None:
        """Where the Call Bridge has come back since the login, its new link tells it."""
        older = self.serving()
        bridge = self.components.registered["cb1.example.com"].callbridge
        older.lose()
        bridge.tell_ended(SessionEnded("4f0c", "guest1"))  # nobody is there: it is forgotten
        newer = self.registered()
        newer.read()
        bridge.tell_ended(SessionEnded("4f0d", "guest2"))
        self.assertIn("session='4f0d'", newer.read())
