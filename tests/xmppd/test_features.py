"""Tests for `xmppd.clients.features`."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from xmppd.clients.features import Fact, Offer, make_offer, stream_features

STREAM = "xmlns:stream='http://etherx.jabber.org/streams'"
SERVED = frozenset((
    "PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "ANONYMOUS",
    "EXTERNAL", "HT-SHA-256-NONE", "HT-SHA-256-ENDP", "HT-SHA-256-EXPR", "HT-SHA-256-UNIQ",
))  # fmt: skip


class FeaturesTests(SynchronousTestCase):
    """What a stream is offered, by what it has achieved."""

    def test_before_tls(self) -> None:
        """STARTTLS, which is required, and nothing else."""
        self.assertEqual(
            stream_features(frozenset(), Offer(("PLAIN",))),
            f"<stream:features {STREAM}><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'>"
            "<required/></starttls></stream:features>",
        )

    def test_before_login(self) -> None:
        """The mechanisms in both forms of SASL, and what there is to bind to."""
        offer = Offer(("SCRAM-SHA-1-PLUS", "PLAIN"), ("HT-SHA-256-NONE",), ("tls-exporter",))
        text = stream_features(frozenset({Fact.SECURED}), offer)
        names = "<mechanism>SCRAM-SHA-1-PLUS</mechanism><mechanism>PLAIN</mechanism>"
        for part in (
            f"<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{names}</mechanisms>",
            f"<authentication xmlns='urn:xmpp:sasl:2'>{names}<inline>",
            "<bind xmlns='urn:xmpp:bind:0'><inline><feature var='urn:xmpp:csi:0'/>",
            "<fast xmlns='urn:xmpp:fast:0'><mechanism>HT-SHA-256-NONE</mechanism></fast>",
            "<channel-binding type='tls-exporter'/>",
        ):
            self.assertIn(part, text)

    def test_after_login(self) -> None:
        """Resource binding, until it is done, stream management and client states."""
        done = frozenset({Fact.SECURED, Fact.AUTHENTICATED})
        names = ("urn:ietf:params:xml:ns:xmpp-bind", "urn:xmpp:sm:3", "urn:xmpp:csi:0")
        for facts, expected in ((done, names), (done | {Fact.BOUND}, names[1:])):
            text = stream_features(facts, Offer())
            self.assertEqual(tuple(re.findall("<[a-z]+ xmlns='([^']+)", text)), expected)


class OfferTests(SynchronousTestCase):
    """What of the mechanisms that are served one client sees."""

    def test_plain_connection(self) -> None:
        """With nothing to bind to and no certificate, what needs neither, the best first."""
        offer = make_offer(SERVED, frozenset(), certificate=False)
        self.assertEqual(offer.mechanisms, ("SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "ANONYMOUS"))
        self.assertEqual((offer.tokens, offer.bindings), (("HT-SHA-256-NONE",), ()))

    def test_bindings(self) -> None:
        """A -PLUS stands in front of its mechanism, and the types of channel binding are told."""
        offer = make_offer(SERVED, frozenset({"tls-server-end-point"}), certificate=True)
        self.assertEqual(
            offer.mechanisms[:4],
            ("EXTERNAL", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS"),
        )
        self.assertEqual(offer.tokens, ("HT-SHA-256-ENDP", "HT-SHA-256-NONE"))
        self.assertEqual(offer.bindings, ("tls-server-end-point",))

    def test_nothing_to_bind(self) -> None:
        """Without a -PLUS no types are told: XEP-0440 lets clients give up over that."""
        offer = make_offer(frozenset({"PLAIN"}), frozenset({"tls-exporter"}), certificate=False)
        self.assertEqual(offer, Offer(("PLAIN",)))
