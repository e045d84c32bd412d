"""Tests of xmppd.ending and of what xmppd.control says of sessions."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bridgewire.jid import parse_jid
from bridgewire.session_end import EndSessions
from daemonkit.control import CommandError
from daemonkit.feed import Feed
from xmppd.control import MAX_SESSIONS, commands
from xmppd.domain import Domain
from xmppd.ending import end_for_callbridge, kick
from xmppd.logins import Logins
from xmppd.sessions import Session, SessionInfo, Sessions


class Client:
    """A session that is over once it was ended."""

    priority = None
    away = False

    def __init__(self, sessions: Sessions, jid: str) -> None:
        self.jid = parse_jid(jid)
        self.told: tuple[str, str] | None = None
        self._sessions = sessions
        sessions.bind(cast(Session, self))

    def end(self, condition: str, text: str) -> None:
        self.told = (condition, text)
        self._sessions.unbind(cast(Session, self))

    def info(self) -> SessionInfo:
        return SessionInfo(
            jid=self.jid.full(),
            since=datetime(2026, 1, 2, 3, 4, 5, 678, UTC),
            peer="203.0.113.7",
            transport="STARTTLS",
            tls="TLSv1.3",
            mechanism="SCRAM-SHA-256",
            callbridge="cb1.example.com",
            away=False,
            active=True,
            resumable=True,
            until=datetime(2026, 1, 2, 11, 4, 5, 678, UTC),
        )


class EndingCase(SynchronousTestCase):
    """alice twice and bob once at example.com, alice once at example.org."""

    def setUp(self) -> None:
        self.sessions = Sessions()
        self.phone, self.desk, self.bob, self.other = (
            Client(self.sessions, jid)
            for jid in (
                *("alice@example.com/phone", "alice@example.com/desk"),
                *("bob@example.com/x", "alice@example.org/phone"),
            )
        )

    def told(self) -> list[tuple[str, str] | None]:
        return [one.told for one in (self.phone, self.desk, self.bob, self.other)]


class EndingTests(EndingCase):
    """Whose sessions end, and what they hear."""

    def test_user(self) -> None:
        """A Call Bridge ends all sessions of a user of its own domain."""
        order = EndSessions("alice", reason="account closed")
        self.assertEqual(end_for_callbridge(self.sessions, "example.com", order), 2)
        heard = ("not-authorized", "account closed")
        self.assertEqual(self.told(), [heard, heard, None, None])
        self.assertEqual(end_for_callbridge(self.sessions, "example.com", order), 0)

    def test_one(self) -> None:
        """Or one of them; who gives no reason leaves a general one."""
        order = EndSessions("alice", "desk")
        self.assertEqual(end_for_callbridge(self.sessions, "example.com", order), 1)
        heard = ("not-authorized", "the session was ended")
        self.assertEqual(self.told(), [None, heard, None, None])

    def test_nobody(self) -> None:
        """Where there is no such session none ends, whatever the resource looks like."""
        for order in (EndSessions("carol"), EndSessions("bob", "y"), EndSessions("bob", "\x00")):
            self.assertEqual(end_for_callbridge(self.sessions, "example.com", order), 0)
        self.assertEqual(self.told(), [None] * 4)

    def test_kick(self) -> None:
        """An operator's kick is a policy-violation."""
        self.assertEqual(kick(self.sessions, parse_jid("alice@example.org"), "go"), 1)
        self.assertEqual(self.told(), [None, None, None, ("policy-violation", "go")])


class ControlTests(EndingCase):
    """The same over the control socket."""

    def setUp(self) -> None:
        super().setUp()
        logins = Logins(Clock(), deadline=10.0, max_waiting=100)
        domains = {name: Domain(name, logins) for name in ("example.com", "example.org")}
        clients = SimpleNamespace(login_records=Feed())
        server: Any = SimpleNamespace(sessions=self.sessions, domains=domains, clients=clients)
        nobody: Any = None
        self.commands = commands(server, nobody)

    def ask(self, command: str, **arguments: Any) -> Any:
        return self.commands[command](arguments)

    def addresses(self, **arguments: Any) -> list[str]:
        return [one["jid"] for one in self.ask("sessions", **arguments)["sessions"]]

    def test_sessions(self) -> None:
        """Sessions come in the order of domain, user and resource, with all that is known."""
        self.assertEqual(
            self.addresses(),
            [
                *("alice@example.com/desk", "alice@example.com/phone"),
                *("bob@example.com/x", "alice@example.org/phone"),
            ],
        )
        answer = self.ask("sessions", user="bob")
        self.assertEqual(answer["total"], 1)
        self.assertEqual(
            answer["sessions"],
            [
                {
                    "jid": "bob@example.com/x",
                    "since": "2026-01-02T03:04:05+00:00",
                    "peer": "203.0.113.7",
                    "transport": "STARTTLS",
                    "tls": "TLSv1.3",
                    "mechanism": "SCRAM-SHA-256",
                    "callbridge": "cb1.example.com",
                    "away": False,
                    "active": True,
                    "resumable": True,
                    "until": "2026-01-02T11:04:05+00:00",
                }
            ],
        )

    def test_sessions_of_a_user(self) -> None:
        """A name alone means the users of that name in all domains, an address one of them."""
        self.assertEqual(len(self.addresses(user="Alice")), 3)
        self.assertEqual(self.addresses(user="alice@example.org"), ["alice@example.org/phone"])
        self.assertEqual(self.addresses(user="alice@example.com/desk"), ["alice@example.com/desk"])
        self.assertEqual(self.addresses(user="carol"), [])

    def test_limit(self) -> None:
        """No more are listed than asked for, and how many there are is said."""
        answer = self.ask("sessions", limit=1)
        self.assertEqual((len(answer["sessions"]), answer["total"]), (1, 4))
        for limit in (0, -1, MAX_SESSIONS + 1, "all", None):
            self.assertRaises(CommandError, self.ask, "sessions", limit=limit)

    def test_kick(self) -> None:
        """A kick ends sessions and says how many they were."""
        answer = self.ask("kick", jid="ALICE@example.com", reason="go")
        self.assertEqual(answer, {"jid": "alice@example.com", "ended": 2})
        heard = ("policy-violation", "go")
        self.assertEqual(self.told(), [heard, heard, None, None])
        self.assertEqual(self.ask("kick", jid="bob@example.com/x")["ended"], 1)
        self.assertEqual(self.ask("kick", jid="bob@example.com/x")["ended"], 0)

    def test_whom_to_kick(self) -> None:
        """What is no address of a user here is refused, and so is a reason that is too much."""
        for jid in ("alice", "example.com", "alice@example.net", "@", "", "a@b@c"):
            self.assertRaises(CommandError, self.ask, "kick", jid=jid)
        for reason in ("x" * 201, "a\nb"):
            self.assertRaises(
                CommandError, self.ask, "kick", jid="alice@example.com", reason=reason
            )
        self.assertEqual(self.told(), [None] * 4)
