"""Tests of callbridged.backends.http.client and .failures: responses that are no answers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from callbridged.backends import BackendUnavailable
from callbridged.backends.http.connection import MAX_RESPONSE
from tests.callbridged.http.hooks import ALLOW, ClientCase, Hook, response


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
