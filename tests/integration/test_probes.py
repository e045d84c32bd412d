"""Fifteen probes: what peers that break the rules are told. Raw sockets, a real xmppd."""

from __future__ import annotations

import re

from twisted.trial import unittest

from tests.support.rawstream import (
    RawStream,
    client_header,
    component_digest,
    component_header,
    plain,
)
from tests.support.shared import shared_site
from tests.support.site import Site, started_small_site
from tests.support.waiting import NeverHappened

BIND = "<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
FEATURES = "</stream:features>|<stream:features[^>]*/>"
PING = "<iq type='get' id='p1' to='example.com'><ping xmlns='urn:xmpp:ping'/></iq>"


class ProbeTests(unittest.SynchronousTestCase):
    """One xmppd whose registration timeout is a second, one Call Bridge."""

    def setUp(self) -> None:
        self.site = shared_site(type(self), self.make)
        self.xmppd = self.site.servers[0]
        self.identity = self.site.ca.issue("probe", dns=["cb1.example.com", "probe.example.com"])

    def make(self) -> Site:
        return started_small_site(settings={"component": {"registration_timeout": "1s"}})

    def tearDown(self) -> None:
        """Whatever a probe did, the daemon lives and nothing of it counts as an error of ours."""
        self.assertIsNotNone(self.xmppd.peek(), self.xmppd.process.tail())
        self.assertNotIn("Traceback", self.xmppd.process.text())

    def client(self) -> RawStream:
        """A connection to the client port, before TLS."""
        stream = RawStream(self.xmppd.address, self.xmppd.client_port)
        self.addCleanup(stream.close)
        return stream

    def secured(self) -> RawStream:
        """A connection to the client port, after STARTTLS, before the new stream header."""
        stream = self.client()
        stream.send(client_header())
        stream.read_until(FEATURES)
        stream.send(STARTTLS)
        stream.read_until("<proceed[^>]*/>")
        stream.secure(self.site.ca.certificate_path, "example.com")
        return stream

    def opened(self) -> RawStream:
        """After STARTTLS and the new stream header: where SASL may begin."""
        stream = self.secured()
        stream.send(client_header())
        stream.read_until(FEATURES)
        return stream

    def component(self) -> RawStream:
        """A connection to the component port, after TLS, before the stream header."""
        stream = RawStream(self.xmppd.address, self.xmppd.component_port)
        self.addCleanup(stream.close)
        stream.secure(self.site.ca.certificate_path, "example.com", self.identity)
        return stream

    def assert_ends(self, stream: RawStream, condition: str) -> None:
        """The stream ends with this stream error, and the connection with it."""
        self.assertEqual(stream.stream_error(), condition, stream.seen)

    def everywhere(self) -> list[tuple[RawStream, str]]:
        """Fresh streams of each kind, each with the header that opens it."""
        return [
            (self.client(), client_header()),
            (self.secured(), client_header()),
            (self.component(), component_header("cb1.example.com")),
        ]

    def test_01_doctype(self) -> None:
        """A DOCTYPE, with entities that would expand, is restricted-xml."""
        doctype = "<!DOCTYPE a [<!ENTITY b 'bbbb'><!ENTITY c '&b;&b;&b;&b;'>]>"
        for stream, header in self.everywhere():
            declaration, root = re.fullmatch(r"(<\?.*?\?>)?(.*)", header, re.DOTALL).groups()
            stream.send((declaration or "") + doctype + root)
            self.assert_ends(stream, "restricted-xml")

    def test_02_comment_and_processing_instruction(self) -> None:
        """Comments and processing instructions are restricted-xml."""
        for forbidden in ("<!-- hello -->", "<?php echo 1 ?>"):
            for stream, header in self.everywhere():
                stream.send(header + forbidden)
                self.assert_ends(stream, "restricted-xml")

    def test_03_unknown_to(self) -> None:
        """A stream for a domain that is not ours is host-unknown."""
        stream = self.client()
        stream.send(client_header("example.net"))
        self.assert_ends(stream, "host-unknown")

    def test_04_no_to(self) -> None:
        """A stream for nobody is improper-addressing."""
        stream = self.client()
        stream.send(client_header(None))
        self.assert_ends(stream, "improper-addressing")

    def test_05_wrong_namespace(self) -> None:
        """A wrong default namespace is invalid-namespace."""
        stream = self.client()
        stream.send(client_header(namespace="jabber:server"))
        self.assert_ends(stream, "invalid-namespace")
        stream = self.component()
        stream.send(component_header("cb1.example.com", namespace="jabber:client"))
        self.assert_ends(stream, "invalid-namespace")

    def test_06_long_attribute(self) -> None:
        """An attribute of 100 KB before login is policy-violation."""
        for stream, header in self.everywhere():
            stream.send(f"{header}<iq id='{'a' * 100_000}'/>")
            self.assert_ends(stream, "policy-violation")

    def test_07_long_text(self) -> None:
        """A megabyte of text before login is policy-violation."""
        for stream, header in self.everywhere():
            stream.send(f"{header}<iq>{'a' * 1_000_000}</iq>")
            self.assert_ends(stream, "policy-violation")

    def test_08_deep_nesting(self) -> None:
        """2,000 nested elements before login are policy-violation."""
        for stream, header in self.everywhere():
            stream.send(header + "<a>" * 2000)
            self.assert_ends(stream, "policy-violation")

    def test_09_stanza_before_login(self) -> None:
        """A stanza before login is not-authorized, and the stream ends."""
        for stream in (self.client(), self.secured()):
            stream.send(client_header())
            stream.read_until(FEATURES)
            stream.send(PING)
            self.assert_ends(stream, "not-authorized")

    def test_10_component_wrong_digest(self) -> None:
        """A component with a wrong digest is not-authorized."""
        for digest in ("0" * 40, "", "nonsense", "\u00e9" * 40):
            stream = self.component()
            stream.send(component_header("cb1.example.com"))
            stream.read_until("<stream:stream[^>]*>")
            stream.send(f"<handshake>{digest}</handshake>")
            self.assert_ends(stream, "not-authorized")

    def test_11_component_unknown_name(self) -> None:
        """An unknown component is host-unknown at the header, before it can show a digest."""
        stream = self.component()
        stream.send(component_header("probe.example.com"))
        self.assert_ends(stream, "host-unknown")

    def test_12_component_stanza_before_handshake(self) -> None:
        """A component's stanza before its handshake is not-authorized, and the stream ends."""
        stream = self.component()
        stream.send(component_header("cb1.example.com"))
        stream.read_until("<stream:stream[^>]*>")
        stream.send("<message from='cb1.example.com' to='alice@example.com'><body/></message>")
        self.assert_ends(stream, "not-authorized")

    def test_13_component_silent(self) -> None:
        """A component that says nothing for ``registration_timeout`` gets connection-timeout."""
        stream = self.component()
        self.assert_ends(stream, "connection-timeout")
        stream = self.component()
        stream.send(component_header("cb1.example.com"))
        self.assert_ends(stream, "connection-timeout")

    def test_14_foreign_authzid(self) -> None:
        """PLAIN that asks to act as somebody else is invalid-authzid; as oneself it succeeds."""
        for authzid in ("bob@example.com", "alice@example.net", "alice@example.com.", "bob"):
            stream = self.opened()
            stream.send(plain("alice", "wonderland", authzid))
            self.assertIn(b"<invalid-authzid", stream.read_until("</failure>"), authzid)
        stream = self.opened()
        stream.send(plain("alice", "wonderland", "alice@example.com"))
        stream.read_until("<success[^>]*/?>")

    def test_15_any_chunking(self) -> None:
        """White space between elements and any split of the bytes give the same result."""
        answers = set()
        for piece in (None, 1, 7):
            stream = self.client()
            stream.send(client_header(), piece)
            stream.read_until(FEATURES)
            stream.send(" \n\t" + STARTTLS, piece)
            stream.read_until("<proceed[^>]*/>")
            stream.secure(self.site.ca.certificate_path, "example.com")
            stream.send(client_header(), piece)
            stream.read_until(FEATURES)
            stream.send("\n  \n" + plain("alice", "wonderland"), piece)
            stream.read_until("<success[^>]*/?>")
            stream.send(client_header(), piece)
            stream.read_until(FEATURES)
            stream.send("  " + BIND.replace("<bind", "\n <bind") + " ", piece)
            bound = stream.read_until("</iq>")
            stream.send("\r\n" + PING + "\n\n", piece)
            answer = stream.read_until("<iq[^>]*/>|</iq>")
            self.assertIn(b"type='result'", answer.replace(b'"', b"'"))
            answers.add(
                (
                    re.sub(rb"(<jid>alice@example\.com/)[^<]*", rb"\1*", bound),
                    re.sub(rb"alice@example\.com/[^'\"]*", b"alice@example.com/*", answer),
                )
            )
        self.assertEqual(len(answers), 1, answers)

    def test_component_digest_is_right(self) -> None:
        """The probes' own component would get in with the right digest: they fail for a reason."""
        stream = self.component()
        stream.send(component_header("probe.example.com"))
        self.assert_ends(stream, "host-unknown")
        self.xmppd.command("callbridge", "add-secret", "probe", typed="probe-secret\n")
        self.addCleanup(self.xmppd.command, "callbridge", "del", "probe")
        stream = self.component()
        stream.send(component_header("probe.example.com"))
        header = stream.read_until("<stream:stream[^>]*>")
        stream.send(f"<handshake>{component_digest(header, 'probe-secret')}</handshake>")
        stream.read_until("<handshake[^>]*/>")
        self.assertRaises(NeverHappened, stream.read_to_end, 0.2)

    def test_flood_costs_no_other(self) -> None:
        """While one peer sends garbage without end, others are served."""
        noisy = self.client()
        noisy.send(client_header() + "<a" + " b" * 20_000)
        stream = self.opened()
        stream.send(plain("alice", "wonderland"))
        stream.read_until("<success[^>]*/?>")
