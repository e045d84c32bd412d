"""`callbridged.check.running`: what a daemon on this host says, for a check."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from callbridged.check.running import Running, ask_running

TARGET = "xmpp1.example.com:5223"


def running(reason: str | None = None, **more: Any) -> Running:
    error = None if reason is None else {"step": "register", "reason": reason, "text": "No."}
    return Running({"links": [{"target": TARGET, "last_error": error, "clock_skew": 90}], **more})


class ConflictTests(SynchronousTestCase):
    """Whose is a link of our name?"""

    def test_ours(self) -> None:
        """It may be that of the daemon that runs here, or of one that may not be asked."""
        self.assertTrue(running().may_hold(TARGET))
        self.assertTrue(running("timeout").may_hold(TARGET))
        self.assertTrue(Running(warning="This user may not open the socket.").may_hold(TARGET))

    def test_not_ours(self) -> None:
        """It is not where none runs, or where the one that does meets the same conflict."""
        self.assertFalse(Running(down=True).may_hold(TARGET))
        self.assertFalse(running("conflict").may_hold(TARGET))

    def test_clock(self) -> None:
        """What it has found of a server's clock is known, and nothing of other servers."""
        self.assertEqual(running().clock_skew(TARGET), 90)
        self.assertIsNone(running().clock_skew("xmpp2.example.com:5223"))


class WarningTests(SynchronousTestCase):
    """What is not seen from outside."""

    def test_none(self) -> None:
        """There is nothing to warn of."""
        self.assertEqual(running(draining=False, users=[]).warnings(), [])

    def test_backends(self) -> None:
        """A user backend that cannot look."""
        error = {"step": "login", "reason": "link-lost", "text": "file: gone."}
        users = [{"backend": "file", "last_error": error}, {"backend": "ok", "last_error": None}]
        self.assertEqual(running(users=users).warnings(), ["login, link-lost: file: gone."])

    def test_not_there(self) -> None:
        """Nobody answers: that is a warning, and no failure."""
        found = ask_running(Path("/nonexistent/control.sock"))
        self.assertTrue(found.down)
        self.assertIn("The daemon is not running", found.warnings()[0])
