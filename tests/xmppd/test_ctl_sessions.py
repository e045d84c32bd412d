"""Tests of xmppd.ctl_sessions."""

from __future__ import annotations

import json
from typing import ClassVar

from tests.xmppd.ctl_case import CtlTestCase


class SessionCommandTests(CtlTestCase):
    """xmppctl sessions and xmppctl kick."""

    ONE: ClassVar = {
        "jid": "alice@example.com/phone",
        "since": "2026-01-02T03:04:05+00:00",
        "peer": "203.0.113.7",
        "transport": "STARTTLS",
        "tls": "TLSv1.3",
        "mechanism": "PLAIN",
        "callbridge": "cb1.example.com",
        "away": False,
        "active": False,
        "resumable": True,
    }

    def test_sessions(self) -> None:
        """Each session is a line; how many are left out is said."""
        away = {**self.ONE, "jid": "bob@example.com/\x1bx", "away": True, "transport": "TLS"}
        self.answers["sessions"] = {"total": 7, "sessions": [self.ONE, away]}
        lines = self.run_ctl("sessions", "--limit", "2").splitlines()
        self.assertEqual(self.calls, [("sessions", {"user": None, "limit": 2})])
        self.assertTrue(lines[0].startswith("alice@example.com/phone since 2026-01-0"), lines)
        self.assertTrue(
            lines[0].endswith(
                "from 203.0.113.7, STARTTLS TLSv1.3, PLAIN by cb1.example.com, "
                "connected, inactive, resumable"
            ),
            lines,
        )
        self.assertTrue(lines[1].startswith("bob@example.com/?x ") and lines[1].endswith(" away"))
        self.assertEqual(lines[2], "2 of 7 sessions are shown; --limit shows more.")

    def test_sessions_for_programs(self) -> None:
        """With --json, the daemon's answer is passed on as it is."""
        answer = {"total": 1, "sessions": [self.ONE]}
        self.answers["sessions"] = answer
        self.assertEqual(json.loads(self.run_ctl("sessions", "alice", "--json")), answer)
        self.assertEqual(self.calls, [("sessions", {"user": "alice", "limit": 1000})])

    def test_no_sessions(self) -> None:
        """That there are none is no failure."""
        self.answers["sessions"] = {"total": 0, "sessions": []}
        self.assertEqual(self.run_ctl("sessions"), "There are no sessions.\n")

    def test_kick(self) -> None:
        """A kick says how many sessions it ended."""
        for count, words in (
            (1, "1 session of a@b is ended.\n"),
            (2, "2 sessions of a@b are ended.\n"),
        ):
            self.answers["kick"] = {"jid": "a@b", "ended": count}
            self.assertEqual(self.run_ctl("kick", "a@b", "--reason", "go"), words)
        self.assertEqual(self.calls[0], ("kick", {"jid": "a@b", "reason": "go"}))

    def test_kick_nobody(self) -> None:
        """Where nobody was there the exit status is 1, with --json too."""
        self.answers["kick"] = {"jid": "a@b", "ended": 0}
        self.assertIn("a@b has no session here", self.run_ctl("kick", "a@b", expect=1))
        self.run_ctl("kick", "a@b", "--json", expect=1)
