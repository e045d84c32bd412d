"""Tests for a component's stream: `xmppd.components.stream` and `.admission`."""

from __future__ import annotations

import re

from twisted.words.xish.domish import Element

from bridgewire.handshake import component_digest, digests_match
from daemonkit.files import mark
from tests.support.names import KnownNames
from tests.xmppd.component_case import ComponentCase
from xmppd.components import admission
from xmppd.components.admission import Admission
from xmppd.components.connected import MAX_UNREGISTERED


class ComponentTests(ComponentCase):
    """What a component sees."""

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

    def test_stanzas_are_routed(self) -> None:
        """A stanza from within its domain is routed."""
        peer = self.registered()
        peer.type("<message from='x@cb1.example.com/y' to='user@example.com'/>")
        self.assertEqual([one["to"] for one in self.routed], ["user@example.com"])

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
