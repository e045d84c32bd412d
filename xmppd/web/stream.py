"""An XMPP stream over WebSocket (RFC 7395), told to the same owner as one over TCP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import quoteattr

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.words.protocols.jabber import error
from twisted.words.xish.domish import Element
from wsproto.frame_protocol import CloseReason
from zope.interface import implementer

from bridgewire.limits import Limits
from bridgewire.namespaces import CLIENT, CONTENT, FRAMING, STREAMS
from bridgewire.parser import StreamFault
from bridgewire.stream import CLOSE_TIMEOUT, StreamOwner, move
from xmppd.web.frames import Answer, Broken, Closed, Frames, Received
from xmppd.web.keepalive import PingTimer

_CLOSE = f"<close xmlns='{FRAMING}'/>"


def _as_default(stanza: Element) -> None:
    """Make jabber:client its default namespace, which scripts look for, whatever its sender did."""
    if CLIENT in stanza.localPrefixes.values():
        kept = {prefix: uri for prefix, uri in stanza.localPrefixes.items() if uri != CLIENT}
        stanza.localPrefixes = kept
    if (stanza.uri, stanza.defaultUri) != (CLIENT, CLIENT):
        move(stanza, stanza.uri, CLIENT)


@implementer(IPushProducer)
class WebSocketStream(Protocol):
    """One stream, the server's end; ``transport`` is a TLS connection whose handshake is done.

    Provides `xmppd.clients.stream_interface.Stream`. What a hostile peer can do to it is bounded as
    in `bridgewire.stream.XmlStream`: limits hold while a message is still on its way, an error of
    ours ends this stream and no other, and so does a peer that does not read.
    """

    #: For people.
    transport_name = "WebSocket"

    log = Logger()
    transport: Any

    def __init__(
        self,
        owner: StreamOwner,
        limits: Limits,
        clock: IReactorTime,
        *,
        end_to_end_tls: bool = True,
    ) -> None:
        self.end_to_end_tls = end_to_end_tls
        self._owner = owner
        self._limits = limits
        self._clock = clock
        self._frames = Frames(limits)
        self._alive = PingTimer(clock, self._ping, self.abort)
        self._opened = False
        self._header_sent = False
        self._closing = False
        self._broken: CloseReason | None = None
        self._congested = False
        self._unsent = 0
        self._abort_call: IDelayedCall | None = None

    # What the transport calls

    def connectionMade(self) -> None:
        self.transport.registerProducer(self, True)
        self._alive.start()
        self._tell(self._owner.connected)
        self._tell(self._owner.secured)

    def dataReceived(self, data: bytes) -> None:
        self._alive.heard()
        for received in self._frames.receive(data):
            self._take(received)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._closing = True
        self._alive.stop()
        if self._abort_call is not None:
            self._abort_call.cancel()
            self._abort_call = None
        try:
            self._owner.lost(reason)
        except Exception:  # noqa: BLE001 - logged whole
            self.log.failure("Error while handling a lost stream")

    # What the transport calls when the peer does not keep up

    def pauseProducing(self) -> None:
        self._congested = True
        self._unsent = 0

    def resumeProducing(self) -> None:
        self._congested = False

    def stopProducing(self) -> None:
        pass

    # What the peer sent

    def _take(self, received: Received) -> None:
        match received:
            case Element() if received.uri == FRAMING:
                self._take_framing(received)
            case Element() if not self._opened:
                self._fault(Broken(StreamFault("bad-format", "a stream begins with <open/>")))
            case Element() if not self._closing:
                self._tell(self._owner.element, received)
            case Answer(data):
                self._write(data)
                self._check_unsent()
            case Broken():
                self._fault(received)
            case Closed(data):  # perhaps without <close/>: then the session may be resumed
                self._write(data)
                self._closing = True
                self._hang_up()

    def _take_framing(self, element: Element) -> None:
        if element.name == "close":
            self._opened = False
            if self._closing:
                self._close_websocket()
            else:
                self._tell(self._owner.footer)
                self.finish()
        elif element.name != "open" or self._opened:
            self._fault(Broken(StreamFault("bad-format", "<open/> comes first, and once")))
        elif not self._closing:
            self._opened = True
            root = Element((STREAMS, "stream"), CLIENT, dict(element.attributes))
            self._tell(self._owner.header, root)

    def _fault(self, broken: Broken) -> None:
        """Nothing more is taken from the peer."""
        self._broken = broken.code
        if self._closing:
            self._hang_up()
        else:
            self._tell(self._owner.fault, broken.fault)

    def _tell(self, what: Callable[..., None], *arguments: object) -> None:
        try:
            what(*arguments)
        except Exception:  # noqa: BLE001 - logged whole
            self.log.failure("Error while handling what a peer sent; its stream is closed")
            self.fail("internal-server-error")

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
            f" {name}={quoteattr(value)}" for name, value in attributes.items() if value is not None
        )
        self.send(f"<open xmlns='{FRAMING}'{shown}/>")
        self._header_sent = True

    def send(self, obj: Element | str) -> None:
        """Send one element in one message, unless the stream is closing.

        One without a namespace, or with that of a stanza on another stream, gets ``jabber:client``.
        """
        if self._closing:
            return
        if isinstance(obj, Element) and (obj.uri is None or obj.uri in CONTENT):
            _as_default(obj)
        text: str = obj.toXml(prefixes={STREAMS: "stream"}) if isinstance(obj, Element) else obj
        self._send_text(text)
        self._check_unsent()

    def fail(
        self, condition: str, text: str | None = None, application: Element | None = None
    ) -> None:
        """Tell the peer which stream error (RFC 6120 section 4.9.3) ended this, and hang up."""
        if self._closing:
            return
        if not self._header_sent:
            self.send_header()
        self.send(error.StreamError(condition, text=text, appCondition=application).getElement())
        self._opened = False  # its <close/> is not waited for
        self.finish()

    def finish(self) -> None:
        """Close our side, and the WebSocket too once the peer has closed its own."""
        if self._closing:
            return
        if self._header_sent:
            self._send_text(_CLOSE)
        self._closing = True
        self._cut_later()
        if not self._opened:
            self._close_websocket()

    def abort(self) -> None:
        """Cut the connection at once: the peer is thought dead."""
        self._closing = True
        self._frames.stop()
        self.transport.abortConnection()

    def set_limits(self, limits: Limits) -> None:
        """Allow the peer more on the stream that is under way: it has proved who it is."""
        self._limits = limits
        self._frames.set_limits(limits)

    def allow_white_space(self, allowed: bool) -> None:
        """Nothing to do: between messages there is none."""

    def restart(self, limits: Limits) -> None:
        """Expect a new ``<open/>`` on the same connection (after SASL)."""
        self._limits = limits
        self._frames.restart(limits)
        self._opened = self._header_sent = False

    # Ways out

    def _check_unsent(self) -> None:
        if self._congested and self._unsent > self._limits.unsent_bytes:
            self._unsent = 0
            fault = StreamFault("resource-constraint", "it does not read what it is sent")
            self._fault(Broken(fault))

    def _send_text(self, text: str) -> None:
        if self._frames.open:
            self._write(self._frames.text(text))

    def _write(self, data: bytes) -> None:
        if self._congested:
            self._unsent += len(data)
        self.transport.write(data)

    def _ping(self) -> None:
        if self._frames.open:
            self._write(self._frames.ping())

    def _close_websocket(self) -> None:
        if self._frames.open:
            self._write(self._frames.close(self._broken or CloseReason.NORMAL_CLOSURE))
        if self._broken is not None:
            self._hang_up()

    def _hang_up(self) -> None:
        self._frames.stop()
        self._cut_later()
        self.transport.unregisterProducer()  # else the transport waits for more
        self.transport.loseConnection()

    def _cut_later(self) -> None:
        if self._abort_call is None:
            self._abort_call = self._clock.callLater(CLOSE_TIMEOUT, self._cut)

    def _cut(self) -> None:
        self._abort_call = None
        self.transport.abortConnection()
