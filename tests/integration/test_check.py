"""``callbridgectl check`` against real servers: what an operator reads about each fault."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import TestCase

from tests.support.site import Site
from tests.support.waiting import wait_until


class CheckCase(TestCase):
    """Two XMPP servers and one Call Bridge, which is not started."""

    def setUp(self) -> None:
        self.site = site = Site()
        self.addCleanup(site.close)
        self.servers = [site.server("xmpp1", "127.0.0.2"), site.server("xmpp2", "127.0.0.3")]
        self.bridge = site.bridge()
        site.enrol(self.bridge)
        site.user("alice", "wonderland")
        site.nameserver.start()
        for server in self.servers:
            server.process.start()
        for server in self.servers:
            server.process.wait_for("ready: ")

    def check(self, *arguments: str, typed: str = "", ok: bool) -> dict[str, Any]:
        """What it says as JSON; ``ok``: is the exit status 0?"""
        done = self.bridge.command("--json", "check", *arguments, typed=typed, check=False)
        self.assertEqual(done.returncode, 0 if ok else 1, done.stdout + done.stderr)
        report: dict[str, Any] = json.loads(done.stdout)
        self.assertIs(report["ok"], ok)
        return report

    def failed(self, steps: list[dict[str, Any]]) -> tuple[str, str]:
        """The step that failed, and the reason. None comes after it."""
        self.assertEqual([one["ok"] for one in steps[:-1]], [True] * (len(steps) - 1))
        return steps[-1]["step"], steps[-1]["reason"]


class CheckTests(CheckCase):
    """All is well, or one thing is not."""

    def test_well(self) -> None:
        """Every step is walked towards every server, and the link is not left behind."""
        report = self.check(ok=True)
        self.assertEqual([one["step"] for one in report["steps"]], ["configuration", "port", "srv"])
        steps = ["address", "connect", "tls", "certificate", "register", "registered", "active"]
        for target in report["targets"]:
            self.assertEqual([one["step"] for one in target["steps"]], steps)
        text = " ".join(self.bridge.command("check").stdout.split())
        for words in ("TLSv1.3", "issued by CN=Example CA", "SUCCESS: all steps, at 2 XMPP server"):
            self.assertIn(words, text)
        self.servers[0].wait_state("cb1", "down")

    def test_running(self) -> None:
        """A daemon that is registered keeps its link, and the check says that it is there."""
        self.bridge.process.start()
        before = wait_until("nothing more is to come", self.settled)
        report = self.check(ok=True)
        for target in report["targets"]:
            self.assertIn("a link of this name is up there", target["steps"][-1]["text"])
        self.assertEqual(self.bridge.links(), before)
        for server in self.servers:
            self.assertIsNone(server.callbridge("cb1")["last_error"], "the check is no twin")

    def settled(self) -> list[dict[str, Any]] | None:
        """Both links, once clocks are compared, which is the last that they do by themselves."""
        links = self.bridge.links()
        done = [one for one in links if one["clock_skew"] is not None]
        return links if len(done) == len(self.servers) else None

    def test_secret_of_one(self) -> None:
        """A secret that differs on one server is found, though the other one is fine."""
        self.servers[1].command("callbridge", "del", "cb1")
        self.servers[1].command("callbridge", "add-secret", "cb1", typed="another\n")
        first, second = self.check(ok=False)["targets"]
        self.assertTrue(first["ok"])
        self.assertEqual(self.failed(second["steps"]), ("register", "authentication-failure"))
        self.assertIn("xmppctl callbridge list", second["steps"][-1]["remedy"])

    def test_down(self) -> None:
        """A server that does not run."""
        self.servers[0].stop()
        first, second = self.check(ok=False)["targets"]
        self.assertEqual(self.failed(first["steps"]), ("connect", "connect-refused"))
        self.assertTrue(second["ok"])
        done = self.bridge.command("check", check=False)
        self.assertIn("FAILURE: xmpp1.example.com", done.stdout)
        self.assertIn("step 6 (connect), connect-refused", done.stdout)

    def test_login(self) -> None:
        """A password is tried by each mechanism that is offered; a wrong one fails."""
        login = self.check("--login", "alice", typed="wonderland\n", ok=True)["login"]
        self.assertIn("alice by SCRAM-SHA-256", login["text"])
        login = self.check("--login", "alice", typed="wrong\n", ok=False)["login"]
        self.assertEqual((login["step"], login["reason"]), ("login", "authentication-failure"))

    def test_trace(self) -> None:
        """The trace has both directions, no proof of the secret, and no other reader."""
        trace = self.site.directory / "trace"
        self.check("--trace", str(trace), ok=True)
        text = trace.read_text()
        self.assertEqual(text.count(">(hidden)</handshake>"), 2)
        self.assertIn(" < <stream:stream", text)
        self.assertEqual(trace.stat().st_mode & 0o777, 0o600)
