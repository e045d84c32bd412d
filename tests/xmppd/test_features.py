"""Tests for `xmppd.clients.features`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from xmppd.clients.features import Fact, stream_features

MECHANISMS = frozenset({"PLAIN", "SCRAM-SHA-256"})


class FeaturesTests(SynchronousTestCase):
    """What a stream is offered, by what it has achieved."""

    def test_before_tls(self) -> None:
        """STARTTLS, which is required, and nothing else."""
        self.assertEqual(
            stream_features(frozenset(), MECHANISMS),
            "<stream:features xmlns:stream='http://etherx.jabber.org/streams'>"
            "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/>"
            "</starttls></stream:features>",
        )

    def test_before_login(self) -> None:
        """The mechanisms, SCRAM in front of PLAIN."""
        self.assertEqual(
            stream_features(frozenset({Fact.SECURED}), MECHANISMS),
            "<stream:features xmlns:stream='http://etherx.jabber.org/streams'>"
            "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"
            "<mechanism>SCRAM-SHA-256</mechanism><mechanism>PLAIN</mechanism>"
            "</mechanisms></stream:features>",
        )

    def test_after_login(self) -> None:
        """Resource binding."""
        self.assertEqual(
            stream_features(frozenset(Fact), MECHANISMS),
            "<stream:features xmlns:stream='http://etherx.jabber.org/streams'>"
            "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>",
        )
