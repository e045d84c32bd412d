"""Tests of callbridged.web.sign_in, .access, .sessions, .basic, .guard: who asks, and may they?"""

from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st

from callbridged.events import ADMIN_PAUSED, ADMIN_REFUSED, ADMIN_SIGNED_IN
from callbridged.logins.guessing import FAILED_LOGINS
from callbridged.web.basic import LIFETIME as REMEMBERED_FOR
from callbridged.web.guard import NETWORK_LIMITS
from callbridged.web.sessions import MAX_PER_ACCOUNT, MAX_SESSIONS
from callbridged.web.sign_in import parse_basic
from tests.callbridged.web.administrators import IDLE, LIFETIME, AccessCase
from tests.support.http import HttpClient
from tests.support.logged import written

ORIGIN = "https://cb1.example.com:8443"


class BasicTests(AccessCase):
    """The API's callers, by name and password (RFC 7617)."""

    def test_good(self) -> None:
        """Who shows the right ones is told who they are."""
        answer = self.ask("/api", authorization=self.basic("Alice", "wonderland"))
        self.assertIn(b" 200 ", answer)
        self.assertIn(b"alice is admin from 192.0.2.7", answer)

    def test_nobody(self) -> None:
        """Without, or with something else, the answer is 401, and says how; no hash is computed."""
        for header in (None, "", "Basic", "Basic !!!", "Basic YWxpY2U=", "Bearer x", "Basic /w=="):
            answer = self.ask("/api", authorization=header)
            self.assertIn(b" 401 ", answer, header)
            self.assertIn(b'Basic realm="callbridged", charset="UTF-8"', answer)
            self.assertIn(b"unauthenticated: ", answer)
        self.assertEqual(self.checked, [])

    def test_no_text(self) -> None:
        """Headers that are no text are headers that make no sense, and no fault of ours."""
        for name in ("Authorization", "Cookie", "Origin", "Sec-Fetch-Site", "X-CSRF-Token"):
            asked = f"PUT /api HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n{name}: ".encode()
            self.assertRegex(self.client().type(asked + b"\xff\xfe\r\n\r\n"), b" 40[13] ")

    def test_wrong(self) -> None:
        """A wrong name and a wrong password have the same answer, and as much work."""
        lines = self.enterContext(written(self.clock))
        answers = [
            self.ask("/api", authorization=self.basic(name, password))
            for name, password in (("alice", "marker-1"), ("marker-2", "wonderland"), ("a b", "x"))
        ]
        bodies = {answer.split(b"\r\n\r\n")[1] for answer in answers}
        self.assertEqual(len(bodies), 1)
        self.assertIn(b"wrong: The name or the password is wrong.", bodies.pop())
        self.assertEqual(len(self.checked), 3)
        said = [line.text for line in lines if line.event is ADMIN_REFUSED]
        self.assertIn("failed sign-in of alice from 192.0.2.7", said[0])
        self.assertIn("an unknown name", said[1])
        self.assertNotIn("marker", " ".join(said))

    def test_remembered(self) -> None:
        """A script that asks again and again costs one hash a while, and one line a day."""
        lines = self.enterContext(written(self.clock))
        header = self.basic("alice", "wonderland")
        for _ in range(100):
            self.assertIn(b" 200 ", self.ask("/api", authorization=header))
        self.assertEqual(len(self.checked), 1)
        self.clock.advance(REMEMBERED_FOR)
        self.assertIn(b" 200 ", self.ask("/api", authorization=header))
        self.assertEqual(len(self.checked), 2)
        self.assertIn(b" 401 ", self.ask("/api", authorization=self.basic("alice", "wonder")))
        self.assertEqual(sum(line.event is ADMIN_SIGNED_IN for line in lines), 1)

    def test_forgotten(self) -> None:
        """What is remembered does not outlive a change of the account."""
        header = self.basic("alice", "wonderland")
        self.assertIn(b" 200 ", self.ask("/api", authorization=header))
        self.set("alice", "viewer", "wonderland")
        self.assertIn(b"alice is viewer", self.ask("/api", authorization=header))
        self.set("alice", "viewer", "another-one")
        self.assertIn(b" 401 ", self.ask("/api", authorization=header))
        self.set("alice", "admin", None)
        self.assertIn(b" 401 ", self.ask("/api", authorization=header))

    def test_guessing(self) -> None:
        """What is remembered is of no use to who guesses, from elsewhere or from beside."""
        header = self.basic("alice", "wonderland")
        for peer in ("198.51.100.1", "192.0.2.7"):
            self.assertIn(b" 200 ", self.ask("/api", authorization=header))
            answers = [
                self.ask("/api", authorization=self.basic("alice", "wrong"), peer=peer)
                for _ in range(FAILED_LOGINS.most)
            ]
            self.assertFalse(any(b" 200 " in answer for answer in answers))
            self.clock.advance(0.1)
            self.assertNotIn(b" 200 ", self.ask("/api", authorization=header, peer=peer))

    def test_viewer(self) -> None:
        """A viewer may read, and change nothing."""
        header = self.basic("bob", "builder12")
        self.assertIn(b"bob is viewer", self.ask("/api", authorization=header))
        answer = self.ask("/api", "PUT", authorization=header)
        self.assertIn(b" 403 ", answer)
        self.assertIn(b"viewer: ", answer)
        header = self.basic("alice", "wonderland")
        self.assertIn(b" 200 ", self.ask("/api", "PUT", authorization=header))

    def test_foreign_page(self) -> None:
        """A page of another site cannot use what the browser has in memory."""
        header = self.basic("alice", "wonderland")
        for more in (
            {"sec_fetch_site": "cross-site"},
            {"sec_fetch_site": "same-site"},
            {"origin": "https://evil.example"},
            {"origin": "http://cb1.example.com:8443"},
            {"origin": "https://cb1.example.com"},
            {"origin": "null"},
            {"origin": "https://[x"},
        ):
            answer = self.ask("/api", "PUT", authorization=header, **more)
            self.assertIn(b" 403 ", answer, more)
            self.assertIn(b"cross-site: ", answer)
        self.assertIn(b" 200 ", self.ask("/api", "PUT", authorization=header, origin=ORIGIN))

    @given(st.text() | st.binary().map(lambda raw: "Basic " + base64.b64encode(raw).decode()))
    def test_anything(self, header: str) -> None:
        """Whatever stands in the header, it is name and password, or nothing."""
        found = parse_basic(header)
        if found is not None:
            self.assertEqual(parse_basic(self.basic(*found)), found)

    def test_parse(self) -> None:
        """Name and password, in UTF-8; what is no Basic is nothing."""
        self.assertEqual(parse_basic(self.basic("アリス", "a:b")), ("アリス", "a:b"))
        self.assertEqual(parse_basic("bAsIc " + self.basic("a", "")[6:]), ("a", ""))
        self.assertIsNone(parse_basic("Digest x"))


class SessionTests(AccessCase):
    """The page's sessions."""

    def test_cookie(self) -> None:
        """It is for this host, https, no script and no other site, and another one each time."""
        answer = self.ask("/sign_in", "POST", "alice wonderland")
        self.assertIn(b"signed in as alice", answer)
        for attribute in (
            b"__Host-",
            b"; Path=/;",
            b"; Secure",
            b"; HttpOnly",
            b"; SameSite=Strict",
        ):
            self.assertIn(attribute, answer)
        self.assertNotIn(b"Domain", answer)
        self.assertNotEqual(self.sign_in(), self.sign_in())

    def test_page(self) -> None:
        """With the cookie a page knows whose it is; without, or with another one, nobody's."""
        cookie = self.sign_in()
        self.assertIn(b"page of alice", self.ask("/page", cookie=cookie))
        for other in (None, "x=y", cookie + "x", cookie.replace("=", "=x"), "__Host-callbridged="):
            self.assertIn(b"nobody", self.ask("/page", cookie=other))

    def test_wrong(self) -> None:
        """Where the password is wrong there is none."""
        answer = self.ask("/sign_in", "POST", "alice wrong")
        self.assertIn(b" 401 ", answer)
        self.assertNotIn(b"Set-Cookie", answer)
        self.assertEqual(len(self.sessions), 0)

    def test_foreign_sign_in(self) -> None:
        """A page of another site cannot sign anybody in."""
        answer = self.ask("/sign_in", "POST", "alice wonderland", sec_fetch_site="cross-site")
        self.assertIn(b" 403 ", answer)
        self.assertEqual((len(self.sessions), self.checked), (0, []))

    def test_sign_out(self) -> None:
        """The session ends, here and in the browser."""
        cookie = self.sign_in()
        assert self.last is not None
        self.assertIn(b"csrf: ", self.ask("/sign_out", "POST", cookie=cookie))
        self.assertIn(b"page of alice", self.ask("/page", cookie=cookie))
        answer = self.ask("/sign_out", "POST", cookie=cookie, x_form_token=self.last.token)
        self.assertIn(b"Max-Age=0", answer)
        self.assertIn(b"nobody", self.ask("/page", cookie=cookie))
        self.assertIn(b" 403 ", self.ask("/sign_out", "POST", sec_fetch_site="cross-site"))

    def test_idle(self) -> None:
        """Without a request it ends after a while; each request makes it last on."""
        cookie = self.sign_in()
        for _ in range(3):
            self.clock.advance(IDLE - 1)
            self.assertIn(b"page of alice", self.ask("/page", cookie=cookie))
        self.clock.advance(IDLE)
        self.assertIn(b"nobody", self.ask("/page", cookie=cookie))

    def test_lifetime(self) -> None:
        """However busy, it ends after its lifetime."""
        cookie = self.sign_in()
        for _ in range(int(LIFETIME / (IDLE - 1))):
            self.clock.advance(IDLE - 1)
            self.assertIn(b"page of alice", self.ask("/page", cookie=cookie))
        self.clock.advance(IDLE - 1)
        self.assertIn(b"nobody", self.ask("/page", cookie=cookie))

    def test_other_lifetime(self) -> None:
        """A shorter one counts for those that there are, too."""
        cookie = self.sign_in()
        self.clock.advance(100.0)
        self.sessions.set_lifetime(60.0, 60.0)
        self.assertIn(b"nobody", self.ask("/page", cookie=cookie))

    def test_account_changes(self) -> None:
        """It ends with the account, with its password, and with its role, and stays ended."""
        for role, password in (("viewer", "wonderland"), ("admin", "another-one"), ("admin", None)):
            self.set("alice", "admin", "wonderland")
            cookie = self.sign_in()
            self.set("alice", role, password)
            self.assertIn(b"nobody", self.ask("/page", cookie=cookie))
            self.sessions.sweep(self.access.stays)
            self.set("alice", "admin", "wonderland")
            self.assertIn(b"nobody", self.ask("/page", cookie=cookie))

    def test_other_changes(self) -> None:
        """It does not end for what becomes of others."""
        cookie = self.sign_in()
        self.set("bob", "admin", "another-one")
        self.sessions.sweep(self.access.stays)
        self.assertIn(b"page of alice", self.ask("/page", cookie=cookie))

    def test_sweep(self) -> None:
        """Those whose time is over are forgotten, whoever asks."""
        self.sign_in()
        self.clock.advance(IDLE)
        self.sessions.sweep(self.access.stays)
        self.assertEqual(len(self.sessions), 0)

    def follow(self, cookie: str) -> HttpClient:
        """A page of this session that follows."""
        client = self.client()
        self.assertIn(b"text/event-stream", client.ask("/live", cookie=cookie))
        return client

    def test_stream_ends(self) -> None:
        """What follows ends with its session, however that ends; and others go on."""
        cookie = self.sign_in()
        following, other = self.follow(cookie), self.follow(self.sign_in("bob", "builder12"))
        self.set("alice", "viewer", "wonderland")
        self.sessions.sweep(self.access.stays)
        self.assertTrue(following.read().endswith(b"0\r\n\r\n"))
        self.assertEqual((len(self.live), other.read()), (1, b""))
        other.lose()
        self.assertEqual(len(self.live), 0)

    def test_watching(self) -> None:
        """While a viewer's page follows, it is not idle; an admin's is, and no page is for ever."""
        admin, viewer = self.sign_in(), self.sign_in("bob", "builder12")
        following = [self.follow(cookie) for cookie in (admin, viewer)]
        self.clock.advance(IDLE)
        self.sessions.sweep(self.access.stays)
        self.assertEqual((len(self.sessions), len(self.live)), (1, 1))
        self.assertIn(b"page of bob", self.ask("/page", cookie=viewer))
        following[1].lose()
        self.clock.advance(IDLE)
        self.sessions.sweep(self.access.stays)
        self.assertEqual(len(self.sessions), 0)
        self.follow(self.sign_in("bob", "builder12"))
        self.clock.advance(LIFETIME)
        self.sessions.sweep(self.access.stays)
        self.assertEqual((len(self.sessions), len(self.live)), (0, 0))

    def test_bounds(self) -> None:
        """So many of one account, and so many in all: the oldest ends for a new one."""
        cookies = [self.sign_in() for _ in range(MAX_PER_ACCOUNT + 1)]
        self.assertIn(b"nobody", self.ask("/page", cookie=cookies[0]))
        self.assertIn(b"page of alice", self.ask("/page", cookie=cookies[1]))
        for number in range(MAX_SESSIONS // MAX_PER_ACCOUNT):
            self.set(f"user{number}", "viewer", "wonderland")
            for _ in range(MAX_PER_ACCOUNT):
                self.sign_in(f"user{number}")
        self.assertEqual(len(self.sessions), MAX_SESSIONS)
        self.assertIn(b"nobody", self.ask("/page", cookie=cookies[-1]))

    def test_signing_in_again(self) -> None:
        """Who signs in with a session has only the new one, by one cookie (RFC 6265, 4.1)."""
        cookie = self.sign_in()
        answer = self.ask("/sign_in", "POST", "bob builder12", cookie=cookie)
        self.assertEqual(answer.count(b"Set-Cookie: "), 1)
        self.assertIn(b"nobody", self.ask("/page", cookie=cookie))
        self.assertEqual(len(self.sessions), 1)

    def test_no_secrets_in_reprs(self) -> None:
        """A session's repr has no token in it."""
        self.sign_in()
        assert self.last is not None
        self.assertNotIn(self.last.token, repr(self.last))


class FormTests(AccessCase):
    """What changes something, from the page."""

    def setUp(self) -> None:
        super().setUp()
        self.cookie = self.sign_in()
        assert self.last is not None
        self.token = self.last.token

    def test_form(self) -> None:
        """With the session's token a form is taken, and only with that."""
        good = self.ask("/form", "POST", cookie=self.cookie, x_form_token=self.token)
        self.assertIn(b"changed by alice", good)
        self.sign_in()
        assert self.last is not None
        for token in (None, "", "x", self.token + "x", self.last.token):
            answer = self.ask("/form", "POST", cookie=self.cookie, x_form_token=token)
            self.assertIn(b" 403 ", answer)
            self.assertIn(b"csrf: ", answer)

    def test_foreign(self) -> None:
        """With the token, another site's page gets nowhere."""
        for more in ({"sec_fetch_site": "cross-site"}, {"origin": "https://evil.example"}):
            answer = self.ask("/form", "POST", cookie=self.cookie, x_form_token=self.token, **more)
            self.assertIn(b"cross-site: ", answer)

    def test_noted(self) -> None:
        """Who is signed in and may not change something is in the audit log, with where from."""
        self.ask("/form", "POST", cookie=self.cookie, x_form_token="x", peer="198.51.100.1")
        self.ask("/api", "PUT", authorization=self.basic("bob", "builder12"))
        noted = [(one.who, one.peer, one.what) for one in self.audit.latest(10)]
        self.assertIn(("alice", "198.51.100.1", "a change: csrf"), noted)
        self.assertIn(("bob", "192.0.2.7", "a change: viewer"), noted)

    def test_viewer(self) -> None:
        """A viewer with all of that may still change nothing."""
        cookie = self.sign_in("bob", "builder12")
        assert self.last is not None
        answer = self.ask("/form", "POST", cookie=cookie, x_form_token=self.last.token)
        self.assertIn(b"viewer: ", answer)

    def test_api(self) -> None:
        """A script of ours reads from the API with the cookie, and changes with the token."""
        self.assertIn(b"alice is admin", self.ask("/api", cookie=self.cookie))
        answer = self.ask("/api", "PUT", cookie=self.cookie)
        self.assertIn(b" 403 ", answer)
        self.assertIn(b"csrf: ", answer)
        good = self.ask("/api", "PUT", cookie=self.cookie, x_csrf_token=self.token, origin=ORIGIN)
        self.assertIn(b"alice is admin", good)


class GuardTests(AccessCase):
    """Guessing."""

    def guess(self, name: str, peer: str, times: int) -> bytes:
        """The answer to the last of so many wrong passwords, with some time between."""
        answer = b""
        for _ in range(times):
            answer = self.ask("/sign_in", "POST", f"{name} wrong", peer=peer)
            self.clock.advance(10.0)
        return answer

    def test_account(self) -> None:
        """An account's sign-ins are refused after many failures, from wherever it is not known."""
        lines = self.enterContext(written(self.clock))
        self.sign_in()  # from 192.0.2.7, which is known from now on
        for number in range(FAILED_LOGINS.most + 20):
            answer = self.guess("alice", f"198.51.100.{number}", 1)
        self.assertIn(b" 429 Too Many Requests", answer)
        self.assertIn(b"Retry-After: ", answer)
        self.assertIn(b"Too many sign-ins have failed. Try again in ", answer)
        right = self.ask("/sign_in", "POST", "alice wonderland", peer="203.0.113.1")
        self.assertIn(b" 429 ", right)
        self.assertIn(b" 200 ", self.ask("/sign_in", "POST", "alice wonderland"))
        (line,) = [line for line in lines if line.event is ADMIN_PAUSED]
        self.assertIn("sign-ins of 'alice' from 198.51.100.", line.text)
        self.clock.advance(FAILED_LOGINS.pause)
        right = self.ask("/sign_in", "POST", "alice wonderland", peer="203.0.113.1")
        self.assertIn(b" 200 ", right)

    def test_unknown(self) -> None:
        """A name that is not there is paused however it is spelled, and in no log: it may be a
        password."""
        lines = self.enterContext(written(self.clock))
        for name in ("marker", "MARKER") * FAILED_LOGINS.most:
            answer = self.guess(name, "198.51.100.1", 1)
        self.assertIn(b" 429 ", answer)
        (line,) = [line for line in lines if line.event is ADMIN_PAUSED]
        self.assertIn("sign-ins of an unknown name from 198.51.100.1", line.text)
        self.assertNotIn("marker", " ".join(line.text for line in lines).lower())

    def test_network(self) -> None:
        """A network's are refused after many failures, whatever names are tried."""
        lines = self.enterContext(written(self.clock))
        for number in range(NETWORK_LIMITS.most * 2):
            answer = self.guess(f"name{number}", f"2001:db8::{number:x}", 1)
        self.assertIn(b" 429 ", answer)
        (line,) = [line for line in lines if line.event is ADMIN_PAUSED]
        self.assertIn("sign-ins of everybody from 2001:db8::/64", line.text)
        self.assertIn(b" 200 ", self.ask("/sign_in", "POST", "alice wonderland"))

    def test_known_network(self) -> None:
        """Who has signed in from there before does not suffer for others behind that address."""
        self.sign_in()
        for number in range(NETWORK_LIMITS.most * 2):
            self.guess(f"name{number}", "192.0.2.7", 1)
        self.assertIn(b" 200 ", self.ask("/sign_in", "POST", "alice wonderland"))
        self.assertIn(b" 429 ", self.ask("/sign_in", "POST", "bob builder12"))

    def test_basic(self) -> None:
        """The API and the page count together."""
        for number in range(FAILED_LOGINS.most + 20):
            self.ask("/api", authorization=self.basic("bob", "wrong"), peer=f"198.51.100.{number}")
            self.clock.advance(10.0)
        self.assertIn(b" 429 ", self.ask("/sign_in", "POST", "bob builder12"))
