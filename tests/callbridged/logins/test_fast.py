"""Tests for tokens as clients use them: `callbridged.logins.tokens` and the mechanisms HT-*."""

from __future__ import annotations

import hmac
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from bridgewire.login import LoginReply, Token, TokenRequest
from bridgewire.sasl import failure_condition, sasl_data
from callbridged.logins.guests import Guests
from callbridged.logins.login import LoginService
from callbridged.logins.token_store import TokenStore
from callbridged.logins.tokens import Tokens
from tests.callbridged.accounts import Accounts
from tests.callbridged.login_case import LoginCase
from tests.callbridged.logins.test_scram import BINDINGS
from tests.callbridged.people import MemoryBackend, ScramUser, auth, plain

NONE, ENDP, EXPR = (f"HT-SHA-256-{kind}" for kind in ("NONE", "ENDP", "EXPR"))
DATA = {NONE: b"", ENDP: BINDINGS["tls-server-end-point"], EXPR: BINDINGS["tls-exporter"]}
LIFETIME = 1000.0


def proof(secret: str, mechanism: str, what: bytes = b"Initiator") -> bytes:
    return hmac.digest(secret.encode(), what + DATA[mechanism], "sha256")


class FastCase(LoginCase):
    """A service that issues tokens, with threads that work at once."""

    def setUp(self) -> None:
        super().setUp()
        self.passwords = {"alice": "wonderland", "zoë": "käse"}
        self.now = 1_000_000_000.0
        self.store = TokenStore(Path(self.mktemp()).absolute())
        self.addCleanup(self.store.close)
        self.backend = Accounts()
        self.backend.passwords = self.passwords
        self.service = self.make_service(tokens=self.make_tokens())
        self.said["channel_bindings"] = BINDINGS

    def make_tokens(self) -> Tokens:
        def in_thread(work: Any, *args: Any, **more: Any) -> Deferred[Any]:
            async def at_once() -> Any:
                return work(*args, **more)

            return Deferred.fromCoroutine(at_once())

        return Tokens(self.store, LIFETIME, in_thread, lambda: self.now)

    def want(self, mechanism: str | None, agent: str = "phone", invalidate: bool = False) -> None:
        """What the client says of tokens from now on."""
        self.said["token"] = TokenRequest(agent, mechanism, invalidate)

    def get_token(self, mechanism: str = NONE, agent: str = "phone", name: str = "alice") -> Token:
        self.want(mechanism, agent)
        token = self.ask(plain(name, self.passwords[name])).token
        assert token is not None
        self.want(None, agent)
        return token

    def use(self, secret: str, mechanism: str = NONE, name: str = "alice") -> LoginReply:
        message = name.encode() + b"\0" + proof(secret, mechanism)
        return self.ask(auth(mechanism, message))

    def refusal(self, secret: str, mechanism: str = NONE, name: str = "alice") -> str:
        reply = self.use(secret, mechanism, name)
        self.assertEqual(reply.element.name, "failure")
        return failure_condition(reply.element)


class Issuing(FastCase):
    """Who gets a token."""

    def test_asked(self) -> None:
        """Whoever asks for one gets it with the success, and the log says so, but not the token."""
        self.want(NONE)
        for reply in (
            self.ask(plain("alice", "wonderland")),
            self.log_in(ScramUser("zoë", "käse")),
        ):
            assert reply.token is not None
            self.assertEqual(reply.token.expiry, "2001-09-09T02:03:20Z")
            self.assertIn("success, with a new token (", "".join(self.lines()))
            self.assertNotIn(reply.token.secret, "\n".join(self.logged))

    def test_not_asked(self) -> None:
        """Nobody gets one unasked, nor for a mechanism that tokens are not for, nor for failing."""
        for request in (None, TokenRequest("phone"), TokenRequest("phone", "SCRAM-SHA-256")):
            self.said["token"] = request
            self.assertIsNone(self.ask(plain("alice", "wonderland")).token)
        self.want(NONE)
        self.refused(plain("alice", "x"))
        self.assertFalse(self.store.path.exists())

    def test_old_password(self) -> None:
        """A SCRAM exchange that began before the password changed gives a token that is void."""
        self.want(NONE)
        user = ScramUser("alice", "wonderland")
        challenge = self.ask(user.first())
        self.passwords["alice"] = "other"
        token = self.ask(user.final(challenge.element)).token
        assert token is not None
        self.assertEqual(self.refusal(token.secret), "credentials-expired")

    def test_guests(self) -> None:
        """Guests get none."""
        self.service = self.make_service(tokens=self.make_tokens(), guests=Guests(self.clock))
        self.want(NONE)
        reply = self.ask(auth("ANONYMOUS", ""))
        self.assertTrue((reply.username or "").startswith("guest"))
        self.assertIsNone(reply.token)

    def test_broken_store(self) -> None:
        """Where none can be kept, the login succeeds without; the log says why, once."""
        self.store.path.parent.write_text("in the way")
        self.want(NONE)
        for _ in range(3):
            self.assertIsNone(self.ask(plain("alice", "wonderland")).token)
        self.assertEqual(sum("no token was issued: " in line for line in self.logged), 1)

    def test_offer(self) -> None:
        """The mechanisms are there where tokens are, and the backend knows its accounts."""
        self.assertEqual(self.service.mechanisms[-3:], (EXPR, ENDP, NONE))
        self.assertFalse([name for name in self.make_service().mechanisms if "HT-" in name])
        service = LoginService(
            self.clock, MemoryBackend(), "example.com", tokens=self.make_tokens()
        )
        self.assertFalse([name for name in service.mechanisms if "HT-" in name])


class Using(FastCase):
    """Logins with a token."""

    def test_right(self) -> None:
        """A token lets its user in again and again, and the server proves that it knows it."""
        for mechanism in (NONE, ENDP, EXPR):
            secret = self.get_token(mechanism).secret
            for name in ("alice", "ALICE"):
                reply = self.use(secret, mechanism, name)
                self.assertEqual((reply.username, reply.token), ("alice", None))
                expected = proof(secret, mechanism, b"Responder")
                self.assertEqual(sasl_data(reply.element), expected)

    def test_wrong(self) -> None:
        """Another token, user or user agent is not authorized, as is a user who does not exist."""
        secret = self.get_token().secret
        self.assertEqual(self.refusal("x"), "not-authorized")
        for name in ("zoë", "bob", "a b"):
            self.assertEqual(self.refusal(secret, name=name), "not-authorized")
        self.want(None, "laptop")
        self.assertEqual(self.refusal(secret), "not-authorized")

    def test_other_mechanism(self) -> None:
        """A token is for the mechanism that it was asked for, and no weaker one."""
        secret = self.get_token(EXPR).secret
        for mechanism in (NONE, ENDP):
            self.assertEqual(self.refusal(secret, mechanism), "not-authorized")

    def test_other_connection(self) -> None:
        """A bound proof is for its connection; one that cannot be bound to is malformed."""
        secret = self.get_token(EXPR).secret
        self.said["channel_bindings"] = {"tls-exporter": b"other"}
        self.assertEqual(self.refusal(secret, EXPR), "not-authorized")
        self.said["channel_bindings"] = {}
        self.assertEqual(self.refusal(secret, EXPR), "malformed-request")

    def test_no_agent(self) -> None:
        """Without a user agent there is no token to look for."""
        secret = self.get_token().secret
        self.said["token"] = None
        self.assertEqual(self.refusal(secret), "malformed-request")

    def test_malformed(self) -> None:
        """What is no message of SASL HT is malformed."""
        self.want(None)
        for data in (b"", b"alice", b"\0x", b"alice\0", b"\xff\0x", b"a\0" + b"x" * 2048):
            self.assertEqual(self.refused(auth(NONE, data)), "malformed-request", data)

    @given(st.binary(max_size=100))
    def test_any_octets(self, data: bytes) -> None:
        """Whatever comes, it is refused."""
        self.want(None)
        self.assertIn(self.refused(auth(NONE, data)), ("malformed-request", "not-authorized"))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_broken_store(self) -> None:
        """Where nobody can look, the failure is temporary, and the log has the remedy."""
        self.get_token()
        self.store.close()
        self.store.path.write_bytes(b"nonsense" * 200)
        self.assertEqual(self.refusal("x"), "temporary-auth-failure")
        self.assertIn("Remove it: its users log in", self.lines()[-1])


class Ending(FastCase):
    """When a token is over."""

    def test_expired(self) -> None:
        """After its time the client hears that, and can ask for the password."""
        secret = self.get_token().secret
        self.now += LIFETIME
        self.assertEqual(self.refusal(secret), "credentials-expired")

    def test_new_password(self) -> None:
        """Another password ends the user's tokens."""
        secret = self.get_token().secret
        self.passwords["alice"] = "other"
        self.assertEqual(self.refusal(secret), "credentials-expired")
        self.assertEqual(self.refusal(secret), "not-authorized")

    def test_user_removed(self) -> None:
        """A user who is removed has no tokens any more, also when the name comes back."""
        secret = self.get_token().secret
        password = self.passwords.pop("alice")
        self.assertEqual(self.refusal(secret), "not-authorized")
        self.passwords["alice"] = password
        self.assertEqual(self.refusal(secret), "not-authorized")

    def test_rotation(self) -> None:
        """When half of its time is over a token brings a new one, unasked, for the same mechanism;
        the old one counts until that is used."""
        old = self.get_token(EXPR).secret
        self.now += LIFETIME / 2 - 1
        self.assertIsNone(self.use(old, EXPR).token)
        self.now += 1
        first, second = (self.use(old, EXPR).token for _ in range(2))
        assert first is not None
        assert second is not None
        self.assertEqual(self.refusal(first.secret, EXPR), "not-authorized")
        self.assertIsNone(self.use(second.secret, EXPR).token)
        self.assertEqual(self.refusal(old, EXPR), "not-authorized")
        self.now += LIFETIME / 2 - 1
        self.assertEqual(self.use(second.secret, EXPR).username, "alice")

    def test_asked_again(self) -> None:
        """With a token one may ask for the next, also for another mechanism."""
        old = self.get_token().secret
        self.want(ENDP)
        new = self.use(old).token
        assert new is not None
        self.want(None)
        self.assertEqual(self.use(new.secret, ENDP).username, "alice")
        self.assertEqual(self.refusal(old), "not-authorized")

    def test_invalidate(self) -> None:
        """A client may use its token for the last time: no new one comes, unless it asks."""
        secret = self.get_token().secret
        self.now += LIFETIME - 1
        self.want(None, invalidate=True)
        self.assertIsNone(self.use(secret).token)
        self.assertEqual(self.refusal(secret), "not-authorized")
        secret = self.get_token().secret
        self.want(NONE, invalidate=True)
        new = self.use(secret).token
        assert new is not None
        self.want(None)
        self.assertEqual(self.use(new.secret).username, "alice")

    def test_stop(self) -> None:
        """The file is closed with the daemon, and tokens are there when it is back."""
        secret = self.get_token().secret
        tokens = self.make_tokens()
        tokens.startService()
        tokens.stopService()
        self.assertEqual(self.use(secret).username, "alice")
