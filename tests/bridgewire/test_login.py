"""Tests for `bridgewire.login` and `bridgewire.username`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from twisted.words.protocols.jabber.jid import JID
from twisted.words.xish.domish import Element

from bridgewire.limits import COMPONENT_LINK
from bridgewire.login import REPLIES, REQUESTS, LoginReply, LoginRequest, Serve
from bridgewire.namespaces import COMPONENT, LOGIN, SASL, STREAMS
from bridgewire.parser import Stanza, StreamParser
from bridgewire.sasl import (
    CONDITIONS,
    WireFault,
    failure_condition,
    sasl_data,
    sasl_failure,
    sasl_message,
)
from bridgewire.session_end import EndSessions, SessionEnded
from bridgewire.username import parse_username

VECTORS = Path(__file__).parent.parent / "vectors" / "login"
KINDS: dict[str, Any] = {
    "Serve": Serve,
    "LoginRequest": LoginRequest,
    "LoginReply": LoginReply,
    "EndSessions": EndSessions,
    "SessionEnded": SessionEnded,
}
HEADER = f"<stream:stream xmlns='{COMPONENT}' xmlns:stream='{STREAMS}' to='x'>"


def over_the_wire(content: str) -> Element:
    """What a stream's other end reads."""
    events = StreamParser(COMPONENT_LINK).feed((HEADER + content).encode())
    stanza = events[1]
    assert isinstance(stanza, Stanza), events
    return stanza.element


def fields(message: Any) -> dict[str, Any]:
    """A message as ``expected.json`` has it."""
    shown = {name: getattr(message, name) for name in message.__dataclass_fields__}
    if isinstance(message, Serve):
        shown["mechanisms"] = list(message.mechanisms)
        if not message.successor:
            del shown["successor"]
        return shown
    if isinstance(message, EndSessions | SessionEnded):
        return shown
    sasl = shown.pop("element")
    shown["sasl"] = sasl.name
    if sasl.name == "failure":
        shown["condition"] = failure_condition(sasl)
    else:
        data = sasl_data(sasl)
        shown["data"] = None if data is None else data.decode()
    if isinstance(message, LoginRequest):
        bindings = message.channel_bindings.items()
        shown["channel_bindings"] = {kind: data.decode() for kind, data in bindings}
        shown["offered"] = list(message.offered)
        shown["certificate"] = message.certificate.decode() if message.certificate else None
    for name in {"offered", "certificate", "token", "lifetime", "report", "took"} & set(shown):
        if not shown[name]:  # as in most messages
            del shown[name]
        elif name == "token":
            shown[name] = asdict(message.token)
    return shown


class Vectors(SynchronousTestCase):
    """The messages in tests/vectors/login, which every implementation has to read alike."""

    def setUp(self) -> None:
        self.expected: dict[str, dict[str, Any]] = json.loads(
            (VECTORS / "expected.json").read_text(encoding="utf-8")
        )

    def read(self, name: str) -> Any:
        stanza = over_the_wire((VECTORS / name).read_text(encoding="utf-8"))
        return KINDS[self.expected[name]["read_as"]].from_element(stanza.firstChildElement())

    def test_complete(self) -> None:
        """Every file is listed, and every one that is listed is there."""
        self.assertEqual({path.name for path in VECTORS.glob("*.xml")}, set(self.expected))

    def test_good(self) -> None:
        """What is right is read as it was meant, and read the same once it was written again."""
        for name, expected in self.expected.items():
            if "fields" in expected and "data_fault" not in expected:
                message = self.read(name)
                self.assertEqual(fields(message), expected["fields"], name)
                again = over_the_wire(message.to_element().toXml())
                read_as = KINDS[expected["read_as"]]
                self.assertEqual(fields(read_as.from_element(again)), expected["fields"], name)

    def test_bad(self) -> None:
        """What is wrong is a fault that says what, and what to answer."""
        for name, expected in self.expected.items():
            if "fault" in expected:
                fault = self.assertRaises(WireFault, self.read, name)
                self.assertEqual(fault.condition, expected["fault"], name)
                self.assertIn(expected["says"], str(fault), name)

    def test_bad_data(self) -> None:
        """What the client did wrong is no fault of the server that relays it."""
        for name, expected in self.expected.items():
            if "data_fault" in expected:
                fault = self.assertRaises(WireFault, sasl_data, self.read(name).element)
                self.assertEqual(fault.condition, expected["data_fault"], name)


xml_text = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=30)
sessions = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=128)
mechanisms = st.from_regex(r"[A-Z0-9_-]{1,20}", fullmatch=True)
peers = st.none() | st.ip_addresses().map(str)
deadlines = st.none() | st.integers(0, 36000).map(lambda tenths: tenths / 10)
bindings = st.dictionaries(
    st.from_regex(r"[A-Za-z0-9.-]{1,64}", fullmatch=True),
    st.binary(min_size=1, max_size=64),
    max_size=8,
)
data = st.none() | st.binary(max_size=100)
names = st.sampled_from(sorted(REQUESTS | REPLIES | {"serve", "login", "mechanism", "text"}))


def xml(message: Any) -> str:
    return str(message.to_element().toXml())


class RoundTrips(SynchronousTestCase):
    """What one end writes, the other reads."""

    @given(st.integers(0, 1_000_000), st.lists(mechanisms, max_size=64, unique=True))
    def test_serve(self, capacity: int, names: list[str]) -> None:
        """An offer comes out as it went in."""
        offer = Serve(capacity, tuple(names))
        self.assertEqual(Serve.from_element(over_the_wire(xml(offer))), offer)

    @given(sessions, st.sampled_from(sorted(REQUESTS)), data, peers, deadlines, bindings)
    def test_request(
        self,
        session: str,
        name: str,
        message: bytes | None,
        peer: str | None,
        deadline: float | None,
        channel_bindings: dict[str, bytes],
    ) -> None:
        """A request comes out as it went in."""
        sent = LoginRequest(session, sasl_message(name, message), peer, deadline, channel_bindings)
        read = LoginRequest.from_element(over_the_wire(xml(sent)))
        self.assertEqual(
            (read.session, read.element.name, sasl_data(read.element)), (session, name, message)
        )
        self.assertEqual((read.peer, read.deadline), (peer, deadline))
        self.assertEqual(read.channel_bindings, channel_bindings)

    @given(sessions, st.sampled_from(["challenge", "success"]), data)
    def test_reply(self, session: str, name: str, message: bytes | None) -> None:
        """A reply comes out as it went in."""
        username = "alice" if name == "success" else None
        read = LoginReply.from_element(
            over_the_wire(xml(LoginReply(session, sasl_message(name, message), username)))
        )
        self.assertEqual((read.session, read.username), (session, username))
        self.assertEqual((read.element.name, sasl_data(read.element)), (name, message))

    @given(st.sampled_from(sorted(CONDITIONS)), st.none() | xml_text)
    def test_failure(self, condition: str, text: str | None) -> None:
        """A failure keeps its condition."""
        reply = LoginReply("x", sasl_failure(condition, text))
        read = LoginReply.from_element(over_the_wire(xml(reply)))
        self.assertEqual(failure_condition(read.element), condition)


attributes = st.dictionaries(
    st.sampled_from(["session", "peer", "deadline", "username", "capacity", "type", "mechanism"]),
    xml_text | sessions | st.sampled_from(["1", "9.8", "-1", "inf", "203.0.113.7", "alice", ""]),
)


@st.composite
def elements(draw: Callable[..., Any], depth: int = 3) -> Element:
    """Any element, most of them nearly a message."""
    uri = draw(st.sampled_from([LOGIN, LOGIN, SASL, SASL, "urn:example:other", ""]))
    element = Element((uri, draw(names | st.sampled_from(["channel-binding", *CONDITIONS]))))
    for key, value in draw(attributes).items():
        element[key] = value
    for child in draw(st.lists(st.booleans(), max_size=3)):
        if child and depth:
            element.addChild(draw(elements(depth=depth - 1)))
        else:
            element.addContent(draw(xml_text | st.sampled_from(["eA==", "=", "PLAIN"])))
    return element


class AnyInput(SynchronousTestCase):
    """Nothing but a fault comes of what a peer may send."""

    @given(elements())
    def test_only_wire_faults(self, element: Element) -> None:
        """Whatever the element is, reading it answers a message or raises WireFault."""
        for kind in KINDS.values():
            try:
                message = kind.from_element(element)
            except WireFault as fault:
                self.assertNotIn("\n", str(fault))
                self.assertLess(len(str(fault)), 300)
            else:
                over_the_wire(xml(message))

    def test_nothing(self) -> None:
        """An IQ with nothing in it is a fault."""
        for kind in KINDS.values():
            self.assertRaises(WireFault, kind.from_element, None)


class UserNames(SynchronousTestCase):
    """`parse_username`."""

    def test_normalised(self) -> None:
        """Names are as Twisted's JIDs have them."""
        for name in ("Alice", "zoë", "STRASSE", "o.b-c_1+x", "\u00c5ngstr\u00f6m"):
            self.assertEqual(parse_username(name), JID(f"{name}@example.com").user)

    def test_refused(self) -> None:
        """What cannot stand before the @ of a JID is no name."""
        for name in ("", "a b", "a@b", "a/b", "a:b", "<a>", "a&b", 'a"', "a'", "\x00", "\u00ad"):
            self.assertRaises(ValueError, parse_username, name)
        self.assertRaises(ValueError, parse_username, "x" * 1024)
        self.assertRaises(ValueError, parse_username, "ä" * 512)

    @given(st.text(max_size=20))
    def test_stable(self, text: str) -> None:
        """A name that was normalised once stays as it is; nothing else than ValueError comes."""
        try:
            name = parse_username(text)
        except ValueError:
            return
        self.assertEqual(parse_username(name), name)
        self.assertEqual(JID(f"{name}@example.com").user, name)
