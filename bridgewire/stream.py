"""An XML stream over one connection: turns bytes into calls on its owner, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol
from xml.sax.saxutils import escape

from twisted.internet.interfaces import (
    IDelayedCall,
    IHandshakeListener,
    IPushProducer,
    IReactorTime,
)
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.words.protocols.jabber import error, xmlstream
from twisted.words.xish.domish import Element
from zope.interface import implementer

from bridgewire.limits import Limits
from bridgewire.namespaces import CONTENT, STREAMS
from bridgewire.parser import Footer, Header, Stanza, StreamFault, StreamParser

#: Seconds that a closing connection gets before it is cut.
CLOSE_TIMEOUT = 5.0
_QUOTE = {"'": "&apos;"}


def move(element: Element, old: str, new: str) -> None:
    """Change the namespace of a stanza and of those parts of it that share it."""
    element.uri = element.defaultUri = new
    for child in element.elements():
        if child.uri == old:
            move(child, old, new)


class StreamOwner(Protocol):
    """Whoever negotiates and uses a stream; in Twisted Words, its authenticator."""

    def connected(self) -> None:
        """TCP is up; a TLS handshake may still be under way."""

    def secured(self) -> None:
        """The TLS handshake is done."""

    def header(self, root: Element) -> None:
        """The peer opened its stream with ``root``."""

    def element(self, element: Element) -> None:
        """The peer sent a whole first-level element."""

    def footer(self) -> None:
        """The peer closed its stream."""

    def fault(self, fault: StreamFault) -> None:
        """The peer broke a rule. Nothing more comes from it; it still waits to be told."""

    def lost(self, reason: Failure) -> None:
        """The connection is gone. Called exactly once, last."""


class _Authenticator:
    """What Twisted's XmlStream wants to be told, and ours tells its owner itself."""

    def associateWithStream(self, xs: XmlStream) -> None:
        pass

    def connectionMade(self) -> None:
        pass


@implementer(IHandshakeListener, IPushProducer)
class XmlStream(xmlstream.XmlStream):
    """One XML stream, either end.

    Differs from Twisted's in what a hostile peer can do to it: it parses with limits and without
    DTDs, an error of ours in handling an element ends this stream and no other, a peer that does
    not read what it is sent is given up before it fills the memory, and a close that the peer does
    not follow ends in an abort. Elements go straight to ``owner``; the XPath
    observers of Twisted Words are not consulted.
    """

    def __init__(
        self,
        owner: StreamOwner,
        namespace: str,
        *,
        initiating: bool,
        limits: Limits,
        clock: IReactorTime,
    ) -> None:
        super().__init__(_Authenticator())
        self.owner = owner
        self.namespace = namespace
        self.initiating = initiating
        self._limits = limits
        self._clock = clock
        self._closing = False
        self._congested = False
        self._unsent = 0
        self._abort_call: IDelayedCall | None = None

    #: Whatever TLS there is has its other end at the peer: nothing between us takes part in it.
    end_to_end_tls = True
    #: For people.
    transport_name = "TLS"

    _log = Logger()
    transport: Any
    stream: Any

    # What the transport calls

    def _initializeStream(self) -> None:
        self.stream = StreamParser(self._limits)

    def connectionMade(self) -> None:
        if hasattr(self.transport, "setTcpNoDelay"):
            self.transport.setTcpNoDelay(True)
        if hasattr(self.transport, "setTcpKeepAlive"):  # a client that vanished is no session
            self.transport.setTcpKeepAlive(True)
        self.transport.registerProducer(self, True)
        super().connectionMade()
        self._tell(self.owner.connected)

    def handshakeCompleted(self) -> None:
        self._tell(self.owner.secured)

    def dataReceived(self, data: bytes) -> None:
        parser = self.stream
        for event in parser.feed(data):
            if parser is not self.stream:
                # Sent after an element that restarts the stream: before STARTTLS took effect this
                # would be an injection, after SASL it comes before our answer.
                self._tell(self.owner.fault, StreamFault("policy-violation", "sent too early"))
                return
            if self._closing and not isinstance(event, Footer):
                continue
            match event:
                case Header(root):
                    self._tell(self.owner.header, root)
                case Stanza(element):
                    self._tell(self.owner.element, element)
                case Footer():
                    self._tell(self.owner.footer)
                    self.finish()
                case StreamFault():
                    self._tell(self.owner.fault, event)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._closing = True
        if self._abort_call is not None:
            self._abort_call.cancel()
            self._abort_call = None
        self.stream = None
        try:
            self.owner.lost(reason)
        except Exception:  # noqa: BLE001 - logged whole
            self._log.failure("Error while handling a lost stream")

    def _tell(self, what: Callable[..., None], *arguments: object) -> None:
        try:
            what(*arguments)
        except Exception:  # noqa: BLE001 - logged whole
            self._log.failure("Error while handling what a peer sent; its stream is closed")
            self.fail("internal-server-error")

    # What the transport calls when the peer does not keep up

    def _count(self, data: bytes) -> None:
        self._unsent += len(data)

    def pauseProducing(self) -> None:
        self._congested = True
        self._unsent = 0
        self.rawDataOutFn = self._count

    def resumeProducing(self) -> None:
        self._congested = False
        self.rawDataOutFn = None

    def stopProducing(self) -> None:
        pass

    # What the owner calls

    @property
    def closing(self) -> bool:
        """True once nothing more is wanted from the peer."""
        return self._closing

    @property
    def unsent(self) -> int:
        """How many bytes wait since the peer does not keep up; 0 while it does."""
        return self._unsent if self._congested else 0

    def send_header(
        self,
        *,
        to: str | None = None,
        from_: str | None = None,
        stream_id: str | None = None,
        version: str | None = None,
    ) -> None:
        """Open our side of the stream; None leaves an attribute out."""
        attributes = {"to": to, "from": from_, "id": stream_id, "version": version}
        shown = "".join(
            f" {name}='{escape(value, _QUOTE)}'"
            for name, value in attributes.items()
            if value is not None
        )
        self.send(f"<stream:stream xmlns='{self.namespace}' xmlns:stream='{STREAMS}'{shown}>")
        self._headerSent = True

    def send(self, obj: Element | str) -> None:
        """Send one element, unless the stream is closing."""
        if self._closing:
            return
        if isinstance(obj, Element) and obj.uri in CONTENT and obj.uri != self.namespace:
            move(obj, obj.uri, self.namespace)
        super().send(obj)
        if self._congested and self._unsent > self._limits.unsent_bytes:
            self._unsent = 0
            fault = StreamFault("resource-constraint", "it does not read what it is sent")
            self._tell(self.owner.fault, fault)

    def fail(
        self, condition: str, text: str | None = None, application: Element | None = None
    ) -> None:
        """Tell the peer which stream error (RFC 6120 section 4.9.3) ended this, and hang up."""
        if self._closing:
            return
        if not self._headerSent and not self.initiating:
            self.send_header()
        if self._headerSent:
            self.send(
                error.StreamError(condition, text=text, appCondition=application).getElement()
            )
        self.finish()

    def finish(self) -> None:
        """Close our side and the connection; cut it if the peer does not follow."""
        if self._closing:
            return
        if self._headerSent:
            self.send("</stream:stream>")
        self._closing = True
        self.transport.unregisterProducer()  # else the transport waits for more
        self.transport.loseConnection()
        self._abort_call = self._clock.callLater(CLOSE_TIMEOUT, self._cut)

    def _cut(self) -> None:
        self._abort_call = None
        self.transport.abortConnection()

    def abort(self) -> None:
        """Cut the connection at once: the peer is thought dead."""
        self._closing = True
        self.transport.abortConnection()

    def set_limits(self, limits: Limits) -> None:
        """Allow the peer more on the stream that is under way: it has proved who it is."""
        self._limits = self.stream.limits = limits

    def allow_white_space(self, allowed: bool) -> None:
        """Whether the peer may send white space between elements, on this stream."""
        if self.stream is not None:
            self.stream.white_space = allowed

    def restart(self, limits: Limits) -> None:
        """Begin a new stream on the same connection (after STARTTLS or SASL), without a header."""
        self._limits = limits
        self.reset()
