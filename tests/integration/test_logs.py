"""The logs of real daemons: where they go, one login in both, and peers who would fill them."""

from __future__ import annotations

import json
import socket
from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.test_reload import Client, change
from tests.support.journal import Journal, view
from tests.support.rawstream import RawStream
from tests.support.shared import shared_site
from tests.support.site import small_site, started_small_site
from tests.support.waiting import wait_until


class LogTests(SynchronousTestCase):
    """An installation that logs to stderr."""

    def setUp(self) -> None:
        self.site = shared_site(type(self), started_small_site)
        self.server, self.bridge = self.site.servers[0], self.site.bridges[0]

    def log_in(self, password: str = "wonderland") -> str:
        client = Client(self.site, password=password)
        self.addCleanup(client.stream.close)
        return client.result()

    def test_one_login(self) -> None:
        """One login has the same name in the logs of both daemons, however it ended."""
        for password, here, there in (
            ("wonderland", "login-accepted", "login-succeeded"),
            ("wrong", "login-refused", "login-ended"),
        ):
            since = self.server.process.mark()
            self.log_in(password)
            found = self.server.process.wait_for(rf"\[{here}\] .* (\[login [0-9a-f]+\])$", since)
            login = found[1].replace("[", r"\[").replace("]", r"\]")
            line = self.bridge.process.wait_for(rf"^.*\[{there}\] .* {login}$")[0]
            self.assertIn("'alice' from 127.0.0.1 by PLAIN", line)

    def test_moved(self) -> None:
        """A reload moves the log, and opens a file anew that was moved away; sessions stay."""
        client = Client(self.site).bind()
        self.addCleanup(client.stream.close)
        path = self.site.directory / "xmppd.log"
        change(self.server, {"log": {"to": path, "format": "json"}})
        shown = self.server.command("reload").stdout
        self.assertIn("[log] to", shown)
        self.log_in()
        older = path.rename(path.with_suffix(".1"))
        self.server.command("reload")
        self.log_in()
        for file in (older, path):
            lines = [json.loads(line) for line in file.read_text().splitlines()]
            events = [line["event"] for line in lines]
            self.assertEqual(events.count("login-accepted"), 1, events)
        self.assertEqual(lines[-1]["user"], "alice")
        self.assertEqual(lines[-1]["callbridge"], "cb1.example.com")

        change(self.server, {"log": {"level": "warn"}})
        self.server.command("reload")
        self.log_in()
        self.assertEqual(len(path.read_text().splitlines()), len(lines))

        change(self.server, {"log": {"to": "/nowhere/xmppd.log", "level": None}})
        refused = self.server.command("reload", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("/nowhere is not there", refused.stdout + refused.stderr)

        change(self.server, {"log": {"to": None, "format": None}})
        self.server.command("reload")
        since = self.server.process.mark()
        self.log_in()
        self.server.process.wait_for(r" info \[login-accepted\] ", since)
        client.ping()

    def test_flood(self) -> None:
        """However many connections send nonsense, the lines are few, and the rest is counted."""
        since = self.server.process.mark()
        for number in range(400):
            stream = RawStream(
                self.server.address, self.server.client_port, source=f"127.1.0.{number % 4 + 1}"
            )
            stream.send("<a/>\n2026-11-25 [fake] a line\x1b[2J")
            stream.read_to_end()
            stream.close()
        lines = self.server.process.text(since).splitlines()
        ended = [line for line in lines if "[client-stream-ended]" in line]
        self.assertEqual(len(ended), 4, lines)
        self.assertEqual([line for line in lines if " warn [" not in line], [])
        self.assertNotIn("\x1b", "".join(lines))


class StartTests(SynchronousTestCase):
    """What is said at the start, and of a start that fails."""

    def setUp(self) -> None:
        self.site = small_site()
        self.addCleanup(self.site.close)
        self.server = self.site.servers[0]
        self.path = self.site.directory / "xmppd.log"

    def take_port(self) -> None:
        taken = socket.create_server((self.server.address, self.server.client_port))
        self.addCleanup(taken.close)

    def test_file(self) -> None:
        """A file has all lines from the very first to the very last; nothing else is printed."""
        change(self.server, {"log": {"to": self.path}})
        self.server.start()
        self.server.stop()
        text = self.path.read_text()
        self.assertRegex(text, r"^\S+ info \[other\] twistd .* starting up")
        self.assertIn(" info [xmppd-ready] ready: XMPP domain example.com", text)
        self.assertRegex(text, r"Server Shut Down\.\n$")
        self.assertEqual(self.server.process.text(), "")

    def test_failed(self) -> None:
        """Why a start has failed is in the log, and in any case on stderr."""
        self.take_port()
        for settings, read in (
            ({}, self.server.process.text),
            ({"to": self.path}, self.path.read_text),
        ):
            change(self.server, {"log": settings})
            since = self.server.process.mark()
            self.server.process.start()
            self.assertNotEqual(self.server.process.wait(), 0)
            self.assertRegex(read(), r" error \[printed\] xmppd: .*Address already in use")
            self.assertIn("xmppd: cannot listen on", self.server.process.text(since))

    def test_configuration(self) -> None:
        """A configuration that cannot be used is said on stderr, wherever the log goes."""
        change(self.server, {"log": {"to": self.path}, "client": {"listen": "tcp:x"}})
        self.server.process.start()
        self.assertNotEqual(self.server.process.wait(), 0)
        self.assertIn("[client] listen", self.server.process.text())

    def test_twistd_was_told(self) -> None:
        """twistd can be told where to log; the configuration has no effect then."""
        change(self.server, {"log": {"to": "stderr"}})
        command = self.server.process.command
        command.insert(command.index("--nodaemon") + 1, f"--logfile={self.path}")
        self.server.start()
        self.server.stop()
        self.assertIn("[log] has no effect: twistd was told where to log", self.path.read_text())
        self.assertEqual(self.server.process.text(), "")


class JournalTests(SynchronousTestCase):
    """journald's socket is the test's, in a place that only the daemons see."""

    def setUp(self) -> None:
        self.site = small_site()
        self.addCleanup(self.site.close)
        self.place = self.site.directory / "journal"
        self.place.mkdir()
        self.journal = self.listen()
        for daemon in (*self.site.servers, *self.site.bridges):
            change(daemon, {"log": {"to": "journald"}})
            daemon.process.command[:0] = view(self.place)
        self.site.start()

    def listen(self) -> Journal:
        journal = Journal(self.place / "socket")
        self.addCleanup(journal.close)
        return journal

    def log_in(self) -> None:
        client = Client(self.site)
        self.addCleanup(client.stream.close)
        self.assertEqual(client.result(), "success")

    def test_entries(self) -> None:
        """Both daemons send entries with fields, by which one login is found in both."""
        self.log_in()
        found = self.journal.wait_for(XMPP_STEP="login", XMPP_PEER="127.0.0.1")
        here, there = found["xmppd"], found["callbridged"]
        self.assertEqual(here["XMPP_EVENT"], "login-accepted")
        self.assertEqual(there["XMPP_EVENT"], "login-succeeded")
        self.assertEqual(here["XMPP_LOGIN"], there["XMPP_LOGIN"])
        self.assertEqual(here["PRIORITY"], "6")

    def test_away(self) -> None:
        """Without journald all goes on, and when it is back, it gets what was said meanwhile."""
        self.log_in()
        self.journal.wait_for(XMPP_STEP="login", XMPP_PEER="127.0.0.1")
        self.journal.close()
        for _ in range(3):
            self.log_in()
        self.journal = self.listen()

        def probe() -> bool:
            said = Counter(entry["SYSLOG_IDENTIFIER"] for entry in list(self.journal.entries))
            return said == {"xmppd": 3, "callbridged": 3}

        wait_until("all lines", probe, explain=lambda: str(self.journal.entries))
