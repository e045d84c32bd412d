"""Tests for `bridgewire.queries`, and for the part of wokkel that it stands on."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from twisted.words.xish.domish import Element

from bridgewire.namespaces import DISCO_INFO, DISCO_ITEMS, PING, VERSION
from bridgewire.queries import Queries


class Entity(Queries):
    """One with something below it, and a defect."""

    iqHandlers = {**Queries.iqHandlers, "/iq[@type='get']/bug[@xmlns='urn:bug']": "on_bug"}

    def items(self) -> list[str]:
        return ["below.example.com"]

    def on_bug(self, iq: Element) -> None:
        raise ZeroDivisionError


class QueriesTests(SynchronousTestCase):
    """What an entity answers about itself."""

    def setUp(self) -> None:
        self.sent: list[Element] = []
        self.entity = Entity(self, "thing", "component", "generic")

    def send(self, element: Element) -> None:
        """The outlet."""
        self.sent.append(element)

    def ask(self, uri: str, name: str, kind: str = "get", **attributes: str) -> str:
        iq = Element((None, "iq"))
        iq["type"], iq["id"], iq["from"], iq["to"] = kind, "1", "a@example.com/x", "example.com"
        iq.addElement((uri, name)).attributes.update(attributes)
        self.sent.clear()
        self.entity.deliver(iq)
        return "".join(one.toXml() for one in self.sent)

    def test_ping(self) -> None:
        """A ping has an empty result, to whom it came from."""
        self.assertEqual(
            self.ask(PING, "ping"),
            "<iq to='a@example.com/x' from='example.com' id='1' type='result'/>",
        )

    def test_disco(self) -> None:
        """Identity and features, and what is below; nodes are not found."""
        info = self.ask(DISCO_INFO, "query")
        self.assertIn("category='component'", info)
        for feature in (DISCO_INFO, DISCO_ITEMS, PING, VERSION):
            self.assertIn(f"<feature var='{feature}'/>", info)
        self.assertIn("<item jid='below.example.com'/>", self.ask(DISCO_ITEMS, "query"))
        for uri in (DISCO_INFO, DISCO_ITEMS):
            self.assertIn("<item-not-found", self.ask(uri, "query", node="x"))

    def test_version(self) -> None:
        """Name and version; the operating system is nobody's business."""
        answer = self.ask(VERSION, "query")
        self.assertRegex(answer, "<name>thing</name><version>[0-9.]+</version></query>")

    def test_unknown(self) -> None:
        """What is not known is no service here (RFC 6120 section 8.4), and an answer gets none."""
        self.assertIn("<service-unavailable", self.ask("urn:x", "query"))
        self.assertIn("<service-unavailable", self.ask("jabber:iq:auth", "query", kind="set"))
        self.assertEqual(self.ask("urn:x", "query", kind="result"), "")
        self.assertEqual(self.ask("urn:x", "query", kind="error"), "")
        self.assertIn("<bad-request", self.ask("urn:x", "query", kind="what"))

    def test_own_error(self) -> None:
        """An error of ours is logged, and the peer told that it is one."""
        self.assertIn("<internal-server-error", self.ask("urn:bug", "bug"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
