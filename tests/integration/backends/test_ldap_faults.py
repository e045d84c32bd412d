"""Directories that do not answer as they should, while users of a file log in."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator

from benchmarks.forwarder import Forwarder
from tests.integration.backends.directories import DirectoryCase, DirectorySite
from tests.integration.backends.logins import Stopwatch
from tests.support.impostors import Talker, TlsTalker
from tests.support.processes import free_port
from tests.support.shared import shared_site
from tests.support.site import making
from tests.support.slapd import ADMIN, PEOPLE
from tests.support.waiting import wait_until

UNAVAILABLE = "temporary-auth-failure"
#: The answer to StartTLS: yes.
START_TLS_DONE = bytes.fromhex("300c02010178070a010004000400")
#: What may stand at the directory's port instead, and what the log says.
NONSENSE = {
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n": "does not speak LDAP as it should",
    b"220 mail.example.com ESMTP\r\n": "does not speak LDAP as it should",
    bytes(64): "does not speak LDAP as it should",
    b"\x30\x84\x7f\xff\xff\xff": "A message of 2147483653 octets",
    b"\x30\x05hello": "makes no sense",
    START_TLS_DONE + START_TLS_DONE: "answers nothing that was asked",
}


class Yes(Talker):
    """Says yes to StartTLS, and then nothing."""

    def greet(self, connection) -> None:
        connection.recv(4096)
        connection.sendall(START_TLS_DONE)


def make_site() -> DirectorySite:
    """Started; the directory is asked first, by StartTLS and by ldaps://."""
    with making(DirectorySite()) as site:
        slapd = site.slapd
        elsewhere = f"ou=elsewhere,{PEOPLE}"
        sections = {
            "office": slapd.settings(connections=4),
            "branch": slapd.settings(url=slapd.tls_url, base=elsewhere),
        }
        site.begin(sections)
        slapd.add(elsewhere, {"objectClass": "organizationalUnit"})
        slapd.add_user("bob", "builder")
    return site


class FaultCase(DirectoryCase):
    """One site for all of them."""

    def setUp(self) -> None:
        site = shared_site(FaultCase, make_site)
        assert isinstance(site, DirectorySite)
        self.site = site
        self.bridge = site.bridges[0]
        if not self.slapd.process.running:
            self.slapd.start()
        self.works()

    def fails(self) -> None:
        """Bob hears that nobody could look, while alice, who is in the file, gets in."""
        bob, alice = self.log_in_together(("bob", "builder"), ("alice", "wonderland"))
        self.assert_refused(bob, UNAVAILABLE)
        self.assert_in(alice, "alice")
        self.assertLess(alice.seconds, 1.5, self.explain(alice))

    def works(self) -> None:
        """It is asked again, with nothing done; there is no other wait than for its next turn."""
        wait_until("bob gets in", lambda: self.log_in("bob", "builder").ok)

    @contextlib.contextmanager
    def instead(self, make: Callable[..., Talker], tls: bool, *more: object) -> Iterator[None]:
        """Somebody else has the directory's port, that of ldaps:// or the other one."""
        slapd = self.slapd
        slapd.stop()
        try:
            with make(slapd.address, slapd.tls_port if tls else slapd.port, *more):
                yield
        finally:
            self.slapd.start()


class DownTests(FaultCase):
    """Not there, or there again."""

    def test_stopped(self) -> None:
        """While it is down nobody waits for it; when it is back it is asked."""
        self.slapd.stop()
        self.fails()
        self.said(
            "ldap:office: connect-refused: No connection to 127.0.0.1 port .*Is the directory"
        )
        self.slapd.start()
        self.works()

    def test_restarted(self) -> None:
        """A restart between two logins is not noticed, though connections were kept."""
        for login in self.log_in_together(*[("bob", "builder")] * 4):
            self.assert_in(login, "bob")
        self.slapd.stop()
        self.slapd.start()
        for login in self.log_in_together(*[("bob", "builder")] * 4):
            self.assert_in(login, "bob")

    def test_killed(self) -> None:
        """So is one whose process was killed, without a word on its connections."""
        self.slapd.kill()
        self.slapd.start()
        self.assert_in(self.log_in("bob", "builder"), "bob")


class SilentTests(FaultCase):
    """There, and silent."""

    def test_frozen(self) -> None:
        """One that is frozen is given up in time, on connections that were kept and on new ones."""
        self.slapd.pause()
        try:
            # Alone, so that nobody else takes the connection that was kept.
            self.assert_refused(self.log_in("bob", "builder"), UNAVAILABLE)
            with Stopwatch() as watch:
                self.fails()
            self.assertLess(watch.seconds, 4.0)
        finally:
            self.slapd.resume()
        self.said("ldap:office: timeout: .* is the answer of ldap://127.0.0.1:.* to a search")
        self.said("ldap:office: timeout: .* is the TLS handshake with ldap://127.0.0.1")
        self.works()

    def test_frozen_in_start_tls(self) -> None:
        """One that says yes to StartTLS, and then nothing, is given up in time."""
        with self.instead(Yes, False, b""):
            self.fails()
        self.said("ldap:office: timeout: .* is the TLS handshake with ldap://127.0.0.1")
        self.works()

    def test_frozen_in_tls(self) -> None:
        """One that says nothing to the beginning of TLS is given up in time, and costs nothing."""
        with self.instead(Talker, True, b""):
            self.fails()
            before = cpu_seconds(self.bridge.process.pid)
            for _ in range(3):
                self.fails()
            self.assertLess(cpu_seconds(self.bridge.process.pid) - before, 2.0)
        self.said("ldap:branch: timeout: .* is the TLS handshake with ldaps://127.0.0.1")
        self.works()

    def test_many_while_frozen(self) -> None:
        """Many who wait for it do not keep out those who need not."""
        self.slapd.pause()
        try:
            people = [("bob", "builder")] * 20 + [("alice", "wonderland")] * 5
            logins = self.log_in_together(*people)
        finally:
            self.slapd.resume()
        for login in logins[:20]:
            self.assert_refused(login, UNAVAILABLE)
        for login in logins[20:]:
            self.assert_in(login, "alice")
            self.assertLess(login.seconds, 3.0)
        self.works()


class NonsenseTests(FaultCase):
    """Something else at its port."""

    def test_nonsense(self) -> None:
        """Whatever it says is told as such, and is nobody's wrong password."""
        for said, text in NONSENSE.items():
            with self.instead(Talker, False, said):
                self.fails()
            self.said(f"ldap:office: protocol-error: .*{text}")
        self.works()
        self.assertNotIn("Traceback", self.bridge.process.text())

    def test_no_tls(self) -> None:
        """A port without TLS, where TLS is expected, says so."""
        with self.instead(Talker, True, b"HTTP/1.1 400 Bad Request\r\n\r\n"):
            self.fails()
        self.said("ldap:branch: tls-failure: The directory ldaps://.* does not speak TLS")
        self.works()

    def test_tls_at_once(self) -> None:
        """A directory whose ldaps:// port is taken for that of ldap:// is no directory."""
        with self.instead(TlsTalker, False, self.slapd.certificate):
            self.fails()
        self.said("ldap:office: link-lost: ldap://.* closed the connection without an answer")
        self.works()


class SlowTests(DirectoryCase):
    """A directory that is far away."""

    def begin(self, milliseconds: int) -> None:
        """A directory each of whose answers takes so long."""
        self.site = DirectorySite(users=20)
        self.addCleanup(self.site.close)
        forwarder = Forwarder(self.slapd.port, milliseconds, self.site.directory)
        self.addCleanup(forwarder.kill)
        forwarder.start()
        settings = self.slapd.settings(url=f"ldap://127.0.0.1:{forwarder.port}", connections=20)
        self.site.begin({"far": settings}, timeout="2s")

    def test_slow(self) -> None:
        """Answers that take their time are waited for, by all at once."""
        self.begin(100)
        users = [(f"user{number}", "wonderland") for number in range(20)]
        self.log_in_together(*users)  # connections are made
        process = self.site.bridges[0].process
        since = process.mark()
        for (user, _), login in zip(users, self.log_in_together(*users), strict=True):
            self.assert_in(login, user)
        # One after the other they would take some six seconds.
        took = re.findall(r"PLAIN: success \(([0-9.]+) (ms|s)\)", process.text(since))
        self.assertEqual(len(took), len(users), self.site.bridges[0].explain())
        longest = max(float(number) / (1000 if unit == "ms" else 1) for number, unit in took)
        self.assertTrue(0.3 <= longest < 2.0, longest)

    def test_too_slow(self) -> None:
        """Answers that take too long are not, and nobody else waits for them."""
        self.begin(3000)
        bob, alice = self.log_in_together(("user1", "wonderland"), ("alice", "wonderland"))
        self.assert_refused(bob, UNAVAILABLE)
        self.assert_in(alice, "alice")
        self.assertLess(alice.seconds, 1.5)
        self.said("ldap:far: timeout: The directory took too long")


class ConfigurationTests(DirectoryCase):
    """What is wrong with what a directory is asked, and not with the directory."""

    def test_faults(self) -> None:
        """Each has its line, and none of them is anybody's wrong password."""
        site = DirectorySite(more="disallow bind_anon\nrequire authc")
        self.site = site
        self.addCleanup(site.close)
        slapd = site.slapd
        sections = {
            "password": slapd.settings(bind_password="not-the-password"),
            "account": slapd.settings(bind_dn="cn=nobody,dc=example,dc=com"),
            "base": slapd.settings(base="ou=nowhere,dc=example,dc=com"),
            "anonymous": slapd.settings(bind_dn=None, bind_password=None),
            "second": slapd.settings(url=f"ldap://127.0.0.1:{free_port()}\n  {slapd.url}"),
        }
        site.begin(sections)
        slapd.add_user("bob", "builder")
        self.assert_in(self.log_in("bob", "builder"), "bob")
        self.assert_in(self.log_in("alice", "wonderland"), "alice")
        self.assert_refused(self.log_in("bob", "x"), UNAVAILABLE)
        for name, pattern in {
            "password": "authentication-failure: .* search account .* in: invalid credentials .49",
            "account": "authentication-failure: .* search account cn=nobody,.* This is no user's",
            "base": "policy: .* has refused a search: no such object .*Correct base in .ldap base",
            "anonymous": "policy: .* has refused a search: .*set bind_dn in .ldap anonymous",
        }.items():
            self.said(f"ldap:{name}[: ]((?! ldap:[a-z]).)*{pattern}")
        self.said("ldap second.: ldap://.* cannot be used, and ldap://.* is: connect-refused")
        log = site.bridges[0].process.text()
        self.assertNotIn("not-the-password", log)
        self.assertNotIn(ADMIN, log)


def cpu_seconds(pid: int) -> float:
    """What a process has worked so far."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
