"""Tests for `callbridged.logins.mechanisms.scram` and what it stands on."""

from __future__ import annotations

import base64
import hashlib

from hypothesis import given
from hypothesis import strategies as st
from scramp import ScramException, ScramMechanism
from twisted.trial.unittest import SynchronousTestCase
from twisted.words.xish.domish import Element

from bridgewire.namespaces import SASL
from bridgewire.sasl import failure_condition, sasl_data, sasl_message
from callbridged.logins.login import LoginService
from callbridged.logins.mechanisms.downgrade import offer_hash
from callbridged.logins.mechanisms.scram import MAX_MESSAGE, MAX_NONCE
from callbridged.scram_keys import ITERATIONS
from tests.callbridged.login_case import LoginCase
from tests.callbridged.people import SCHEMES, ScramUser, auth, iterations_of, salt_of

ALL = tuple(scheme + plus for plus in ("-PLUS", "") for scheme in SCHEMES)
BINDINGS = {"tls-exporter": b"\1" * 32, "tls-server-end-point": b"\2" * 48}


class Scram(LoginCase):
    """SCRAM-SHA-256, with a foreign client."""

    def test_right(self) -> None:
        """The right password lets the user in, and the server proves that it knows it too."""
        for name, password in (("alice", "wonderland"), ("zoë", "käse,=brot"), ("o=b", "x")):
            user = ScramUser(name, password)
            reply = self.log_in(user)
            self.assertEqual((reply.element.name, reply.username), ("success", name))
            user.check(reply.element)

    def test_wrong(self) -> None:
        """A wrong password fails at the proof."""
        reply = self.log_in(ScramUser("alice", "x"))
        self.assertEqual(failure_condition(reply.element), "not-authorized")
        self.assertEqual(self.service.outstanding(), 0)

    def test_unknown(self) -> None:
        """An unknown user gets a challenge like everybody, always with the same salt."""
        salts = set()
        for attempt in range(3):
            user = ScramUser("bob", "x")
            challenge = self.ask(user.first(), str(attempt)).element
            salts.add(salt_of(challenge))
            self.assertEqual(iterations_of(challenge), ITERATIONS)
            reply = self.ask(user.final(challenge), str(attempt))
            self.assertEqual(failure_condition(reply.element), "not-authorized")
        self.assertEqual(len(salts), 1)
        known = self.ask(ScramUser("alice", "x").first(), "4").element
        self.assertEqual(len(salts.pop()), len(salt_of(known)))

    def test_decoys_differ(self) -> None:
        """Two unknown users have different salts; with the same key, two services the same."""
        services = [
            LoginService(self.clock, self.backend, "example.com", decoy_key=key * 32)
            for key in (b"a", b"a", b"b")
        ]

        def salt(name: str, service: LoginService) -> bytes:
            sent = self.send(ScramUser(name, "x").first(), name, service=service)
            return salt_of(self.successResultOf(sent).element)

        salts = [salt("bob", service) for service in services]
        self.assertEqual(salts[0], salts[1])
        self.assertNotEqual(salts[0], salts[2])
        self.assertNotEqual(salts[0], salt("carol", services[0]))

    def test_binding_flags(self) -> None:
        """A client that could bind to the channel and was not offered it is let in; one that does
        so all the same is refused."""
        self.assertEqual(self.log_in(ScramUser("alice", "wonderland", "y,,")).username, "alice")
        for flag in ("p=tls-exporter", "p=tls-unique", "p=?"):
            user = ScramUser("alice", "wonderland", f"{flag},,")
            self.assertEqual(self.refused(user.first()), "malformed-request")

    def test_authzid(self) -> None:
        """An authzid is the user's own bare JID, or the login ends."""
        for authzid in ("alice@example.com", "ALICE@example.com"):
            user = ScramUser("alice", "wonderland", f"n,a={authzid},")
            reply = self.log_in(user)
            self.assertEqual(reply.username, "alice")
            user.check(reply.element)
        user = ScramUser("o=b", "x", "n,a=o=3Db@example.com,")
        self.assertEqual(self.log_in(user).username, "o=b")
        for authzid in ("bob@example.com", "alice", "alice@example.com/x", "=", "=2C"):
            user = ScramUser("alice", "wonderland", f"n,a={authzid},")
            self.assertEqual(self.refused(user.first()), "invalid-authzid", authzid)

    def test_header_repeated(self) -> None:
        """The final message has to repeat the header of the first one."""
        user = ScramUser("alice", "wonderland", "n,a=alice@example.com,")
        challenge = self.ask(user.first())
        user.client.gs2_header = ScramUser("alice", "x", "n,,").client.gs2_header
        reply = self.ask(user.final(challenge.element))
        self.assertEqual(failure_condition(reply.element), "not-authorized")

    def test_malformed_first(self) -> None:
        """A first message that is none is malformed."""
        for message in (
            "",
            "n,,",
            "n,,n=alice",
            "n,,r=abc,n=alice",
            "n,,n=,r=abc",
            "n,,n=alice,r=",
            "n,,m=x,n=alice,r=abc",
            "n,b=alice,n=alice,r=abc",
            "x,,n=alice,r=abc",
            "n,,n=al=ice,r=abc",
            "n,,n=alice\0,r=abc",
            "n=alice,r=abc",
            ",,,,,",
        ):
            condition = self.refused(auth("SCRAM-SHA-256", message))
            self.assertEqual(condition, "malformed-request", message)
        self.assertEqual(self.refused(auth("SCRAM-SHA-256", b"n,,n=\xff,r=x")), "malformed-request")

    def test_malformed_final(self) -> None:
        """A final message that is none is malformed, and the session is over."""
        for message in (b"", b"c=biws", b"c=!,r=x,p=eA==", b"\xff"):
            self.ask(ScramUser("alice", "wonderland").first())
            condition = self.refused(sasl_message("response", message))
            self.assertEqual(condition, "malformed-request", message)
            self.assertEqual(self.service.outstanding(), 0)

    def test_other_nonce(self) -> None:
        """A proof over another exchange is worth nothing."""
        first, second = ScramUser("alice", "wonderland"), ScramUser("alice", "wonderland")
        self.ask(first.first(), "1")
        replayed = second.final(self.ask(second.first(), "2").element)
        self.assertEqual(self.ask(replayed, "1").element.name, "failure")

    @given(st.text(max_size=60) | st.from_regex(r"[nyp]=?[a-z]*,(a=)?.{0,9},n=.{1,9},r=.{1,9}"))
    def test_any_first(self, message: str) -> None:
        """Whatever the first message is, the answer is a challenge or a failure."""
        data = message.encode("utf-8", errors="surrogatepass")
        reply = self.ask(auth("SCRAM-SHA-256", data))
        self.ask(Element((SASL, "abort")))
        self.assertIn(reply.element.name, ("challenge", "failure"))
        self.assertEqual(self.flushLoggedErrors(), [])

    @given(st.text(max_size=60) | st.from_regex(r"c=(biws|.{0,9}),r=.{1,9}(,p=[A-Za-z0-9]{0,8})?"))
    def test_any_final(self, message: str) -> None:
        """Whatever the final message is, the answer is a failure."""
        self.ask(ScramUser("alice", "wonderland").first())
        data = message.encode("utf-8", errors="surrogatepass")
        self.refused(sasl_message("response", data))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_scramp_refuses_authzid(self) -> None:
        """scramp takes no authzid by itself; once it does, our way around that can go."""
        server = ScramMechanism("SCRAM-SHA-256").make_server(lambda name: None)
        with self.assertRaises(ScramException) as raised:
            server.set_client_first("n,a=alice@example.com,n=alice,r=abc")
        self.assertIn("authzid", str(raised.exception))


class BindingCase(LoginCase):
    """A client on a TLS connection with channel bindings, who was shown all mechanisms."""

    def setUp(self) -> None:
        super().setUp()
        self.backend.mechanisms = frozenset({*SCHEMES, "PLAIN"})
        self.said = {"channel_bindings": BINDINGS, "offered": (*ALL, "PLAIN")}

    def bound(
        self, mechanism: str = ALL[0], binding: str = "tls-exporter", data: bytes | None = None
    ) -> ScramUser:
        data = BINDINGS[binding] if data is None else data
        return ScramUser("alice", "wonderland", f"p={binding},,", mechanism, data)


class Binding(BindingCase):
    """Channel bindings, and the rules of RFC 5802 section 6."""

    def test_mechanisms(self) -> None:
        """Each SCRAM mechanism that the backend has keys for is answered with and without -PLUS."""
        strong_first = tuple(reversed(SCHEMES))
        plus = tuple(f"{scheme}-PLUS" for scheme in strong_first)
        self.assertEqual(self.service.mechanisms, (*plus, *strong_first, "PLAIN"))

    def test_right(self) -> None:
        """A user gets in by any mechanism of the family, bound to any type that there is."""
        for scheme in SCHEMES:
            users = [ScramUser("alice", "wonderland", mechanism=scheme)]
            users += [self.bound(f"{scheme}-PLUS", binding) for binding in BINDINGS]
            for user in users:
                reply = self.log_in(user)
                self.assertEqual(reply.username, "alice", user.mechanism)
                user.check(reply.element)

    def test_any_type(self) -> None:
        """A type that nobody here has heard of will do, if the connection has it."""
        self.said["channel_bindings"] = {"tls-new": b"x"}
        self.assertEqual(self.log_in(self.bound(binding="tls-new", data=b"x")).username, "alice")

    def test_authzid(self) -> None:
        """An authzid and a channel binding go together."""
        header = "p=tls-exporter,a=alice@example.com,"
        user = ScramUser("alice", "wonderland", header, ALL[1], BINDINGS["tls-exporter"])
        self.assertEqual(self.log_in(user).username, "alice")

    def test_other_connection(self) -> None:
        """Whoever binds to another connection is not authorized, and the log says why."""
        for data in (b"\3" * 32, b"", BINDINGS["tls-server-end-point"]):
            reply = self.log_in(self.bound(data=data))
            self.assertEqual(failure_condition(reply.element), "not-authorized")
            self.assertIn("what it binds to is not this connection", self.lines()[-1])

    def test_other_type_at_the_end(self) -> None:
        """The final message has to repeat the type of the first one."""
        user = self.bound()
        challenge = self.ask(user.first())
        user.client.gs2_header = self.bound(binding="tls-server-end-point").client.gs2_header
        reply = self.ask(user.final(challenge.element))
        self.assertEqual(failure_condition(reply.element), "not-authorized")

    def test_unknown_type(self) -> None:
        """A type that the connection does not have is malformed, whether known or not."""
        self.said["channel_bindings"] = {"tls-server-end-point": b"x"}
        for binding in ("tls-exporter", "tls-unique", "x", "tls_exporter", "", "x" * 65):
            user = self.bound(binding=binding, data=b"x")
            self.assertEqual(self.refused(user.first()), "malformed-request", binding)

    def test_flag_and_mechanism(self) -> None:
        """Binding takes a -PLUS mechanism, and a -PLUS mechanism takes binding."""
        for scheme in SCHEMES:
            self.assertEqual(self.refused(self.bound(scheme).first()), "malformed-request")
            for header in ("n,,", "y,,"):
                user = ScramUser("alice", "wonderland", header, f"{scheme}-PLUS")
                self.assertEqual(self.refused(user.first()), "malformed-request")

    def test_downgrade(self) -> None:
        """A client that could bind and saw no -PLUS mechanism, though they were offered, has
        somebody in between: it is refused, and the log says so."""
        user = ScramUser("alice", "wonderland", "y,,")
        self.assertEqual(self.refused(user.first()), "not-authorized")
        self.assertIn("not-authorized, downgrade: ", self.lines()[-1])
        self.assertEqual(self.refused(ScramUser("bob", "x", "y,,").first()), "not-authorized")

    def test_no_downgrade(self) -> None:
        """The same client is right where no -PLUS was offered, or nobody knows what was; and one
        that cannot bind is right in any case."""
        for offered in ((), SCHEMES):
            self.said["offered"] = offered
            user = ScramUser("alice", "wonderland", "y,,")
            self.assertEqual(self.log_in(user).username, "alice")
        self.said["offered"] = ALL
        self.assertEqual(self.log_in(ScramUser("alice", "wonderland")).username, "alice")

    def test_unknown_user(self) -> None:
        """Unknown users look like known ones with -PLUS, too, with the salt that they have
        without it."""
        salts: dict[str, set[bytes]] = {"bob": set(), "alice": set()}
        for name, found in salts.items():
            for header, mechanism in (("n,,", SCHEMES[0]), ("p=tls-exporter,,", ALL[0])):
                user = ScramUser(name, "x", header, mechanism, BINDINGS["tls-exporter"])
                challenge = self.ask(user.first()).element
                found.add(salt_of(challenge))
                reply = self.ask(user.final(challenge))
                self.assertEqual(failure_condition(reply.element), "not-authorized")
        self.assertEqual([len(found) for found in salts.values()], [1, 1])
        known, unknown = (
            self.ask(ScramUser(name, "x", "n,,").first(), name).element for name in salts
        )
        lengths = [len(sasl_data(one) or b"") for one in (known, unknown)]
        self.assertEqual(lengths[0], lengths[1] + len(str(ITERATIONS)) - len("4096"))

    def test_keys_gone(self) -> None:
        """A mechanism that not all users have keys for any more is answered to nobody, so that a
        client may try another one; it is not as if the password was wrong."""
        backend = self.backend

        class Changing(type(backend)):  # type: ignore[misc]
            async def scram_keys(self, username: str, mechanism: str) -> object:
                self.mechanisms = frozenset({"SCRAM-SHA-256"})
                return await super().scram_keys(username, mechanism)

        for name in ("alice", "bob"):
            backend.__class__ = Changing
            backend.mechanisms = frozenset(SCHEMES)
            user = ScramUser(name, "wonderland", mechanism="SCRAM-SHA-512")
            self.assertEqual(self.refused(user.first()), "invalid-mechanism")
        self.assertNotIn("SCRAM-SHA-512", self.service.mechanisms)

    def test_limits(self) -> None:
        """A nonce and a message have their limits."""
        user = ScramUser("alice", "wonderland")
        user.first()
        for nonce, kind in (("x" * MAX_NONCE, "challenge"), ("x" * (MAX_NONCE + 1), "failure")):
            reply = self.ask(auth("SCRAM-SHA-256", f"n,,n=alice,r={nonce}"), nonce[-9:] + kind)
            self.assertEqual(reply.element.name, kind)
        for message in (f"n,,n=alice,r=x,x={'x' * MAX_MESSAGE}", b"\xff" * (MAX_MESSAGE + 1)):
            self.assertEqual(self.refused(auth("SCRAM-SHA-256", message)), "malformed-request")
        self.ask(ScramUser("alice", "x").first())
        condition = self.refused(sasl_message("response", b"c=" + b"x" * MAX_MESSAGE))
        self.assertEqual(condition, "malformed-request")


class Downgrades(BindingCase):
    """XEP-0474: clients can see whether the offer was tampered with."""

    def hash_in(self, challenge: Element) -> str:
        text = (sasl_data(challenge) or b"").decode()
        return text.split(",")[3].removeprefix("h=")

    def test_hash(self) -> None:
        """The server's first message has the hash of what was offered, by the mechanism's hash."""
        said = "\x1e".join(sorted((*ALL, "PLAIN"))) + "\x1f" + "\x1e".join(sorted(BINDINGS))
        for scheme in SCHEMES:
            challenge = self.ask(ScramUser("alice", "x", mechanism=scheme).first(), scheme).element
            digest = hashlib.new(scheme.removeprefix("SCRAM-").replace("SHA-", "sha"))
            digest.update(said.encode())
            expected = base64.b64encode(digest.digest()).decode()
            self.assertEqual(self.hash_in(challenge), expected)

    def test_no_plus(self) -> None:
        """Where no -PLUS mechanism is offered, channel binding types were not announced."""
        self.said["offered"] = SCHEMES
        challenge = self.ask(ScramUser("alice", "x").first()).element
        expected = hashlib.sha256("\x1e".join(SCHEMES).encode()).digest()
        self.assertEqual(base64.b64decode(self.hash_in(challenge)), expected)

    def test_not_said(self) -> None:
        """A server that does not say what it offered gets no hash."""
        self.said["offered"] = ()
        challenge = self.ask(ScramUser("alice", "x").first()).element
        self.assertNotIn(",h=", (sasl_data(challenge) or b"").decode())

    def test_signed(self) -> None:
        """Whoever changes the hash on the way to the client makes the login fail."""
        user = ScramUser("alice", "wonderland")
        challenge = sasl_data(self.ask(user.first()).element) or b""
        forged = sasl_message("challenge", challenge.split(b",h=")[0] + b",h=AAAA")
        reply = self.ask(user.final(forged))
        self.assertEqual(failure_condition(reply.element), "not-authorized")


class OfferHash(SynchronousTestCase):
    """The hash of XEP-0474 by itself."""

    def test_example(self) -> None:
        """The example of the XEP, section 5.3."""
        found = offer_hash(
            "sha1",
            ("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"),
            ("tls-server-end-point", "tls-exporter"),
        )
        self.assertEqual(found, "G6k/rBLDqgOhRRaCuuatSDFkJ08=")
