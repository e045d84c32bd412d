"""`xmppctl logins` and `callbridgectl logins`, with real daemons and logins."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from twisted.trial import unittest

from daemonkit import control
from daemonkit.calling import follow
from tests.support.processes import BIN, Process
from tests.support.rawstream import RawStream
from tests.support.shared import shared_site
from tests.support.site import CLEAN, Daemon, Site, started_small_site
from tests.support.waiting import wait_until

#: Failed logins on one connection, after which it is closed.
_FAILURES = 6
#: What a Call Bridge is not asked about, so that many cost little.
_NOT_OFFERED = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='X-NONE-{}'/>"
_PLAIN = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{}</auth>"
_MISSED = re.compile("--- ([0-9]+) logins passed too fast to be shown ---")
RIGHT, WRONG = "AGFsaWNlAHdvbmRlcmxhbmQ=", "AGFsaWNlAHJhYmJpdA=="  # alice: wonderland, rabbit


class Following(Process):
    """A ctl command that follows, whose output is its log."""

    def __init__(self, daemon: Daemon, *arguments: str) -> None:
        command = [BIN / daemon.ctl, "--config", daemon.ini, *arguments]
        log = daemon.directory / f"following-{os.urandom(4).hex()}"
        super().__init__(f"{daemon.ctl} logins", command, log)
        self.daemon = daemon

    def begin(self) -> Following:
        """Start, and wait for the first line: from then on the daemon knows that it follows."""
        self.start()
        self.wait_for("^Time .*Outcome$|^{")
        return self

    def interrupt(self) -> int:
        """Ctrl-C, and the exit status."""
        self.signal(signal.SIGINT)
        return self.wait()


class LoginsCase(unittest.SynchronousTestCase):
    """One xmppd and one Call Bridge."""

    def setUp(self) -> None:
        self.site = self.make()
        self.server, self.bridge = self.site.servers[0], self.site.bridges[0]

    def make(self) -> Site:
        raise NotImplementedError

    def stream(self) -> RawStream:
        """A client that may log in now."""
        stream = RawStream(self.server.address, self.server.client_port)
        self.addCleanup(stream.close)
        stream.start_tls(self.site.ca.certificate_path, self.site.domain)
        stream.read_until("</stream:features>")
        return stream

    def log_in(self, message: str = RIGHT) -> None:
        stream = self.stream()
        stream.send(_PLAIN.format(message))
        stream.read_until("<success|<failure")
        stream.close()

    def logins(self, daemon: Daemon, *arguments: str) -> list[dict[str, Any]]:
        """What is answered with --json."""
        said = daemon.command("--json", "logins", *arguments).stdout
        return [json.loads(line) for line in said.splitlines()]

    def follow(self, daemon: Daemon, *arguments: str) -> Following:
        following = Following(daemon, "logins", "--follow", *arguments)
        self.addCleanup(following.kill)
        return following


class FollowTests(LoginsCase):
    """A site that stays as it is."""

    def make(self) -> Site:
        return shared_site(FollowTests, started_small_site)

    def test_same_id(self) -> None:
        """One login has the same id in both daemons, who each say what they know of it."""
        self.log_in()
        (outside,) = self.logins(self.server, "-n", "1")
        (inside,) = self.logins(self.bridge, "--login", outside["login"][:8])
        self.assertEqual(outside["login"], inside["login"])
        for record in (outside, inside):
            self.assertEqual((record["user"], record["outcome"]), ("alice", "success"))
            self.assertEqual((record["mechanism"], record["peer"]), ("PLAIN", "127.0.0.1"))
        self.assertEqual(outside["asked"], ["cb1.example.com"])
        target = f"{self.server.fqdn}:{self.server.component_port}"
        self.assertEqual(inside["asked"], [target])
        self.assertGreaterEqual(outside["ms"], outside["waited_ms"]["callbridge"])

    def test_follow(self) -> None:
        """Each login is shown when it ends, by both; Ctrl-C ends that without a word."""
        following = [self.follow(one, "-n", "0").begin() for one in (self.server, self.bridge)]
        self.log_in()
        ids = {one.wait_for(r"^\S+ +([0-9a-f]{8}) .*PLAIN.* success$")[1] for one in following}
        self.assertEqual(len(ids), 1)
        for one in following:
            self.assertEqual(one.interrupt(), 0)
            self.assertNotIn("interrupt", one.text())

    def test_latest_first(self) -> None:
        """The latest are shown before those that follow, each of them once."""
        self.log_in()
        following = Following(self.server, "--json", "logins", "-f", "-n", "1")
        self.addCleanup(following.kill)
        following.begin()
        self.log_in()
        wait_until("two logins", lambda: following.text().count("\n") == 2, explain=following.tail)
        shown = [json.loads(line)["login"] for line in following.text().splitlines()]
        self.assertEqual(shown, [one["login"] for one in self.logins(self.server, "-n", "2")])

    def test_conditions(self) -> None:
        """Failed logins, those of a user and those of a peer can be followed alone."""
        failed = self.follow(self.bridge, "-n", "0", "--failed", "--user", "alice").begin()
        others = self.follow(self.server, "-n", "0", "--peer", "192.0.2.0/24").begin()
        everything = self.follow(self.server, "-n", "0").begin()
        self.log_in()
        self.log_in(WRONG)
        everything.wait_for("not-authorized")
        failed.wait_for("not-authorized")
        self.assertNotIn("success", failed.text())
        self.assertEqual(others.text().count("\n"), 1)

    def test_no_secrets(self) -> None:
        """Neither a right nor a wrong password is in what is answered."""
        self.log_in()
        self.log_in(WRONG)
        for daemon in (self.server, self.bridge):
            said = json.dumps(control.call(daemon.socket, "logins"))
            for secret in ("wonderland", "rabbit", RIGHT, WRONG):
                self.assertNotIn(secret, said)

    def test_killed(self) -> None:
        """Only so many may follow; one that is killed makes room for another."""
        killed = self.follow(self.server).begin()
        others = [self.news() for _ in range(control.MAX_FOLLOWERS - 1)]
        for one in others:
            next(one)
        refused = self.server.command("logins", "-f", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("others follow already", refused.stderr)
        killed.kill()
        wait_until("there is room again", self.has_room, explain=self.server.explain)

    def news(self) -> Generator[Any, None, None]:
        """One who follows, without a process of its own."""
        news = follow(self.server.socket, "logins", 1, follow=True)
        self.addCleanup(news.close)
        return news

    def has_room(self) -> bool:
        try:
            return bool(next(self.news()))
        except control.CommandError:
            return False

    def test_nobody_reads(self) -> None:
        """With nobody at the other end of its pipe it ends, though no login passes."""
        command = [BIN / "xmppctl", "--config", self.server.ini, "logins", "-f"]
        done = subprocess.run(
            ["sh", "-c", '"$0" "$@" | head -1', *map(str, command)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertTrue(done.stdout.startswith("Time"))

    def test_terminal(self) -> None:
        """On a terminal of 80 columns there are colours, and no line is longer."""
        self.log_in()
        self.log_in(WRONG)
        ours, theirs = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
        environment.pop("NO_COLOR", None)
        command = [BIN / "xmppctl", "--config", self.server.ini, "logins", "-n", "2"]
        subprocess.run(command, stdout=theirs, env=environment, timeout=60, check=True)
        os.close(theirs)
        lines = _read_all(ours).splitlines()
        self.assertTrue(lines[0].startswith("\x1b[1mTime"))
        self.assertIn("\x1b[32msuccess\x1b[0m", lines[1])
        self.assertIn("\x1b[33mnot-authorized\x1b[0m", lines[2])
        plain = [re.sub(r"\x1b\[\d+m", "", line) for line in lines]
        self.assertEqual([line for line in plain if len(line) > 80], [])

    def test_nothing(self) -> None:
        """Where no login is meant, a sentence says so."""
        said = self.server.command("logins", "--user", "nobody").stdout
        self.assertRegex(said, r"^None of the last \d+ logins is such a one\.\n$")
        bad = self.server.command("logins", "--peer", "there", check=False)
        self.assertEqual(bad.returncode, 1)
        self.assertIn("neither an address nor a network", bad.stderr)

    def test_stopped_reader(self) -> None:
        """One that is stopped while thousands pass holds up nobody, and is told of them."""
        following = self.follow(self.server, "-n", "0").begin()
        following.signal(signal.SIGSTOP)
        self.flood(1500)
        before = _private_kib(self.server.process.pid)
        self.flood(1500)
        self.assertLess(_private_kib(self.server.process.pid) - before, 2048)
        self.log_in()
        following.signal(signal.SIGCONT)
        following.wait_for("success$")
        _, *lines = following.text().splitlines()
        missed = [int(one[1]) for one in map(_MISSED.fullmatch, lines) if one]
        self.assertEqual(sum(missed) + len(lines) - len(missed), 3001)
        self.assertGreater(sum(missed), 0)

    def flood(self, logins: int) -> None:
        """Fail to log in as often as that; `_FAILURES` are on one connection."""

        def fail(number: int) -> None:
            stream = self.stream()
            for attempt in range(_FAILURES):
                stream.send(_NOT_OFFERED.format(f"{number}-{attempt}"))
                stream.read_until("</failure>")
            stream.close()

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(fail, range(logins // _FAILURES)))


class EndTests(LoginsCase):
    """Daemons that end while somebody follows."""

    def make(self) -> Site:
        site = started_small_site()
        self.addCleanup(site.close)
        return site

    def test_stopped_and_killed(self) -> None:
        """Who follows is told that the daemon has gone, and has exit status 1."""
        following = [self.follow(one).begin() for one in (self.server, self.bridge)]
        self.assertIn(self.server.stop(), CLEAN)
        self.bridge.kill()
        for one in following:
            self.assertEqual(one.wait(), 1)
            said = f"{one.daemon.ctl}: The daemon on {one.daemon.socket} has hung up."
            self.assertIn(said, one.text())
        down = self.server.command("logins", "-f", check=False)
        self.assertEqual(down.returncode, 1)
        self.assertIn("The daemon is not running", down.stderr)

    def test_no_login_yet(self) -> None:
        """Before the first login a sentence says that there was none."""
        said = self.bridge.command("logins").stdout
        self.assertEqual(said, "No login has ended since the daemon started.\n")


def _read_all(descriptor: int) -> str:
    pieces: list[bytes] = []
    try:
        while piece := os.read(descriptor, 65536):
            pieces.append(piece)
    except OSError:  # the other end of a terminal is closed
        pass
    os.close(descriptor)
    return b"".join(pieces).decode()


def _private_kib(pid: int) -> int:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(size) for size in re.findall(r"^Private_\w+: +(\d+) kB", rollup, re.MULTILINE))
