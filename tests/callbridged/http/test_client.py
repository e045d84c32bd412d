"""Tests of callbridged.backends.http.client: questions over HTTP, in memory."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred

from callbridged.backends.http.client import KEEP
from tests.callbridged.http.hooks import ALLOW, HOST, ClientCase, Hook, response
from tests.callbridged.network import Server


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
