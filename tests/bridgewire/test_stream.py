"""Tests for `bridgewire.stream`."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.words.xish.domish import Element

from bridgewire.limits import AFTER_LOGIN, Limits
from bridgewire.namespaces import CLIENT, COMPONENT
from bridgewire.parser import StreamFault
from bridgewire.stream import CLOSE_TIMEOUT, XmlStream
from tests.support.memory import Peer


class Recorder:
    """An owner that writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.elements: list[Element] = []

    def connected(self) -> None:
        self.heard.append("connected")

    def secured(self) -> None:
        self.heard.append("secured")

    def header(self, root: Element) -> None:
        self.heard.append("header")

    def element(self, element: Element) -> None:
        self.heard.append(element.name)
        self.elements.append(element)
        if element.name == "bug":
            raise ZeroDivisionError

    def footer(self) -> None:
        self.heard.append("footer")

    def fault(self, fault: StreamFault) -> None:
        self.heard.append(fault.condition)

    def lost(self, reason: Failure) -> None:
        self.heard.append("lost")


class XmlStreamTests(SynchronousTestCase):
    """What a stream does for its owner."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.owner = Recorder()
        self.peer = self.connect()
        self.stream = self.peer.stream
        self.peer.open("example.com")

    def connect(self, limits: Limits = AFTER_LOGIN) -> Peer:
        stream = XmlStream(self.owner, CLIENT, initiating=False, limits=limits, clock=self.clock)
        return Peer(stream, CLIENT)

    def test_events(self) -> None:
        """The owner hears of everything, in order, and of the end once."""
        self.peer.type("<a/><b/></stream:stream>")
        self.peer.lose()
        self.assertEqual(self.owner.heard, ["connected", "header", "a", "b", "footer", "lost"])

    def test_own_error(self) -> None:
        """An error of ours is logged whole, ends this stream, and says no more than that."""
        answer = self.peer.type("<bug/>")
        self.assertIn("internal-server-error", answer)
        self.assertTrue(self.peer.hung_up)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_restart_drops_the_rest(self) -> None:
        """What came in one packet with an element that restarts the stream is a fault."""
        self.owner.element = lambda element: self.stream.restart(AFTER_LOGIN)  # type: ignore[method-assign]
        self.peer.type("<a/><b/>")
        self.assertEqual(self.owner.heard[2:], ["policy-violation"])

    def test_namespace_of_a_routed_stanza(self) -> None:
        """A stanza takes the namespace of the stream that it leaves by, with all that share it."""
        self.peer.type("<message><body>x</body><html xmlns='urn:h'><body/></html></message>")
        stream = XmlStream(
            Recorder(), COMPONENT, initiating=False, limits=AFTER_LOGIN, clock=self.clock
        )
        other = Peer(stream, COMPONENT)
        stream.send(self.owner.elements[0])
        self.assertEqual(
            other.read(), "<message><body>x</body><html xmlns='urn:h'><body/></html></message>"
        )

    def test_fail_sends_header_first(self) -> None:
        """A stream error on a stream that we have not opened yet comes after our header."""
        self.stream.fail("host-unknown", "who?")
        text = self.peer.read()
        self.assertTrue(text.startswith("<stream:stream"), text)
        self.assertIn(">who?<", text)
        self.assertTrue(text.endswith("</stream:error></stream:stream>"))

    def test_close_that_is_not_followed(self) -> None:
        """A peer that does not follow our close is cut off."""
        self.stream.finish()
        self.assertFalse(self.peer.transport.aborted)
        self.clock.advance(CLOSE_TIMEOUT)
        self.assertTrue(self.peer.transport.aborted)

    def test_close_that_is_followed(self) -> None:
        """A close that the peer follows leaves no timer behind."""
        self.stream.finish()
        self.peer.lose()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nothing_after_the_close(self) -> None:
        """After our close nothing is sent, and nothing of the peer's is heard but its footer."""
        self.stream.finish()
        self.peer.read()
        self.stream.send(Element((None, "late")))
        self.assertEqual(self.peer.type("<a/></stream:stream>"), "")
        self.assertEqual(self.owner.heard[2:], ["footer"])

    def test_peer_that_does_not_read(self) -> None:
        """What waits for a peer that does not read is limited."""
        peer = self.connect(Limits(unsent_bytes=1000))
        stanza = Element((None, "message"))
        stanza.addContent("x" * 300)
        for _ in range(10):
            peer.stream.send(stanza)
        self.assertNotIn("resource-constraint", self.owner.heard)
        peer.stream.pauseProducing()
        for _ in range(3):
            peer.stream.send(stanza)
        peer.stream.resumeProducing()
        peer.stream.pauseProducing()
        for _ in range(3):
            peer.stream.send(stanza)
        self.assertNotIn("resource-constraint", self.owner.heard)
        peer.stream.send(stanza)
        self.assertIn("resource-constraint", self.owner.heard)
