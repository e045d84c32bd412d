"""Tests of callbridged.backends.http.client: questions over HTTP, in memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from callbridged.backends import BackendUnavailable
from callbridged.backends.http.client import KEEP
from callbridged.backends.http.connection import MAX_RESPONSE
from tests.callbridged.http.hooks import ALLOW, HOST, Asked, Hook, response
from tests.callbridged.network import Server


class ClientCase(SynchronousTestCase):
    """A hook that tests type for."""

    def setUp(self) -> None:
        self.hook = Hook()

    def failed(self, asked: Asked, reason: str, *texts: str) -> str:
        """The question was given up for this reason, and says nothing that is secret."""
        self.assertIsInstance(asked.outcome, BackendUnavailable, asked.outcome)
        said = str(asked.outcome)
        self.assertTrue(said.startswith(f"{reason}: "), said)
        for text in texts:
            self.assertIn(text, said)
        self.assertNotIn("wonderland", said)
        self.assertNotIn("hunter2", said)
        return said

    def answered(self, text: str) -> Asked:
        """Ask, and answer."""
        asked = self.hook.ask()
        self.hook.connection().type(text)
        return asked


class RequestTests(ClientCase):
    """What goes over the wire."""

    def test_request(self) -> None:
        """A question is a POST with a token, and says how long the answer is waited for."""
        hook = Hook(bearer_token="abc")
        asked = hook.ask(4.5)
        server = hook.connection()
        head, _, body = server.read().partition("\r\n\r\n")
        lines = head.split("\r\n")
        self.assertEqual(lines[0], "POST /login HTTP/1.1")
        for line in (
            f"Host: {HOST}:8080",
            "Authorization: Bearer abc",
            "Content-Type: application/json",
            "Accept: application/json",
            "Prefer: wait=4",
            f"Content-Length: {len(body)}",
        ):
            self.assertIn(line, lines)
        self.assertIn('"password": "wonderland"', body)
        self.assertIn('"deadline": 4.5', body)
        server.type(response(ALLOW))
        self.assertEqual(asked.answer, {"result": "allow"})

    def test_no_token(self) -> None:
        """Without a token there is no Authorization."""
        self.hook.ask()
        self.assertNotIn("authorization", self.hook.connection().read().lower())

    def test_forms_of_answers(self) -> None:
        """An answer may come in chunks, by HTTP/1.0, without a length, or byte by byte."""
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"
        for text, close in (
            (head + f"Transfer-Encoding: chunked\r\n\r\n13\r\n{ALLOW}\r\n0\r\n\r\n", False),
            (head.replace("1.1", "1.0") + f"\r\n{ALLOW}", True),
            ("HTTP/1.1 102 Processing\r\n\r\n" + response(ALLOW), False),
            (response(ALLOW, more="Content-Encoding: identity\r\nConnection: close\r\n"), False),
        ):
            hook = Hook()
            asked = hook.ask()
            server = hook.connection()
            for letter in text:
                server.type(letter)
            if close:
                server.close()
            self.assertEqual(asked.answer, {"result": "allow"})


class KeptConnectionTests(ClientCase):
    """Connections are used again."""

    def kept(self) -> Server:
        """A connection that has answered one question."""
        self.hook.ask()
        server = self.hook.connection()
        server.type(response(ALLOW))
        self.hook.dialled()
        return server

    def test_used_again(self) -> None:
        """The next question goes over the same connection."""
        server = self.kept()
        asked = self.hook.ask()
        self.assertEqual(self.hook.dialled(), [])
        server.type(response(ALLOW))
        self.assertEqual(asked.answer, {"result": "allow"})

    def test_closed_meanwhile(self) -> None:
        """A connection that the server has closed is not used again."""
        self.kept().close()
        asked = self.hook.ask()
        self.hook.connection().type(response(ALLOW))
        self.assertEqual(asked.answer, {"result": "allow"})

    def test_closed_just_then(self) -> None:
        """A question that a kept connection was closed upon is asked once more, over a new one."""
        server = self.kept()
        asked = self.hook.ask()
        self.assertIn("alice", server.read())
        server.vanish()
        self.assertIs(asked.outcome, None)
        again = self.hook.connection()
        self.assertIn("alice", again.read())
        again.type(response(ALLOW))
        self.assertEqual(asked.answer, {"result": "allow"})

    def test_not_three_times(self) -> None:
        """Once more, and then no more."""
        server = self.kept()
        asked = self.hook.ask()
        server.vanish()
        self.hook.connection().vanish()
        self.failed(asked, "link-lost", "closed the connection without an answer")
        self.assertEqual(len(self.hook.dialled()), 1)

    def test_new_connection(self) -> None:
        """A server that closes a new connection upon a question is not asked again."""
        asked = self.hook.ask()
        self.hook.dialled()
        self.hook.connection().vanish()
        self.failed(asked, "link-lost", "closed the connection without an answer")
        self.assertEqual(self.hook.dialled(), [])

    def test_half_an_answer(self) -> None:
        """A question that was half answered is not asked again."""
        server = self.kept()
        asked = self.hook.ask()
        server.type(response(ALLOW)[:-5])
        server.vanish()
        self.failed(asked, "link-lost", "in the middle of its answer")
        self.assertEqual(self.hook.dialled(), [])

    def test_not_for_ever(self) -> None:
        """A connection without questions is closed, before a firewall forgets it."""
        server = self.kept()
        self.hook.pass_time(KEEP - 1)
        self.assertFalse(server.lost)
        self.hook.pass_time(2)
        self.assertTrue(server.lost)

    def test_unasked(self) -> None:
        """A server that speaks unasked is hung up on, and nobody takes that for an answer."""
        server = self.kept()
        server.type(response('{"result": "deny"}'))
        self.assertTrue(server.lost)
        asked = self.hook.ask()
        self.hook.connection().type(response(ALLOW))
        self.assertEqual(asked.answer, {"result": "allow"})

    def test_closed_in_the_end(self) -> None:
        """Closing the client closes what is kept."""
        server = self.kept()
        Deferred.fromCoroutine(self.hook.client.close())
        self.hook.settle()
        self.assertTrue(server.lost)


class PlacesTests(ClientCase):
    """There are two connections at most."""

    def test_bounded(self) -> None:
        """The third question waits, and gets the first connection that is free."""
        first, second, third = self.hook.ask(), self.hook.ask(), self.hook.ask()
        self.assertEqual(len(self.hook.dialled()), 2)
        server = self.hook.connection()
        server.type(response(ALLOW))
        self.assertEqual(second.answer, {"result": "allow"})
        server.type(response('{"result": "deny"}'))
        self.assertEqual(third.answer, {"result": "deny"})
        self.assertIs(first.outcome, None)
        self.assertEqual(self.hook.dialled(), [])

    def test_waiting_is_bounded(self) -> None:
        """Waiting for a connection counts, and says so."""
        self.hook.ask(9.0)
        self.hook.ask(9.0)
        asked = self.hook.ask(3.0)
        self.hook.pass_time(3.0)
        self.failed(asked, "timeout", "one of its connections")

    def test_freed(self) -> None:
        """Whoever gives up leaves the place to others."""
        for _ in range(3):
            late = [self.hook.ask(1.0), self.hook.ask(1.0)]
            self.hook.pass_time(1.0)
            for asked in late:
                self.failed(asked, "timeout", f"the connection to {HOST} port 8080")
        asked = self.hook.ask()
        self.hook.connection().type(response(ALLOW))
        self.assertEqual(asked.answer, {"result": "allow"})


class TimeTests(ClientCase):
    """A question is given up in time, and by whoever asked."""

    def test_no_answer(self) -> None:
        """A hook that says nothing is given up, and hung up on."""
        asked = self.hook.ask()
        server = self.hook.connection()
        self.hook.pass_time(4.5)
        self.assertIs(asked.outcome, None)
        self.hook.pass_time(0.5)
        self.failed(asked, "timeout", "what was waited for is its answer", "[http hook]")
        self.assertTrue(server.lost)

    def test_half_an_answer(self) -> None:
        """So is one that stops in the middle of the head, or of the body."""
        whole = response(ALLOW)
        for part, what in ((whole[:30], "its answer"), (whole[:-5], "the rest of its answer")):
            asked = self.hook.ask()
            server = self.hook.connection()
            server.type(part)
            self.hook.pass_time(5.0)
            self.failed(asked, "timeout", f"for is {what}")
            self.assertTrue(server.lost)

    def test_no_time(self) -> None:
        """With no time left nothing is waited for."""
        asked = self.hook.ask(0.0)
        self.hook.pass_time(0.1)
        self.failed(asked, "timeout")

    def test_cancelled(self) -> None:
        """When nobody waits any more, the connection is closed; the next question gets its own."""
        whole = response(ALLOW)
        for heard in ("", whole[:30], whole[:-5]):
            asked = self.hook.ask()
            server = self.hook.connection()
            server.type(heard)
            asked.deferred.cancel()
            self.hook.settle()
            self.assertIsInstance(asked.outcome, CancelledError)
            self.assertTrue(server.lost)
        asked = self.hook.ask()
        self.hook.connection().type(whole)
        self.assertEqual(asked.answer, {"result": "allow"})

    def test_cancelled_on_kept_connection(self) -> None:
        """A question that was given up is not asked once more, though its connection was kept."""
        self.hook.ask()
        self.hook.connection().type(response(ALLOW))
        self.hook.dialled()
        asked = self.hook.ask()
        asked.deferred.cancel()
        self.hook.settle()
        self.assertIsInstance(asked.outcome, CancelledError)
        self.assertEqual(self.hook.dialled(), [])

    def test_cancelled_early(self) -> None:
        """Giving up while connecting, and while waiting for a connection, leaves nothing behind."""
        waiting = [self.hook.ask() for _ in range(3)]
        for asked in reversed(waiting):
            asked.deferred.cancel()
            self.assertIsInstance(asked.outcome, CancelledError)
        self.hook.dialled()
        asked = self.hook.ask()
        self.assertEqual(len(self.hook.dialled()), 1)


class BadResponseTests(ClientCase):
    """What is no answer is nobody's wrong password."""

    def test_statuses(self) -> None:
        """Each status has a reason and a remedy."""
        for status, reason, text in (
            ("401 Unauthorized", "authentication-failure", "This is no user's password"),
            ("403 Forbidden", "authentication-failure", "bearer_token_file and certificate"),
            ("301 Moved", "policy", "passwords are not sent elsewhere"),
            ("307 Temporary Redirect", "policy", "url in [http hook]"),
            ("204 No Content", "protocol-error", "answers 204, and 200 is wanted"),
            ("400 Bad Request", "protocol-error", "client certificate"),
            ("404 Not Found", "protocol-error", "Correct the path"),
            ("405 Method Not Allowed", "protocol-error", "POST"),
            ("429 Too Many Requests", "resource-limit", "no room"),
            ("500 Internal Server Error", "protocol-error", "The log of its server"),
            ("502 Bad Gateway", "protocol-error", "does not run"),
            ("504 Gateway Timeout", "protocol-error", "too slow"),
            ("999 Nonsense", "protocol-error", "answers 999"),
        ):
            body = "" if status.startswith("204") else ALLOW
            more = "Location: https://elsewhere.example/?hunter2\r\n"
            asked = self.answered(response(body, status, more))
            self.failed(asked, reason, text)
            self.hook = Hook()

    def test_retry_after(self) -> None:
        """How long the hook wants to be left alone is said, if it is a number."""
        busy = "503 Service Unavailable"
        asked = self.answered(response("{}", busy, "Retry-After: 120\r\n"))
        self.failed(asked, "resource-limit", "wants 120 seconds of peace")
        self.hook = Hook()
        asked = self.answered(response("{}", busy, "Retry-After: Fri, 31 Dec 1999\r\n"))
        self.assertNotIn("1999", self.failed(asked, "resource-limit", "answers 503"))

    def test_no_json(self) -> None:
        """A page for people, and what is compressed, are no answer."""
        for answer in (
            response("<h1>hunter2</h1>", media_type="text/html"),
            response(ALLOW, media_type=""),
            response(ALLOW, more="Content-Encoding: gzip\r\n"),
        ):
            self.failed(self.answered(answer), "protocol-error", "not application/json")
            self.hook = Hook()

    def test_no_http(self) -> None:
        """Something else than HTTP is no answer."""
        for said in ("SSH-2.0-OpenSSH_9.2\r\n", "\x00\x01\x02\r\n\r\n", "HTTP/1.1 OK\r\n"):
            asked = self.hook.ask()
            server = self.hook.connection()
            server.type(said)
            self.failed(asked, "protocol-error", "is no HTTP")
            self.assertTrue(server.lost)
            self.hook = Hook()

    def test_bad_framing(self) -> None:
        """A length that is none, and chunks that are none, are no answer."""
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        for said in (
            f"{head}Content-Length: many\r\n\r\n{ALLOW}",
            f"{head}Content-Length: 5\r\nContent-Length: 6\r\n\r\n{ALLOW}",
            f"{head}Transfer-Encoding: chunked\r\n\r\nlots\r\n{ALLOW}\r\n",
            f"{head}Transfer-Encoding: gzip\r\n\r\n{ALLOW}",
        ):
            self.failed(self.answered(said), "protocol-error", "is no HTTP")
            self.hook = Hook()

    def test_too_much(self) -> None:
        """A response that is too long is given up at the limit, whatever makes it long."""
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        chunk = "400\r\n" + " " * 1024 + "\r\n"
        for beginning, more in (
            (head + "Content-Length: 1000000\r\n\r\n", " " * 1024),
            (head + "Transfer-Encoding: chunked\r\n\r\n", chunk),
            (head, "X-Header: " + "x" * 1000 + "\r\n"),
            ("", "HTTP/1.1 102 Processing\r\n\r\n" * 40),
        ):
            asked = self.hook.ask()
            server = self.hook.connection()
            server.type(beginning)
            sent = len(beginning)
            while not server.lost:
                server.type(more)
                sent += len(more)
                self.assertLess(sent, MAX_RESPONSE + 3000)
            self.failed(asked, "resource-limit", "more than 16 KiB")
            self.hook = Hook()

    def test_limit_is_for_one(self) -> None:
        """The limit is for each response: a kept connection may carry more than that."""
        long = response(ALLOW + " " * (MAX_RESPONSE // 2))
        self.hook.ask()
        server = self.hook.connection()
        for _ in range(4):
            server.type(long)
            asked = self.hook.ask()
        server.type(long)
        self.assertEqual(asked.answer, {"result": "allow"})
        self.assertEqual(len(self.hook.dialled()), 1)


class RefusedTests(ClientCase):
    """No connection."""

    def test_refused(self) -> None:
        """Nobody listens there."""
        asked = self.hook.ask()
        self.hook.refuse(HOST)
        self.hook.pass_time(1.0)
        said = self.failed(
            asked, "connect-refused", "port 8080: connection refused", "url in [http"
        )
        self.assertNotIn("xmppd", said)

    def test_back_again(self) -> None:
        """A hook that is back is asked at once."""
        self.hook.ask()
        self.hook.refuse(HOST)
        self.hook.pass_time(1.0)
        self.assertEqual(self.answered(response(ALLOW)).answer, {"result": "allow"})


class AnyResponse(SynchronousTestCase):
    """Properties: whatever a server says, the answer is bytes or BackendUnavailable."""

    def check(self, said: bytes, cuts: list[int]) -> None:
        hook = Hook()
        asked = hook.ask()
        server = hook.connection()
        pieces: list[bytes] = []
        for cut in cuts:
            pieces.append(said[:cut])
            said = said[cut:]
        for piece in [*pieces, said]:
            if not server.lost:
                server.transport.write(piece)
                hook.settle()
        if not server.lost:
            server.close()
        hook.pass_time(5.0)
        self.assertIsInstance(asked.outcome, bytes | BackendUnavailable)
        self.assertEqual(self.flushLoggedErrors(), [])

    @given(st.binary(max_size=300), st.lists(st.integers(0, 50), max_size=4))
    def test_bytes(self, said: bytes, cuts: list[int]) -> None:
        """Any bytes, in any pieces."""
        self.check(said, cuts)

    @given(
        st.integers(0, 999),
        st.lists(
            st.tuples(
                st.sampled_from(
                    ["Content-Length", "Transfer-Encoding", "Content-Type", "Connection"]
                ),
                st.sampled_from(["5", "0", "-1", "x", "chunked", "gzip", "close", "", "text/html"]),
            ),
            max_size=4,
        ),
        st.binary(max_size=60),
        st.lists(st.integers(0, 50), max_size=4),
    )
    def test_http(
        self, status: int, headers: list[tuple[str, str]], body: bytes, cuts: list[int]
    ) -> None:
        """Any status, headers that contradict each other, and any body."""
        lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers)]
        self.check("\r\n".join(lines).encode() + b"\r\n\r\n" + body, cuts)
