"""Tests of xmppd.web.stream: the client's stream over WebSocket."""

from __future__ import annotations

from xml.etree import ElementTree

from twisted.words.xish.domish import Element
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from bridgewire.namespaces import CLIENT
from tests.support.websocket import FRAMING, Browser, message, texts
from tests.xmppd.client_case import AUTH
from tests.xmppd.web.case import WebCase
from xmppd.web.keepalive import PING_INTERVAL, PING_TIMEOUT

CLOSE = f"<close xmlns='{FRAMING}'/>"
MESSAGE = f"<message xmlns='{CLIENT}' id='1'><body>hello</body></message>"


class StreamCase(WebCase):
    """Knows the end of a stream when it sees one."""

    def assert_ended(self, browser: Browser, events: list[object], condition: str) -> None:
        *_, error, close, frame = events
        self.assertIn(f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'", error.data)
        self.assertIn("xmlns:stream='http://etherx.jabber.org/streams'", error.data)
        self.assertEqual(close.data, CLOSE)
        self.assertIsInstance(frame, CloseConnection)


class StreamTests(StreamCase):
    """The way to a session."""

    def test_open(self) -> None:
        """<open/> is answered in kind, and with features that stand by themselves."""
        self.opened()
        opened, features = self.opening
        self.assertTrue(opened.startswith(f"<open xmlns='{FRAMING}'"))
        self.assertIn('from="example.com"', opened)
        self.assertIn('version="1.0"', opened)
        self.assertTrue(features.startswith("<stream:features xmlns:stream="), features)
        self.assertIn("<mechanism>PLAIN</mechanism>", features)
        self.assertNotIn("starttls", features)

    def test_login(self) -> None:
        """SASL, a new <open/>, a resource; each answer is one message with its namespace."""
        browser = self.opened()
        browser.say(AUTH)
        self.bridge.reply("success", "alice")
        (success,) = texts(browser.hear())
        self.assertTrue(success.startswith("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"))
        opened, features = browser.open()
        self.assertIn("<bind ", features)
        self.assertNotEqual(opened, self.opening[0])
        (bound,) = texts(
            browser.say(
                "<iq xmlns='jabber:client' type='set' id='b'>"
                "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
            )
        )
        self.assertTrue(bound.startswith("<iq xmlns='jabber:client'"), bound)
        self.assertIn("alice@example.com/", bound)

    def test_stanza_namespace(self) -> None:
        """A stanza from a component's stream, or one with no namespace, is jabber:client here."""
        browser = self.logged_in()
        (stream,) = self.clients.open
        for uri in (None, "jabber:component:accept", CLIENT):
            stanza = Element((uri, "message"))
            stanza.addElement((uri, "body"), content="x")
            stream.stream.send(stanza)
            (text,) = texts(browser.hear())
            self.assertEqual(text, "<message xmlns='jabber:client'><body>x</body></message>")

    def test_prefixed_stanza(self) -> None:
        """A stanza whose sender gave its namespace a prefix has it as the default here."""
        browser = self.logged_in()
        browser.say("<presence xmlns='jabber:client'/>")
        (text,) = texts(
            browser.say(
                "<c:message xmlns:c='jabber:client' xmlns='urn:x' id='1'>"
                "<c:body>hello</c:body><thing c:of='mine'/></c:message>"
            )
        )
        self.assertTrue(text.startswith("<message xmlns='jabber:client' "), text)
        self.assertIn("<body>hello</body>", text)
        thing = ElementTree.fromstring(text).find("{urn:x}thing")
        assert thing is not None
        self.assertEqual(thing.attrib, {f"{{{CLIENT}}}of": "mine"})

    def test_message_to_self(self) -> None:
        """A message comes back as one message with its namespace."""
        browser = self.logged_in()
        browser.say("<presence xmlns='jabber:client'/>")
        (text,) = texts(browser.say(MESSAGE))
        self.assertTrue(text.startswith("<message xmlns='jabber:client'"), text)

    def test_fragments(self) -> None:
        """A message may come in fragments, with pings in between."""
        browser = self.logged_in()
        browser.say("<presence xmlns='jabber:client'/>")
        first, second, third = message(MESSAGE, 5, 30)
        events = browser.send(first, Ping(b"x"), second, third)
        self.assertEqual(events[0], Pong(b"x"))
        self.assertEqual(len(texts(events)), 1)

    def test_second_open(self) -> None:
        """A second <open/>, and one that comes before our answer to SASL, ends the stream."""
        browser = self.opened()
        self.assert_ended(
            browser, browser.say(f"<open xmlns='{FRAMING}' to='example.com'/>"), "bad-format"
        )

    def test_before_open(self) -> None:
        """Whatever comes in front of <open/> ends the stream, after one of our own."""
        browser = self.upgraded()
        events = browser.say(AUTH)
        self.assertIn("<open ", events[0].data)
        self.assert_ended(browser, events, "bad-format")
        self.assertEqual(self.bridge.asked, [])

    def test_restart_needs_open(self) -> None:
        """After login, a stanza before the new <open/> ends the stream."""
        browser = self.opened()
        browser.say(AUTH)
        self.bridge.reply("success", "alice")
        browser.hear()
        self.assert_ended(browser, browser.say(MESSAGE), "bad-format")

    def test_header_faults(self) -> None:
        """A wrong domain or version is refused as over TCP, inside of an open stream."""
        for to, version, condition in (
            ("example.net", "1.0", "host-unknown"),
            (None, "1.0", "improper-addressing"),
            ("example.com", "0.9", "unsupported-version"),
        ):
            browser = self.upgraded()
            address = f" to='{to}'" if to else ""
            events = browser.say(f"<open xmlns='{FRAMING}'{address} version='{version}'/>")
            self.assertIn("<open ", events[0].data)
            self.assert_ended(browser, events, condition)

    def test_login_timeout(self) -> None:
        """Who does not log in in time is told so and cut off."""
        browser = self.opened()
        self.clock.advance(31)
        self.assert_ended(browser, browser.hear(), "connection-timeout")
        self.clock.advance(6)
        self.assertTrue(browser.transport.aborted)

    def test_tcp_header(self) -> None:
        """A stream header as over TCP is not well-formed here."""
        browser = self.upgraded()
        events = browser.say("<stream:stream xmlns='jabber:client' xmlns:stream='x' to='y'>")
        self.assert_ended(browser, events, "not-well-formed")


class BadFramesTests(StreamCase):
    """What ends a stream, with which condition and which code of RFC 6455."""

    def test_bad_frames(self) -> None:
        """Each breach ends this stream, and no other."""
        other = self.logged_in()
        for data, condition, code in (
            (b"\x82\x81\0\0\0\0x", "bad-format", 1003),  # binary
            (b"\x81\x81\0\0\0\0\xff", "not-well-formed", 1007),  # not UTF-8
            (b"\x81\x01x", "bad-format", 1002),  # not masked
            (b"\xc1\x81\0\0\0\0x", "bad-format", 1002),  # an extension's bit
            (b"\x83\x80\0\0\0\0", "bad-format", 1002),  # an opcode that there is not
            (b"\x80\x80\0\0\0\0", "bad-format", 1002),  # the rest of no message
            (b"\x09\x80\0\0\0\0", "bad-format", 1002),  # a ping in fragments
            (b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff", "bad-format", 1002),  # 2^64 bytes
            (b"\x88\x81\0\0\0\0x", "bad-format", 1002),  # half a status code
            (b"\x81\x84\0\0\0\0text", "bad-format", 1008),
        ):
            browser = self.opened()
            browser.transport.clear()
            browser.frames.receive_data(browser.type(data))
            events = list(browser.frames.events())
            self.assert_ended(browser, events, condition)
            self.assertEqual(events[-1].code, code, data)
            self.assertTrue(browser.hung_up)
            self.assertEqual(browser.type(b"\x89\x80\0\0\0\0"), b"")
        self.assertEqual(len(texts(other.say(MESSAGE))), 1)
        self.assertFalse(other.hung_up)

    def test_truncated_frame(self) -> None:
        """A connection that ends within a frame is gone, and nothing else happens."""
        browser = self.opened()
        browser.type(b"\x81\xfe\x10")
        browser.lose()
        self.assertEqual(self.clients.open, set())
        self.assertEqual(self.places, 0)

    def test_oversize(self) -> None:
        """A message over the limit is refused while it is on its way."""
        browser = self.opened()
        browser.send(TextMessage("<auth xmlns='x'>", message_finished=False))
        events: list[object] = []
        for _ in range(10):
            if not events:
                events = browser.send(TextMessage("x" * 1000, message_finished=False))
        self.assert_ended(browser, events, "policy-violation")

    def test_announced_size(self) -> None:
        """What a frame claims as its length takes no memory before it comes."""
        browser = self.opened()
        self.assertEqual(browser.type(b"\x81\xff\0\0\0\x7f\xff\xff\xff\xff\0\0\0\0<"), b"")
        self.assertFalse(browser.hung_up)


class ClosingTests(WebCase):
    """Both layers' ways of closing."""

    def test_client_closes(self) -> None:
        """<close/> is answered with <close/>, then the WebSocket is closed, then the connection."""
        browser = self.logged_in()
        close, frame = browser.say(CLOSE)
        self.assertEqual(close.data, CLOSE)
        self.assertEqual(frame.code, 1000)
        self.assertEqual(len(self.sessions), 0)
        self.assertFalse(browser.hung_up)
        browser.send(frame.response())
        self.assertTrue(browser.hung_up)

    def test_no_answer(self) -> None:
        """A client that does not follow is cut off."""
        browser = self.logged_in()
        browser.say(CLOSE)
        self.clock.advance(5)
        self.assertTrue(browser.transport.aborted)

    def test_page_closed(self) -> None:
        """A WebSocket that is closed without <close/> is closed in kind, and the stream is lost."""
        browser = self.logged_in()
        (frame,) = browser.close()
        self.assertEqual(frame.code, 1000)
        self.assertTrue(browser.hung_up)
        browser.lose()
        self.assertEqual(len(self.sessions), 0)

    def test_server_finishes(self) -> None:
        """When we close first, the client's <close/> is waited for."""
        browser = self.logged_in()
        (stream,) = self.clients.open
        stream.stream.finish()
        (close,) = browser.hear()
        self.assertEqual(close.data, CLOSE)
        self.assertEqual(texts(browser.say(MESSAGE)), [])
        (frame,) = browser.say(CLOSE)
        self.assertIsInstance(frame, CloseConnection)
        browser.send(frame.response())
        self.assertTrue(browser.hung_up)

    def test_shutdown(self) -> None:
        """A server that stops tells everybody, and waits for nobody's <close/>."""
        browser = self.logged_in()
        self.clients.close()
        error, close, frame = browser.hear()
        self.assertIn("<system-shutdown ", error.data)
        self.assertEqual(close.data, CLOSE)
        self.assertIsInstance(frame, CloseConnection)

    def test_fault_while_closing(self) -> None:
        """Who breaks a rule instead of closing is hung up on, once, and not heard any more."""
        browser = self.logged_in()
        (stream,) = self.clients.open
        stream.stream.finish()
        browser.hear()
        self.assertEqual(browser.send(TextMessage("no"), TextMessage("no"), Ping()), [])
        self.assertTrue(browser.hung_up)

    def test_binary_after_close(self) -> None:
        """What still comes then is neither read nor answered."""
        browser = self.logged_in()
        browser.say(CLOSE)
        self.assertEqual(browser.type(b"\x82\x81\0\0\0\0x"), b"")


class KeepaliveTests(WebCase):
    """Pings from both ends."""

    def test_ping(self) -> None:
        """A ping is answered with what is in it."""
        self.assertEqual(self.opened().send(Ping(b"hello")), [Pong(b"hello")])

    def test_idle(self) -> None:
        """A silent peer is pinged; if it answers it stays."""
        browser = self.logged_in()
        for _ in range(3):
            self.clock.advance(PING_INTERVAL)
            (ping,) = browser.hear()
            self.assertIsInstance(ping, Ping)
            browser.send(ping.response())
            self.clock.advance(PING_TIMEOUT)
            self.assertFalse(browser.hung_up)
            self.clock.advance(PING_INTERVAL - PING_TIMEOUT)
            (ping,) = browser.hear()
            browser.send(ping.response())

    def test_dead(self) -> None:
        """If it does not, it is cut off."""
        browser = self.logged_in()
        self.clock.advance(PING_INTERVAL)
        self.clock.advance(PING_TIMEOUT)
        self.assertTrue(browser.transport.aborted)
        browser.lose()
        self.assertEqual(len(self.sessions), 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class BackpressureTests(WebCase):
    """A peer that does not read."""

    def test_stanzas(self) -> None:
        """After 1 MiB that waits for it the stream ends."""
        browser = self.logged_in()
        (owner,) = self.clients.open
        stream = owner.stream
        browser.transport.producer.pauseProducing()
        stanza = f"<message xmlns='jabber:client'><body>{'x' * 100_000}</body></message>"
        for _ in range(10):
            stream.send(stanza)
        self.assertGreater(stream.unsent, 1_000_000)
        self.assertFalse(stream.closing)
        stream.send(stanza)
        self.assertTrue(stream.closing)
        self.assert_resource_constraint(browser)

    def test_reads_again(self) -> None:
        """One that catches up owes nothing."""
        browser = self.logged_in()
        (owner,) = self.clients.open
        browser.transport.producer.pauseProducing()
        owner.stream.send("<message xmlns='jabber:client'/>")
        self.assertGreater(owner.stream.unsent, 0)
        browser.transport.producer.resumeProducing()
        self.assertEqual(owner.stream.unsent, 0)

    def test_pings(self) -> None:
        """Answers to pings count as well."""
        browser = self.logged_in()
        browser.transport.producer.pauseProducing()
        pings = [Ping(b"x" * 125)] * 1000
        for _ in range(9):
            if not browser.hung_up:
                browser.wrapper.dataReceived(b"".join(map(browser.frames.send, pings)))
        self.assertTrue(browser.hung_up)
        self.assert_resource_constraint(browser)

    def assert_resource_constraint(self, browser: Browser) -> None:
        self.assertIn(b"<resource-constraint ", browser.read())


class OwnErrorTests(WebCase):
    """Errors of ours."""

    def test_ends_one_stream(self) -> None:
        """An exception while an element is handled is logged, and ends this stream alone."""
        browser, other = self.logged_in(), self.logged_in()
        streams = {stream.stream.transport: stream for stream in self.clients.open}
        broken = streams[browser.wrapper]
        broken.element = lambda element: 1 / 0
        error, close, _ = browser.say(MESSAGE)
        self.assertIn("<internal-server-error ", error.data)
        self.assertEqual(close.data, CLOSE)
        self.assertFalse(other.hung_up)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_bytes_message_type(self) -> None:
        """A binary message in fragments ends the stream with its first one."""
        browser = self.opened()
        events = browser.send(BytesMessage(b"x", message_finished=False))
        self.assertIn("<bad-format ", texts(events)[0])
