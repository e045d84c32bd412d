"""What is fuzzed: each target takes bytes, and raises where something is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from twisted.internet.error import ConnectionDone
from twisted.logger import LogEvent, LogLevel, globalLogPublisher
from twisted.python.failure import Failure

from bridgewire.iq import RequestFailed
from bridgewire.limits import AFTER_LOGIN, BEFORE_LOGIN
from bridgewire.login import LoginReply, LoginRequest, Serve
from bridgewire.parser import Header, Stanza, StreamFault, StreamParser
from bridgewire.sasl import WireFault
from bridgewire.session_end import EndSessions, SessionEnded
from tests.fuzz.sasl import seeds, walk
from tests.support.memory import MemoryTransport, Peer
from tests.xmppd.client_case import AUTH, ClientCase
from tests.xmppd.test_random_walks import TYPED
from xmppd.web.stream import WebSocketStream

Target = Callable[[bytes], None]
Seeds = Callable[[], Iterable[bytes]]

VECTORS = Path(__file__).parents[1] / "vectors" / "login"
HEADER = (
    b"<stream:stream to='example.com' version='1.0' xmlns='jabber:client' "
    b"xmlns:stream='http://etherx.jabber.org/streams'>"
)
MESSAGES = (Serve, LoginRequest, LoginReply, EndSessions, SessionEnded)
_errors: list[LogEvent] = []


def _watch(event: LogEvent) -> None:
    if event["log_level"] in (LogLevel.error, LogLevel.critical) or "log_failure" in event:
        _errors.append(event)


globalLogPublisher.addObserver(_watch)


def _expect_no_errors() -> None:
    if _errors:
        event = _errors[0]
        _errors.clear()
        failure = event.get("log_failure")
        raise AssertionError(failure.getTraceback() if failure else event)


def parser(data: bytes) -> None:
    """The same bytes give the same events however they are cut, within the limits."""
    limits = (BEFORE_LOGIN, AFTER_LOGIN)[len(data) % 2]
    cut = data[0] if data else 0
    whole = StreamParser(limits).feed(HEADER + data)
    piecewise = StreamParser(limits)
    events = []
    text = HEADER + data
    for at in range(0, len(text), cut % 7 + 1):
        events += piecewise.feed(text[at : at + cut % 7 + 1])
    shown = [[_shown(event) for event in some] for some in (whole, events)]
    assert shown[0] == shown[1], shown
    for event in whole:
        if isinstance(event, Stanza):
            again = StreamParser(AFTER_LOGIN).feed(HEADER + event.element.toXml().encode())
            assert len(again) == 2, (event.element.toXml(), again)


def _shown(event: object) -> object:
    if isinstance(event, Header | Stanza):
        return event.element.toXml()
    if isinstance(event, StreamFault):
        # Of what is neither a stanza nor XML, the cut may decide which of the two is told.
        return ("not-well-formed",) if event.condition == "bad-format" else (event.condition,)
    return type(event)


def login(data: bytes) -> None:
    """A message of the link is read, or is a fault."""
    for event in StreamParser(AFTER_LOGIN).feed(HEADER + data):
        if isinstance(event, Stanza):
            for kind in MESSAGES:
                try:
                    message = kind.from_element(event.element.firstChildElement())
                except WireFault:
                    continue
                again = kind.from_element(message.to_element())
                assert type(again) is type(message)


class _Client(ClientCase):
    def runTest(self) -> None:
        pass


STARTS = ("connect", "secured", "offered", "bound")


def client(data: bytes) -> None:
    """Whatever a client sends in whatever pieces, and the world does meanwhile, nothing breaks.

    The first byte says how far the client has come; bytes that can be in no UTF-8 separate packets
    and say what happens between them.
    """
    case = _Client()
    case.setUp()
    peer: Peer = getattr(case, STARTS[data[0] % len(STARTS) if data else 0])()
    peer.transport.tls = None  # where it has begun, it is done
    packet = bytearray()
    for byte in data[1:]:
        if byte < 0xF8:
            packet.append(byte)
            continue
        _send(case, peer, bytes(packet))
        packet.clear()
        _happen(case, byte)
    _send(case, peer, bytes(packet))
    if peer.stream.stream is not None:
        peer.lose()
    case.clients.close()
    for _, waiting in case.bridge.asked:
        waiting.addErrback(lambda _: None)
    assert not case.clock.getDelayedCalls(), case.clock.getDelayedCalls()
    assert (len(case.sessions), case.logins.waiting, case.bridge.outstanding) == (0, 0, 0)
    _expect_no_errors()


def sasl(data: bytes) -> None:
    """Whatever a client says to the Call Bridge by whatever mechanism, it is answered at once."""
    walk(data)
    _expect_no_errors()


def _frame(payload: bytes) -> bytes:
    """One text frame of a client's, masked with zeros."""
    return b"\x81\xfe" + len(payload).to_bytes(2, "big") + bytes(4) + payload


def websocket(data: bytes) -> None:
    """The same over WebSocket: frames as they come, or (first byte odd) messages in good frames."""
    if not data:
        return
    case = _Client()
    case.setUp()
    stream = case.clients.begin("192.0.2.7", WebSocketStream)
    transport = MemoryTransport()
    stream.makeConnection(transport)
    pieces = data[1:].split(b"\xff")
    for piece in pieces:
        stream.dataReceived(_frame(piece) if data[0] % 2 else piece)
        if case.bridge.asked and not case.bridge.asked[-1][1].called:
            case.bridge.reply("success", "alice")
    stream.connectionLost(Failure(ConnectionDone()))
    case.clients.close()
    assert not case.clock.getDelayedCalls(), case.clock.getDelayedCalls()
    assert (len(case.sessions), case.logins.waiting, case.bridge.outstanding) == (0, 0, 0)
    _expect_no_errors()


def _send(case: ClientCase, peer: Peer, packet: bytes) -> None:
    if packet and peer.stream.stream is not None:
        if peer.transport.tls is not None:
            peer.transport.tls = None
            peer.stream.handshakeCompleted()
        peer.stream.dataReceived(packet)


def _happen(case: ClientCase, byte: int) -> None:
    waiting = bool(case.bridge.asked) and not case.bridge.asked[-1][1].called
    if byte == 0xF8:
        case.clock.advance(5)
    elif byte == 0xF9:
        case.clock.advance(400)
    elif waiting and byte == 0xFA:
        case.bridge.reply("challenge")
    elif waiting and byte == 0xFB:
        case.bridge.reply("success", "alice")
    elif waiting and byte == 0xFC:
        case.bridge.reply("failure")
    elif waiting and byte == 0xFD:
        case.bridge.fail(RequestFailed("bad-request"))


def _typed() -> Iterable[bytes]:
    for start in range(len(STARTS)):
        for text in TYPED:
            yield bytes([start]) + text.encode()
            yield bytes([start]) + HEADER + text.encode() + b"\xfb" + HEADER + text.encode()


def _framed() -> Iterable[bytes]:
    opened = b"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.com' version='1.0'/>"
    for text in TYPED:
        qualified = text.replace("<message", "<message xmlns='jabber:client'").encode()
        yield b"\1" + b"\xff".join([opened, AUTH.encode(), opened, qualified])
        yield b"\0" + b"\xff".join(map(_frame, [opened, AUTH.encode(), opened, qualified]))


def _vectors() -> Iterable[bytes]:
    return (path.read_bytes() for path in sorted(VECTORS.glob("*.xml")))


TARGETS: dict[str, tuple[Target, Seeds]] = {
    "parser": (parser, lambda: [text.encode() for text in TYPED]),
    "login": (login, _vectors),
    "client": (client, _typed),
    "websocket": (websocket, _framed),
    "sasl": (sasl, seeds),
}
