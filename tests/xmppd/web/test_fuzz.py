"""Properties of xmppd.web.stream: any bytes, any frames, any cut."""

from __future__ import annotations

import tracemalloc
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage
from wsproto.utilities import LocalProtocolError

from bridgewire.limits import BEFORE_LOGIN
from bridgewire.parser import StreamFault
from tests.support.memory import MemoryTransport
from tests.support.websocket import FRAMING
from xmppd.web.stream import WebSocketStream

OPEN = f"<open xmlns='{FRAMING}' to='example.com' version='1.0'/>"
TEXTS = st.one_of(
    st.sampled_from(
        [
            OPEN,
            f"<close xmlns='{FRAMING}'/>",
            f"<other xmlns='{FRAMING}'/>",
            "<message xmlns='jabber:client'><body>hé</body></message>",
            "<a xmlns='x'>",
            "<!DOCTYPE x>",
            "<?xml version='1.0'?>" + OPEN,
            "</_:stream>",
            "<a xmlns='x'>" + "<b>" * 20,
            "<a xmlns='x'/>" + " " * 3000,
        ]
    ),
    st.text(max_size=50),
)
EVENTS = st.one_of(
    st.builds(TextMessage, TEXTS, message_finished=st.booleans()),
    st.builds(BytesMessage, st.binary(max_size=20), message_finished=st.booleans()),
    st.builds(Ping, st.binary(max_size=125)),
    st.builds(Pong, st.binary(max_size=125)),
    st.builds(CloseConnection, st.integers(1000, 4999), st.none() | st.text(max_size=30)),
)


class Recorder:
    """An owner that fails a stream at its first fault, as the client's table does."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.transport = MemoryTransport()
        self.clock = Clock()
        self.stream = WebSocketStream(self, BEFORE_LOGIN, self.clock)
        self.stream.makeConnection(self.transport)

    def connected(self) -> None:
        self.seen.append("connected")

    def secured(self) -> None:
        self.seen.append("secured")

    def header(self, root: Any) -> None:
        self.seen.append(("header", root.getAttribute("to")))
        self.stream.send_header(from_="example.com", stream_id="1", version="1.0")

    def element(self, element: Any) -> None:
        self.seen.append(element.toXml())

    def footer(self) -> None:
        self.seen.append("footer")

    def fault(self, fault: StreamFault) -> None:
        self.seen.append(fault.condition)
        self.stream.fail(fault.condition, fault.text)

    def lost(self, reason: Failure) -> None:
        self.seen.append("lost")

    def end(self) -> list[Any]:
        """Answer what was told, once the connection is gone."""
        self.stream.connectionLost(Failure(ConnectionDone()))
        return self.seen


def told(data: bytes, *cuts: int) -> list[Any]:
    """Answer what an owner is told about ``data`` in pieces, and check the order of it."""
    owner = Recorder()
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in zip(places, places[1:], strict=False):  # noqa: RUF007 - reads as the slice
        owner.stream.dataReceived(data[start:end])
    written = owner.transport.value()
    seen = owner.end()
    assert seen[:2] == ["connected", "secured"], seen
    assert seen.count("lost") == 1, seen
    assert seen[-1] == "lost", seen
    assert owner.clock.getDelayedCalls() == []
    Connection(ConnectionType.CLIENT, trailing_data=written)  # whole frames, or it would raise
    return seen


def frames(events: list[Event]) -> bytes:
    """Answer the frames of ``events``, as far as a client may send them."""
    client = Connection(ConnectionType.CLIENT)
    data = b""
    for event in events:
        try:
            data += client.send(event)
        except (LocalProtocolError, TypeError):  # after a close; another kind within a message
            continue
    return data


class FuzzTests(SynchronousTestCase):
    """Nothing raises, and the owner is told in order."""

    @given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=4))
    def test_any_bytes(self, data: bytes, cuts: list[int]) -> None:
        """Any bytes, however cut, lead to the same."""
        self.assertEqual(told(data, *cuts), told(data))

    @given(st.lists(EVENTS, max_size=12), st.lists(st.integers(0, 3000), max_size=6))
    def test_any_frames(self, events: list[Event], cuts: list[int]) -> None:
        """Any sequence of frames, however cut, leads to the same."""
        data = frames([TextMessage(OPEN), *events])
        self.assertEqual(told(data, *cuts), told(data))

    @given(st.lists(EVENTS, max_size=6), st.integers(0, 500), st.binary(min_size=1, max_size=8))
    def test_broken_frames(self, events: list[Event], place: int, damage: bytes) -> None:
        """Frames with a few bytes changed raise nothing either."""
        data = frames([TextMessage(OPEN), *events])
        place = min(place, len(data))
        told(data[:place] + damage + data[place + len(damage) :])

    @settings(max_examples=20, deadline=None)
    @given(st.lists(st.sampled_from([b"\x01", b"\x00", b"\x89"]), min_size=1, max_size=3))
    def test_memory(self, opcodes: list[bytes]) -> None:
        """However much comes, before login a stream keeps less than 128 KiB of it."""
        owner = Recorder()
        owner.stream.dataReceived(frames([TextMessage(OPEN)]))
        owner.transport.clear()
        payload = b"<a xmlns='x'>" + b"x" * 100
        flood = b"".join(
            opcode + bytes([0x80 | len(payload)]) + b"\0\0\0\0" + payload for opcode in opcodes
        )
        tracemalloc.start()
        for _ in range(2000):
            owner.stream.dataReceived(flood)
            owner.transport.clear()
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        self.assertLess(kept, 128 * 1024)
        owner.end()
