"""Alarms of real daemons: each kind in docs/alarms.md, provoked, looked at and cleared."""

from __future__ import annotations

import json
import os
import random
import re
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from twisted.trial import unittest

from callbridged.alarms.alarm import Kind
from tests.support.ca import CertificateAuthority
from tests.support.markdown import Page
from tests.support.processes import BIN, ROOT, Process, free_port
from tests.support.rawstream import RawStream, plain
from tests.support.shared import shared_site
from tests.support.site import CallBridge, Site, XmppServer, making
from tests.support.waiting import wait_until

DAY = timedelta(days=1)
SETTINGS = {
    "alarms": {"raise_after": "300ms", "clear_after": "300ms", "login_failures": 3},
    "link": {"retry_initial": "100ms", "retry_max": "500ms", "ping_interval": "500ms"},
    "failed_logins": {"enabled": "no"},
}


def make_site() -> Site:
    """Two servers, one of them with a clock that can be set, and a Call Bridge."""
    with making(Site()) as site:
        library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
        clock = clock_of(site)
        clock.write_text("+0\n")
        site.server("xmpp1", "127.0.0.2")
        site.server(
            "xmpp2",
            f"127.{random.randint(16, 250)}.{random.randint(1, 250)}.3",
            prefix=[
                "env",
                f"LD_PRELOAD={library}",
                f"FAKETIME_TIMESTAMP_FILE={clock}",
                "FAKETIME_NO_CACHE=1",
                "DONT_FAKE_MONOTONIC=1",
            ],
        )
        site.enrol(site.bridge(settings={**SETTINGS, **certificates(site)}))
        site.user("alice", "wonderland")
        site.start()
    return site


def certificates(site: Site) -> dict[str, dict[str, object]]:
    """Settings with a file of its own for everything."""
    page, key = site.ca.issue("page", dns=["cb1.example.com"])
    for name in ("servers", "users"):
        authorities_of(site, name)
    return {
        "tls": {
            "xmpp_ca": site.directory / "servers.crt",
            "user_ca": site.directory / "users.crt",
        },
        "admin": {
            "listen": f"tcp:{free_port()}",
            "certificate": page,
            "private_key": key,
            "users_file": site.directory / "admins",
        },
    }


def authorities_of(site: Site, name: str, *others: CertificateAuthority) -> str:
    """Write the file with the site's authority and ``others``, and answer it."""
    path = site.directory / f"{name}.crt"
    found = [one.certificate_path.read_text() for one in (site.ca, *others)]
    path.write_text("".join(found))
    return str(path)


def clock_of(site: Site) -> Path:
    """The file that says by how much the clock of xmpp2 is wrong."""
    return site.directory / "clock"


class AlarmCase(unittest.SynchronousTestCase):
    """A site where all is well before each test, and after it."""

    def setUp(self) -> None:
        self.site = shared_site(AlarmCase, make_site)
        self.bridge: CallBridge = self.site.bridges[0]
        self.one, self.two = self.site.servers
        for server in self.site.servers:
            if not server.process.running:  # the test before has failed
                server.start()
        self.mark = self.bridge.process.mark()

    def target(self, server: XmppServer) -> str:
        return f"{server.fqdn}:{server.component_port}"

    def find(self, kind: Kind, subject: str, **more: str) -> dict[str, Any] | None:
        """The alarm, if it is there with these values."""
        wanted = {"kind": kind, "subject": subject, **more}
        for one in self.bridge.status()["alarms"]:
            if wanted.items() <= one.items():
                found: dict[str, Any] = one
                return found
        return None

    def raised(
        self, kind: Kind, subject: str, step: str, reason: str, *remedy: str
    ) -> dict[str, Any]:
        """Wait for an alarm, and find it wherever it shows; ``remedy``: words that are in it."""

        def seen() -> tuple[dict[str, Any], Any, Any] | None:
            alarm = self.find(kind, subject, step=step, reason=reason)
            if alarm is None:
                return None
            said, shown = self.bridge.command("alarms", check=False), self.bridge.command("status")
            # Its text follows what is the matter, so it may have become another one meanwhile.
            return (alarm, said, shown) if self.find(kind, subject) == alarm else None

        alarm, done, status = wait_until(f"{kind} of {subject}", seen, explain=self.bridge.explain)
        for words in remedy:
            self.assertIn(words, alarm["remedy"])
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        said, shown = " ".join(done.stdout.split()), " ".join(status.stdout.split())
        self.assertIn(f"{alarm['severity']} {kind}, {subject} since ", said)
        self.assertIn(f"; {step}, {reason} {alarm['text']} {alarm['remedy']}", said)
        self.assertIn(f"ALARM {kind}, {subject}: {alarm['text']}", shown)
        self.wait_for_log("alarm-raised", kind, subject)
        return alarm

    def cleared(self, kind: Kind, subject: str) -> None:
        """Wait until it is over, and nothing else is wrong."""
        wait_until(
            f"no more {kind} of {subject}",
            lambda: not self.bridge.status()["alarms"],
            explain=self.bridge.explain,
        )
        done = self.bridge.command("alarms")
        self.assertEqual(done.stdout, "There is no alarm.\n")
        self.wait_for_log("alarm-cleared", kind, subject)

    def wait_for_log(self, event: str, kind: Kind, subject: str) -> None:
        words = f" \\[{event}\\] alarm {kind}\\b.* of {re.escape(subject)}\\b"
        self.bridge.process.wait_for(words, since=self.mark)

    def log_in(self, password: str) -> str:
        """As alice; answer ``success`` or the failure."""
        stream = RawStream(self.one.address, self.one.client_port)
        try:
            stream.start_tls(self.site.ca.certificate_path, self.site.domain)
            stream.read_until("</stream:features>")
            stream.send(plain("alice", password))
            return stream.read_until("<success[^>]*>|</failure>").decode()
        finally:
            stream.close()


class KindTests(AlarmCase):
    """Each row of the table, by its kind."""

    def test_table(self) -> None:
        """The page has each kind once, and each is provoked here."""
        lines = Page(ROOT / "docs" / "alarms.md").prose
        kinds = [match[1] for line in lines if (match := re.match(r"\| `([a-z-]+)` \|", line))]
        self.assertEqual(sorted(kinds), sorted(Kind))
        for kind in kinds:
            self.assertTrue(callable(getattr(self, f"test_{kind.replace('-', '_')}")), kind)

    def test_link_down(self) -> None:
        """A server is stopped, then the other one, which is critical; both are started again."""
        self.two.stop()
        one, two = map(self.target, self.site.servers)
        alarm = self.raised(
            Kind.LINK_DOWN, two, "connect", "connect-refused", "xmppd runs", self.two.fqdn
        )
        self.assertEqual(alarm["severity"], "warning")
        self.one.stop()
        for target in (one, two):
            wait_until(
                f"{target} is critical",
                lambda target=target: self.find(Kind.LINK_DOWN, target, severity="critical"),
                explain=self.bridge.explain,
            )
        log = self.bridge.process
        log.wait_for(rf" error \[alarm-raised\] alarm link-down, critical, of {one}", self.mark)
        log.wait_for(rf" error \[alarm-changed\] alarm link-down of {two}", self.mark)
        self.one.start()
        self.two.start()
        self.cleared(Kind.LINK_DOWN, two)

    def test_registration_refused(self) -> None:
        """A server forgets the Call Bridge, and is told of it again."""
        self.two.command("callbridge", "del", "cb1")
        target = self.target(self.two)
        self.raised(
            Kind.REGISTRATION_REFUSED,
            target,
            "register",
            "host-unknown",
            "add-secret cb1` on xmpp2",
        )
        self.site.enrol(self.bridge, self.two)
        self.cleared(Kind.REGISTRATION_REFUSED, target)

    def test_secret_differs(self) -> None:
        """A server has another secret than the others, until it is given the right one."""
        self.two.command("callbridge", "del", "cb1")
        self.two.command("callbridge", "add-secret", "cb1", typed="another secret\n")
        target = self.target(self.two)
        alarm = self.raised(
            Kind.SECRET_DIFFERS, target, "register", "authentication-failure", "On xmpp2.example"
        )
        self.assertIn(f"{self.target(self.one)} accepted it.", alarm["text"])
        self.two.command("callbridge", "del", "cb1")
        self.site.enrol(self.bridge, self.two)
        self.cleared(Kind.SECRET_DIFFERS, target)

    def issue(self, name: str, days: float, *names: str) -> str:
        """Replace a certificate by one that ends in so many days; answer its file."""
        now = datetime.now(UTC)
        path, _ = self.site.ca.issue(
            name, dns=names, not_before=now - 90 * DAY, not_after=now + days * DAY
        )
        return str(path)

    def test_certificate(self) -> None:
        """Ours is about to end, has ended, and is renewed; links stay up meanwhile."""
        path = self.issue("cb1", 5.5, "cb1.example.com")
        self.bridge.command("reload")
        alarm = self.raised(
            Kind.CERTIFICATE,
            path,
            "certificate",
            "certificate-expired",
            "On the host of cb1: renew",
        )
        self.assertEqual(alarm["severity"], "warning")
        self.assertIn("expires in 5 days, on ", alarm["text"])
        self.issue("cb1", -0.5, "cb1.example.com")
        self.bridge.command("reload")
        self.bridge.process.wait_for("alarm-changed.* is critical now: .* expired on", self.mark)
        self.assertEqual(len(self.bridge.registered()), 2)
        self.issue("cb1", 90, "cb1.example.com")
        self.bridge.command("reload")
        self.cleared(Kind.CERTIFICATE, path)

    def test_certificates_of_others(self) -> None:
        """Authorities that are about to end, and the certificate of the web page's port, are named
        with their files."""
        end = datetime.now(UTC) + 5 * DAY
        old = CertificateAuthority(self.site.directory / "old", "Old CA", not_after=end)
        files = [authorities_of(self.site, name, old) for name in ("servers", "users")]
        files.append(self.issue("page", 5.5, "cb1.example.com"))
        self.bridge.command("reload")
        for path, whose in zip(files, ("XMPP servers", "users", "[admin]"), strict=True):
            alarm = self.raised(Kind.CERTIFICATE, path, "certificate", "certificate-expired")
            self.assertIn(whose, alarm["text"])
        for name in ("servers", "users"):
            authorities_of(self.site, name)
        self.issue("page", 90, "cb1.example.com")
        self.bridge.command("reload")
        self.cleared(Kind.CERTIFICATE, files[0])

    def test_certificate_of_server(self) -> None:
        """A server shows one that is about to end, and after its renewal another one."""
        target = self.target(self.two)
        names = ("example.com", self.two.fqdn)
        self.issue("xmpp2", 5.5, *names)
        self.two.command("reload")
        self.bridge.command("reconnect")
        self.raised(
            Kind.CERTIFICATE,
            target,
            "certificate",
            "certificate-expired",
            "On xmpp2.example.com: renew",
            "callbridgectl reconnect",
        )
        self.issue("xmpp2", 90, *names)
        self.two.command("reload")
        self.bridge.command("reconnect")
        self.cleared(Kind.CERTIFICATE, target)

    def test_certificate_refused(self) -> None:
        """A server comes back with a certificate that is for another name."""
        target = self.target(self.two)
        self.two.stop()
        self.issue("xmpp2", 90, "example.com")
        self.two.start()
        self.raised(
            Kind.CERTIFICATE,
            target,
            "certificate",
            "certificate-name-mismatch",
            "Issue the certificate of xmpp2.example.com anew",
        )
        self.issue("xmpp2", 90, "example.com", self.two.fqdn)
        self.two.command("reload")
        self.cleared(Kind.CERTIFICATE, target)

    def test_backend_down(self) -> None:
        """The users' file is away when somebody logs in, and is there the next time."""
        away = self.site.users.with_name("away")
        self.site.users.rename(away)
        self.assertIn("temporary-auth-failure", self.log_in("wonderland"))
        name = f"file:{self.site.users}"
        alarm = self.raised(Kind.BACKEND_DOWN, name, "login", "link-lost", "On the host of cb1")
        self.assertEqual(alarm["severity"], "critical")
        self.assertIn("No such file or directory", alarm["text"])
        away.rename(self.site.users)
        self.assertIn("<success", self.log_in("wonderland"))
        self.cleared(Kind.BACKEND_DOWN, name)

    def test_login_failures(self) -> None:
        """Most logins fail, and then most of them do not."""
        for _ in range(8):
            self.assertIn("not-authorized", self.log_in("rabbit"))
        self.raised(
            Kind.LOGIN_FAILURES,
            "example.com",
            "login",
            "authentication-failure",
            "callbridgectl logins --failed",
        )
        while self.find(Kind.LOGIN_FAILURES, "example.com"):
            self.assertIn("<success", self.log_in("wonderland"))
        self.cleared(Kind.LOGIN_FAILURES, "example.com")

    def test_clock_skew(self) -> None:
        """A server's clock is set wrong, and right again; that is seen by itself."""
        target = self.target(self.two)
        clock_of(self.site).write_text("+120s\n")
        self.bridge.command("reconnect")
        alarm = self.raised(Kind.CLOCK_SKEW, target, "active", "policy", "xmpp2.example.com")
        self.assertRegex(alarm["text"], r"is 1[12]\d s ahead of")
        clock_of(self.site).write_text("+0\n")
        self.cleared(Kind.CLOCK_SKEW, target)


class ShowingTests(AlarmCase):
    """How they are shown, and what they outlive."""

    def following(self, *arguments: str) -> Process:
        command = [BIN / "callbridgectl", "--config", self.bridge.ini, *arguments]
        log = self.bridge.directory / f"following-{os.urandom(4).hex()}"
        following = Process("callbridgectl alarms", command, log)
        self.addCleanup(following.kill)
        following.start()
        return following

    def test_follow(self) -> None:
        """Who follows sees what is there, what is raised and what is cleared; Ctrl-C ends it."""
        people = self.following("alarms", "-f")
        people.wait_for("^There is no alarm.$")
        self.two.stop()
        target = self.target(self.two)
        people.wait_for(f"^warning  link-down, {target}\n  since .*; [a-z]+, [a-z-]+$")
        programs = self.following("--json", "alarms", "--follow")
        programs.wait_for('^{"id"')
        self.two.start()
        people.wait_for(f"^cleared  link-down, {target}\n  at ")
        programs.wait_for('"what": "cleared"')
        self.two.stop()
        programs.wait_for('"what": "raised"')
        self.two.start()
        programs.wait_for('"what": "raised".*\n.*"what": "cleared"')
        there, *changes = (json.loads(line) for line in programs.text().splitlines())
        self.assertEqual([one["what"] for one in changes], ["cleared", "raised", "cleared"])
        first, *others = (one["alarm"]["id"] for one in changes)
        self.assertEqual(first, there["id"])
        self.assertEqual(len({first, *others}), 2)
        for one in (people, programs):
            one.signal(signal.SIGINT)
            self.assertEqual(one.wait(), 0)

    def json(self) -> tuple[int, Any]:
        """The exit status with --json, and what is said."""
        done = self.bridge.command("--json", "alarms", check=False)
        return done.returncode, json.loads(done.stdout)

    def test_reload(self) -> None:
        """An alarm outlives a reload, which may change the delays. For programs it is as in
        status, with the same exit status as for people."""
        self.assertEqual(self.json(), (0, {"alarms": []}))
        self.assertNotIn("ALARM", self.bridge.command("status").stdout)
        self.two.stop()
        target = self.target(self.two)
        before = self.raised(Kind.LINK_DOWN, target, "connect", "connect-refused")
        self.assertEqual(self.json(), (1, {"alarms": self.bridge.status()["alarms"]}))
        text = self.bridge.ini.read_text()
        self.bridge.ini.write_text(text.replace("clear_after = 300ms", "clear_after = 1h"))
        try:
            self.bridge.command("reload")
            self.two.start()
            self.bridge.wait_registered(2)
            after = self.find(Kind.LINK_DOWN, target)
            assert after is not None
            self.assertEqual((after["id"], after["since"]), (before["id"], before["since"]))
        finally:
            self.bridge.ini.write_text(text)
            self.bridge.command("reload")
        self.cleared(Kind.LINK_DOWN, target)

    def test_short(self) -> None:
        """A link that is replaced at once is no alarm."""
        self.bridge.command("reconnect")
        self.bridge.wait_registered(2)
        log = self.bridge.process.text(self.mark)
        self.assertIn("[link-renewed]", log)
        self.assertNotIn("[alarm-", log)

    def test_down(self) -> None:
        """Without a daemon there is nothing to say about alarms, and the exit status is 1."""
        done = self.site.bridge("cb2").command("alarms", check=False)
        self.site.bridges.pop()
        self.assertEqual(done.returncode, 1)
        self.assertIn("The daemon is not running", done.stderr)
