"""Users behind a web hook: Node's HTTPS server, asked by callbridged for clients of xmppd."""

from __future__ import annotations

from cryptography import x509

from tests.integration.backends.logins import LoginCase, Stopwatch, backends, one_bridge
from tests.support.ca import CertificateAuthority
from tests.support.rawstream import RawStream, plain
from tests.support.shared import shared_site
from tests.support.site import Site, making
from tests.support.web_hook import WebHook, user

XMPP_ADDRESS = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.5")
USERS = {
    "bob": user("builder"),
    "zoë": user("käse €"),
    "locked": user("builder", result="disabled"),
    "old": user("builder", result="expired"),
    "mail%x": user("builder", username="bob"),
}
#: mode of the hook -> what the log says.
NONSENSE = {
    "hang-up": "link-lost: The web hook closed the connection without an answer",
    "cut-off": "link-lost: The web hook closed the connection in the middle of its answer",
    "not-http": "protocol-error: What the web hook answers is no HTTP",
    "redirect": "policy: The web hook answers 307",
    "broken": "protocol-error: The web hook answers 500",
    "busy": "resource-limit: The web hook answers 503: .* wants 30 seconds of peace",
    "page": "protocol-error: The web hook's answer is not application/json",
    "compressed": "protocol-error: The web hook's answer is not application/json",
    "huge": "resource-limit: The web hook's answer has more than 16 KiB",
    "endless-head": "resource-limit: The web hook's answer has more than 16 KiB",
    "empty": "answer to check-password is not JSON",
    "not-json": "answer to check-password is not JSON",
    "not-utf-8": "answer to check-password is not UTF-8",
    "twice": "answer to check-password has the same member twice",
    "nan": "answer to check-password is not JSON: NaN",
    "deep": "answer to check-password is n",
    "array": "answer to check-password is JSON, and no object",
    "wrong-type": "answer to check-password has a result that is none of",
    "unknown-result": "answer to check-password has a result that is none of",
    "unknown-member": "answer to check-password has other members than result and username",
    "no-user": "answer to check-password has a username that cannot stand before the @",
}


class HookSite(Site):
    """One Call Bridge with users behind a hook and others in a file."""

    def __init__(self) -> None:
        super().__init__()
        self.hook = WebHook(self.directory / "hook", self.ca, USERS, client_certificate=True)
        self.users_ca = CertificateAuthority(self.directory / "users-ca", "Users CA")

    def close(self) -> None:
        self.hook.process.kill()
        super().close()


def make_site() -> HookSite:
    """Started; the hook is asked first."""
    with making(HookSite()) as site:
        site.hook.start()
        users_ca = site.users_ca.certificate_path
        one_bridge(
            site,
            {
                "users": backends("http:hook", f"file:{site.users}"),
                "http hook": site.hook.settings(timeout="1s", connections=4),
                "tls": {"user_ca": users_ca},
            },
            {"tls": {"client_ca": users_ca}},
        )
    return site


class HookCase(LoginCase):
    """The site of a class, with a hook that behaves."""

    site: HookSite

    def setUp(self) -> None:
        site = shared_site(type(self), make_site)
        assert isinstance(site, HookSite)
        self.site, self.hook = site, site.hook
        self.hook.behave(USERS, 0)
        self.since = self.hook.process.mark()
        self.bridge = site.bridges[0]
        self.logged = self.bridge.process.mark()

    def said(self, pattern: str) -> None:
        """The Call Bridge has logged this; since its start, as it does not repeat itself."""
        self.bridge.process.wait_for(pattern)


class AnswerTests(HookCase):
    """A hook that answers."""

    def test_password(self) -> None:
        """A user gets in with PLAIN, and the hook hears who asks, from where, and until when."""
        self.assert_in(self.log_in("bob", "builder"), "bob")
        (question,) = self.hook.questions(self.since)
        self.assertEqual(
            {name: question[name] for name in ("version", "method", "username", "mechanism")},
            {"version": 1, "method": "check-password", "username": "bob", "mechanism": "PLAIN"},
        )
        self.assertRegex(question["peer"], r"^127\.")
        self.assertTrue(0.5 < question["deadline"] <= 1.0, question)
        self.assertEqual(question["shown"], "hook-client")
        self.assertRegex(question["wait"], r"^wait=[01]$")

    def test_scram(self) -> None:
        """A user gets in with SCRAM, and the hook never sees the password."""
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-1"):
            self.assert_in(self.log_in("bob", "builder", mechanism=mechanism), "bob")
            question = self.hook.questions(self.since)[-1]
            self.assertEqual(question["method"], "scram-keys")
            self.assertEqual(question["mechanism"], mechanism)

    def test_wrong(self) -> None:
        """A wrong password, and a user who does not exist, are told the same."""
        for mechanism in ("PLAIN", "SCRAM-SHA-256"):
            for name in ("bob", "nobody"):
                self.assert_refused(self.log_in(name, "x", mechanism=mechanism), "not-authorized")

    def test_letters(self) -> None:
        """Names and passwords may have any letters."""
        for mechanism in ("PLAIN", "SCRAM-SHA-256"):
            self.assert_in(self.log_in("zoë", "käse €", mechanism=mechanism), "zoë")

    def test_refused(self) -> None:
        """Who is locked, or whose password has run out, hears it after the right password alone."""
        for name, condition in (("locked", "account-disabled"), ("old", "credentials-expired")):
            for mechanism in ("PLAIN", "SCRAM-SHA-256"):
                self.assert_refused(self.log_in(name, "builder", mechanism=mechanism), condition)
                self.assert_refused(self.log_in(name, "x", mechanism=mechanism), "not-authorized")

    def test_other_name(self) -> None:
        """Who logs in by an alias is let in under the name that the hook says."""
        for mechanism in ("PLAIN", "SCRAM-SHA-256"):
            self.assert_in(self.log_in("mail%x", "builder", mechanism=mechanism), "bob")

    def test_nothing_kept(self) -> None:
        """A password that is changed counts at once."""
        self.assert_in(self.log_in("bob", "builder"), "bob")
        self.hook.behave({"bob": user("digger")})
        self.assert_refused(self.log_in("bob", "builder"), "not-authorized")
        self.assert_in(self.log_in("bob", "digger"), "bob")

    def test_certificate(self) -> None:
        """A user's certificate counts while the hook says that there is such a user."""
        octets = b"bob@example.com"
        name = x509.OtherName(XMPP_ADDRESS, bytes([0x0C, len(octets)]) + octets)
        shown = self.site.users_ca.issue("bob", other=[name])
        self.assert_in(self.log_in("bob", "", mechanism="EXTERNAL", certificate=shown), "bob")
        self.assertEqual(self.hook.questions(self.since)[0]["method"], "account")
        self.hook.behave({})
        refused = self.log_in("bob", "", mechanism="EXTERNAL", certificate=shown)
        self.assert_refused(refused, "not-authorized")

    def test_connection_kept(self) -> None:
        """Questions one after the other go over one connection."""
        for _ in range(3):
            self.assert_in(self.log_in("bob", "builder"), "bob")
        connections = {one["connection"] for one in self.hook.questions(self.since)}
        self.assertEqual(len(connections), 1)

    def test_connections_bounded(self) -> None:
        """More logins than connections wait for their turn."""
        self.hook.behave(delay=50)
        logins = self.log_in_together(*[("bob", "builder")] * 12)
        for login in logins:
            self.assert_in(login, "bob")
        connections = {one["connection"] for one in self.hook.questions(self.since)}
        self.assertLessEqual(len(connections), 4)

    def test_secrets(self) -> None:
        """Neither passwords nor the token are in any log."""
        self.log_in("bob", "builder")
        self.log_in("bob", "a-password-to-look-for")
        for daemon in (*self.site.servers, *self.site.bridges):
            for secret in ("builder", "a-password-to-look-for", self.hook.token):
                self.assertNotIn(secret, daemon.process.text())


class FailingTests(HookCase):
    """A hook that does not answer as it should."""

    def fails(self) -> float:
        """Bob hears that nobody could look, while alice, who is in the file, gets in.

        Answers the seconds that it took her.
        """
        with Stopwatch() as watch:
            bob, alice = self.log_in_together(("bob", "builder"), ("alice", "wonderland"))
        self.assert_refused(bob, "temporary-auth-failure")
        self.assert_in(alice, "alice")
        self.assertLess(alice.seconds, 3.0, self.explain(alice))  # less than three timeouts
        return watch.seconds

    def works(self) -> None:
        """It is asked again, with nothing done."""
        self.hook.behave(USERS, 0)
        self.assert_in(self.log_in("bob", "builder"), "bob")

    def test_nonsense(self) -> None:
        """Each kind of nonsense is told as such, is nobody's wrong password, and is forgotten."""
        for mode, text in NONSENSE.items():
            self.hook.behave(mode=mode)
            self.fails()
            self.said(f"user backend cannot look: http:hook: .*{text}")
        self.works()
        log = self.bridge.process.text()
        self.assertNotIn("Traceback", log)
        self.assertNotIn("builder", log)

    def test_stopped(self) -> None:
        """While it is down nobody waits for it; when it is back it is asked."""
        self.assert_in(self.log_in("bob", "builder"), "bob")
        self.hook.stop()
        self.fails()
        self.said("http:hook: connect-refused: No connection to 127.0.0.1 port")
        self.hook.start()
        self.works()

    def test_restarted(self) -> None:
        """A restart between two logins is not noticed, though connections were kept."""
        self.log_in_together(*[("bob", "builder")] * 4)
        self.hook.stop()
        self.hook.start()
        for login in self.log_in_together(*[("bob", "builder")] * 4):
            self.assert_in(login, "bob")

    def test_frozen(self) -> None:
        """One that is frozen is given up in time."""
        self.hook.pause()
        try:
            self.fails()
        finally:
            self.hook.resume()
        self.said("http:hook: timeout: The web hook took too long")
        self.works()

    def test_slow(self) -> None:
        """One that is slower than the timeout is hung up on, and sees it."""
        self.hook.behave(delay=5000)
        self.assertLess(self.fails(), 4.0)
        self.hook.process.wait_for('"gave-up"', self.since)
        self.said("what was waited for is its answer")
        self.works()

    def test_half(self) -> None:
        """Half a head, half a body, and then silence."""
        for mode, what in (("half-head", "its answer"), ("half", "the rest of its answer")):
            self.hook.behave(mode=mode)
            self.fails()
            self.said(f"what was waited for is {what}")
        self.works()

    def test_client_gone(self) -> None:
        """When the client goes away the hook hears it, and need not go on looking."""
        self.hook.behave(delay=900)
        server = self.site.servers[0]
        stream = RawStream(server.address, server.client_port)
        stream.start_tls(self.site.ca.certificate_path, self.site.domain)
        stream.read_until("</stream:features>")
        stream.send(plain("bob", "builder"))
        self.hook.process.wait_for('"question"', self.since)
        stream.close()
        self.hook.process.wait_for('"gave-up"', self.since)
        self.bridge.process.wait_for("'bob' from .* by PLAIN: aborted", self.logged)
        self.works()


class DeadlineTests(LoginCase):
    """A login that has less time than the hook."""

    def test_deadline(self) -> None:
        """The hook hears how long it has, and is hung up on when the login is over."""
        site = Site()
        self.site = site
        self.addCleanup(site.close)
        hook = WebHook(site.directory / "hook", site.ca, USERS, delay=20_000)
        self.addCleanup(hook.process.kill)
        hook.start()
        settings = {
            "users": backends("http:hook", f"file:{site.users}"),
            "http hook": hook.settings(timeout="10s"),
        }
        one_bridge(site, settings, {"login": {"deadline": "2s"}})
        with Stopwatch() as watch:
            login = self.log_in("bob", "builder")
        self.assert_refused(login, "temporary-auth-failure")
        self.assertLess(watch.seconds, 6.0)
        hook.process.wait_for('"gave-up"')
        (question,) = hook.questions()
        self.assertTrue(1.0 < question["deadline"] <= 2.0, question)
        self.assert_in(self.log_in("alice", "wonderland"), "alice")
