"""Tests of xmppd.ctl. A real daemon answers it in tests/integration/."""

from __future__ import annotations

import io
import json
import shutil
import stat
import sys
import tempfile
from pathlib import Path
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from daemonkit import calling
from daemonkit.calling import CommandError, NotRunning
from xmppd.components.registry import Known, Registry
from xmppd.ctl import main

STATUS: dict[str, Any] = {
    "domain": "example.com",
    "hostname": "xmpp1.example.com",
    "callbridges": [
        {
            "name": "cb1",
            "state": "registered",
            "peer": "203.0.113.7:40112",
            "since": "2026-01-02T03:04:05+00:00",
            "certificate": "CN=cb1.example.com, SAN cb1.example.com, until 2027-01-01, issued by "
            "CN=Example CA",
            "mechanisms": ["PLAIN", "SCRAM-SHA-256"],
            "outstanding": 3,
        },
        {
            "name": "cb2",
            "state": "down",
            "peer": None,
            "since": None,
            "certificate": None,
            "mechanisms": [],
            "outstanding": 0,
        },
    ],
    "sessions": 12,
    "waiting_logins": 3,
}
COM, ORG = "example.com", "example.org"


class CtlTestCase(SynchronousTestCase):
    """xmppctl with a daemon that is a function, or that does not run."""

    def setUp(self) -> None:
        # Not self.mktemp(): a socket's path has at most 107 bytes.
        directory = Path(tempfile.mkdtemp(prefix="xmppctl-"))
        self.addCleanup(shutil.rmtree, directory)
        self.ini = directory / "xmppd.ini"
        self.socket = directory / "control.sock"
        self.ini.write_text(
            "[xmppd]\ndomain = example.com\nhostname = xmpp1.example.com\n"
            "state_directory = state\ncontrol_socket = control.sock\n"
        )
        self.registry = Registry(directory / "state", COM)
        self.addCleanup(self.registry.close)
        self.calls: list[tuple[str, dict[str, object]]] = []
        self.answers: dict[str, Any] = {}
        self.absence = NotRunning(self.socket, "It is not running.", "Start it.", down=True)
        self.patch(calling, "call", self.call)

    def call(self, path: Path, command: str, **arguments: object) -> Any:
        self.assertEqual(path, self.socket)
        self.calls.append((command, arguments))
        answer = self.answers.get(command, self.absence)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def run_ctl(self, *argv: str, typed: str = "", expect: int = 0) -> str:
        """Run it; answers standard output, or standard error where it is to fail."""
        output, errors = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", output)
        self.patch(sys, "stderr", errors)
        self.patch(sys, "stdin", io.StringIO(typed))
        self.assertEqual(main(["--config", str(self.ini), *argv]), expect, errors.getvalue())
        self.errors = errors.getvalue()
        return self.errors if expect else output.getvalue()


class CtlTests(CtlTestCase):
    """xmppctl where there is one domain."""

    def test_add(self) -> None:
        """A new Call Bridge's name, domain and secret are printed."""
        output = self.run_ctl("callbridge", "add", "CB1")
        secret = self.registry.secret(COM, "cb1")
        self.assertEqual(
            output, f"Callbridge: cb1\nDomain:     example.com\nSecret:     {secret}\n"
        )

    def test_add_for_programs(self) -> None:
        """With --json, they are one object."""
        answer = json.loads(self.run_ctl("--json", "callbridge", "add", "cb1"))
        secret = self.registry.secret(COM, "cb1")
        self.assertEqual(answer, {"callbridge": "cb1", "domain": "example.com", "secret": secret})

    def test_add_twice(self) -> None:
        """A name that exists is refused, and its secret stays."""
        self.run_ctl("callbridge", "add", "cb1")
        secret = self.registry.secret(COM, "cb1")
        self.assertIn(
            "xmppctl: there is a Call Bridge cb1 already",
            self.run_ctl("callbridge", "add", "cb1", expect=1),
        )
        self.assertEqual(self.registry.secret(COM, "cb1"), secret)

    def test_add_wrong_name(self) -> None:
        """A name with a domain is refused in one line that says why."""
        error = self.run_ctl("callbridge", "add", "cb1.example.com", expect=1)
        self.assertEqual(error.count("\n"), 1)
        self.assertIn("has a dot in it", error)

    def test_add_secret(self) -> None:
        """A known secret is read from standard input, and is not shown."""
        output = self.run_ctl("callbridge", "add-secret", "cb1", typed=" hunter2 \n")
        self.assertEqual(output, "cb1.example.com may connect.\n")
        self.assertEqual(self.registry.secret(COM, "cb1"), "hunter2")

    def test_change_secret(self) -> None:
        """Adding the secret of a known Call Bridge changes it, and says so."""
        self.registry.add_secret(COM, "cb1", "old")
        output = self.run_ctl("callbridge", "add-secret", "cb1", typed="new\n")
        self.assertIn("changed", output)
        self.assertEqual(self.registry.secret(COM, "cb1"), "new")

    def test_add_no_secret(self) -> None:
        """Without a secret nothing is added."""
        for typed in ("", "\n", "  \n"):
            self.assertTrue(self.run_ctl("callbridge", "add-secret", "cb1", typed=typed, expect=1))
        self.assertEqual(self.registry.names(COM), [])

    def test_rotate(self) -> None:
        """A new secret is made and printed once; the old one counts until it was used."""
        self.registry.add_secret(COM, "cb1", "old")
        output = self.run_ctl("callbridge", "rotate", "CB1")
        known = self.registry.find(COM, "cb1")
        assert known is not None
        self.assertEqual(known.secret, "old")
        self.assertIn(f"Secret:     {known.next_secret}\n", output)
        self.assertIn("--secret-stdin", output)
        error = self.run_ctl("callbridge", "rotate", "cb1", expect=1)
        self.assertIn("is being rotated already", error)
        self.assertNotIn(str(known.next_secret), error)

    def test_rotate_for_programs(self) -> None:
        """With --json, it is one object, as for add."""
        self.registry.add(COM, "cb1")
        answer = json.loads(self.run_ctl("--json", "callbridge", "rotate", "cb1"))
        known = self.registry.find(COM, "cb1")
        assert known is not None
        self.assertEqual(answer, {"callbridge": "cb1", "domain": COM, "secret": known.next_secret})

    def test_rotate_to_file(self) -> None:
        """The new secret can go to a file, which nobody else can read; then it is not shown."""
        self.registry.add(COM, "cb1")
        path = self.ini.parent / "secret"
        output = self.run_ctl("callbridge", "rotate", "cb1", "--output", str(path))
        known = self.registry.find(COM, "cb1")
        assert known is not None
        self.assertEqual(path.read_text(), f"{known.next_secret}\n")
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertNotIn(str(known.next_secret), output)

    def test_rotate_to_no_file(self) -> None:
        """Where the file cannot be written, no rotation begins."""
        self.registry.add_secret(COM, "cb1", "old")
        path = self.ini.parent / "nowhere" / "secret"
        error = self.run_ctl("callbridge", "rotate", "cb1", "--output", str(path), expect=1)
        self.assertIn("secret cannot be written: No such file or directory.", error)
        self.assertEqual(self.registry.find(COM, "cb1"), Known("old"))

    def test_rotate_to_known_secret(self) -> None:
        """On the other servers the new secret is read from standard input, and is not shown."""
        self.registry.add_secret(COM, "cb1", "old")
        for _ in range(2):
            output = self.run_ctl("callbridge", "rotate", "cb1", "--secret-stdin", typed="new\n")
            self.assertEqual(output, "cb1 may use either secret, until it has used the new one.\n")
        error = self.run_ctl("callbridge", "rotate", "cb1", "--secret-stdin", typed="x\n", expect=1)
        self.assertIn("is being rotated already", error)
        known = self.registry.find(COM, "cb1")
        assert known is not None
        self.assertEqual((known.secret, known.next_secret), ("old", "new"))

    def test_rotate_to_same_secret(self) -> None:
        """The secret that it has already begins no rotation."""
        self.registry.add_secret(COM, "cb1", "old")
        error = self.run_ctl(
            "callbridge", "rotate", "cb1", "--secret-stdin", typed="old\n", expect=1
        )
        self.assertIn("is the secret of cb1 already", error)

    def test_rotate_unknown(self) -> None:
        """There is nothing to rotate of a name that is not known, and nothing is made."""
        for way in ([], ["--abort"], ["--finish"]):
            error = self.run_ctl("callbridge", "rotate", "cb1", *way, expect=1)
            self.assertIn("there is no Call Bridge cb1", error)
        self.assertFalse(self.registry.path.exists())

    def test_end_rotation(self) -> None:
        """A rotation can be given up, or the old secret dropped; without one both fail."""
        for way, kept in (("--abort", "old"), ("--finish", "new")):
            self.registry.add_secret(COM, "cb1", "old")
            self.registry.rotate(COM, "cb1", "new")
            self.assertIn("counts alone", self.run_ctl("callbridge", "rotate", "cb1", way))
            self.assertEqual(self.registry.find(COM, "cb1"), Known(kept))
            error = self.run_ctl("callbridge", "rotate", "cb1", way, expect=1)
            self.assertIn("is not being rotated", error)

    def test_list_rotation(self) -> None:
        """The list says that a rotation goes on, and which secret the link uses, but no secret."""
        self.registry.add_secret(COM, "cb1", "0ld")
        self.registry.rotate(COM, "cb1", "n3w")
        link = STATUS["callbridges"][0]
        self.answers["status"] = {"callbridges": [{**link, "secret_in_use": "current"}]}
        output = self.run_ctl("callbridge", "list")
        self.assertRegex(
            output, "\ncb1: a rotation goes on for .*; the link uses the old secret.\n"
        )
        (entry,) = json.loads(self.run_ctl("--json", "callbridge", "list"))
        self.assertEqual(entry["secret_in_use"], "current")
        self.assertIs(entry["rotation"]["long"], False)
        for secret in ("0ld", "n3w"):
            self.assertNotIn(secret, output + json.dumps(entry))
            self.assertIn(secret, self.run_ctl("callbridge", "list", "--show-secrets"))

    def test_status_of_rotation(self) -> None:
        """The status says it, too, and warns where it goes on for long."""
        link = {
            **STATUS["callbridges"][0],
            "secret_in_use": "current",
            "rotation": {"since": "2026-01-01T00:00:00+00:00", "seconds": 180000, "long": True},
        }
        self.answers["status"] = {**STATUS, "callbridges": [link]}
        output = " ".join(self.run_ctl("status").split())
        self.assertIn("a rotation goes on for 2d 2h; the link uses the old secret", output)
        self.assertIn("xmppctl callbridge rotate cb1 --abort", output)
        former = {**link, "rotation": None, "secret_in_use": "former"}
        self.answers["status"] = {**STATUS, "callbridges": [former]}
        self.assertIn("the link uses a former secret", self.run_ctl("status"))

    def test_list_nothing(self) -> None:
        """An empty registry is shown with the way to fill it."""
        self.assertIn("xmppctl callbridge add NAME", self.run_ctl("callbridge", "list"))
        self.assertEqual(self.run_ctl("--json", "callbridge", "list"), "[]\n")

    def test_list_without_daemon(self) -> None:
        """Names are listed without a daemon, which then is said."""
        self.registry.add_secret(COM, "cb1", "hunter2")
        output = self.run_ctl("callbridge", "list")
        self.assertEqual(output, "Call Bridge  State\ncb1          daemon not running\n")
        output = self.run_ctl("callbridge", "list", "--json")
        entry = {"name": "cb1", "domain": COM, "state": None}
        nothing = {"secret_in_use": None, "rotation": None, "expires": None}
        self.assertEqual(json.loads(output), [{**entry, **nothing}])

    def test_list_with_daemon(self) -> None:
        """The daemon tells the states."""
        self.answers["status"] = STATUS
        for name in ("cb1", "cb2"):
            self.registry.add(COM, name)
        output = self.run_ctl("callbridge", "list")
        self.assertEqual(output.splitlines()[1:], ["cb1          registered", "cb2          down"])

    def test_list_with_daemon_out_of_reach(self) -> None:
        """A daemon that may run, but cannot be asked, is not said to be down."""
        self.absence = NotRunning(self.socket, "No permission.")
        self.registry.add(COM, "cb1")
        self.assertIn("daemon not reached", self.run_ctl("callbridge", "list"))
        self.assertEqual(self.errors, "xmppctl: No permission.\n")

    def test_list_secrets(self) -> None:
        """Secrets are listed only if asked for."""
        self.registry.add_secret(COM, "cb1", "hunter2")
        for more in ([], ["--json"]):
            self.assertNotIn("hunter2", self.run_ctl("callbridge", "list", *more))
            output = self.run_ctl("callbridge", "list", "--show-secrets", *more)
            self.assertIn("hunter2", output)

    def test_delete(self) -> None:
        """A Call Bridge is taken out, and a running daemon closes its link."""
        self.registry.add(COM, "cb1")
        self.answers["callbridge-removed"] = {"closed": True}
        output = self.run_ctl("callbridge", "del", "CB1")
        self.assertEqual(output, "cb1 may not connect any more, and its link is closed.\n")
        self.assertEqual(self.calls, [("callbridge-removed", {"name": "cb1", "domain": COM})])
        self.assertEqual(self.registry.names(COM), [])

    def test_delete_without_daemon(self) -> None:
        """A Call Bridge is taken out without a daemon as well."""
        self.registry.add(COM, "cb1")
        output = self.run_ctl("callbridge", "del", "cb1", "--json")
        self.assertEqual(json.loads(output), {"callbridge": "cb1", "domain": COM, "closed": False})
        self.assertEqual(self.registry.names(COM), [])

    def test_delete_with_daemon_out_of_reach(self) -> None:
        """That a link may still be up is an error."""
        self.absence = NotRunning(self.socket, "No answer.")
        self.registry.add(COM, "cb1")
        error = self.run_ctl("callbridge", "del", "cb1", expect=1)
        self.assertIn("its link could not be closed. No answer.", error)

    def test_delete_unknown(self) -> None:
        """A name that is not there is an error which names those that are."""
        self.registry.add(COM, "cb1")
        error = self.run_ctl("callbridge", "del", "cb2", expect=1)
        self.assertIn("there is no Call Bridge cb2", error)
        self.assertIn("cb1", error)
        self.assertEqual(self.calls, [])

    def test_status(self) -> None:
        """The status is readable within 80 columns, and what is down takes one line."""
        self.answers["status"] = STATUS
        output = self.run_ctl("status")
        lines = output.splitlines()
        self.assertTrue(all(len(line) <= 80 for line in lines))
        for words in (
            *("example.com", "xmpp1.example.com", "12", "cb1  registered", "203.0.113.7:40112"),
            *("CN=cb1.example.com", "PLAIN, SCRAM-SHA-256", "2026-01-0"),
        ):
            self.assertIn(words, output)
        self.assertEqual(lines[-1], "cb2  down")

    def test_status_limits(self) -> None:
        """Connections are counted, and some of the paused networks are named."""
        paused = [{"network": f"203.0.113.{n}", "seconds_left": 250 + n} for n in range(100)]
        self.answers["status"] = {
            **STATUS,
            "connections": 20,
            "not_logged_in": 8,
            "paused_networks": paused,
            "paused_networks_total": 300,
        }
        output = self.run_ctl("status")
        self.assertIn("20, 8 of them not logged in", output)
        self.assertIn("\n203.0.113.0 may not log in by password for 4m 10s\n", output)
        self.assertEqual(output.count("may not log in"), 10)
        self.assertIn("and 290 more, see xmppctl paused", output)

    def test_paused(self) -> None:
        """The networks that are paused are listed, with the time that is left."""
        answer = {"total": 1, "paused": [{"network": "2001:db8::/64", "seconds_left": 250}]}
        self.answers["paused"] = answer
        self.assertIn("2001:db8::/64  4m 10s", self.run_ctl("paused"))
        self.assertEqual(json.loads(self.run_ctl("--json", "paused")), answer)

    def test_unpause(self) -> None:
        """A network is let in; whether it was kept out is told."""
        for was_paused, words in ((True, "may log in again"), (False, "was not paused")):
            answer = {"network": "2001:db8::/64", "was_paused": was_paused}
            self.answers["unpause"] = answer
            self.assertIn(f"2001:db8::/64 {words}", self.run_ctl("unpause", "2001:db8::7"))
            self.assertEqual(self.calls[-1], ("unpause", {"address": "2001:db8::7"}))
            self.assertEqual(json.loads(self.run_ctl("--json", "unpause", "::1")), answer)

    def test_status_for_programs(self) -> None:
        """With --json, the daemon's status is passed on as it is."""
        self.answers["status"] = STATUS
        self.assertEqual(json.loads(self.run_ctl("status", "--json")), STATUS)

    def test_status_without_daemon(self) -> None:
        """Without a daemon there is no status, but a remedy."""
        error = self.run_ctl("status", expect=1)
        self.assertEqual(error, "xmppctl: It is not running. Start it.\n")

    def test_status_refused(self) -> None:
        """What the daemon refuses is passed on."""
        self.answers["status"] = CommandError("not now")
        self.assertEqual(self.run_ctl("status", expect=1), "xmppctl: not now\n")

    def test_wrong_configuration(self) -> None:
        """A configuration that cannot be used is named with its faults."""
        self.ini.write_text("[xmppd]\ndomain = example.com\n")
        error = self.run_ctl("callbridge", "list", expect=1)
        self.assertIn(str(self.ini), error)
        self.assertIn("hostname", error)


class DomainsTests(CtlTestCase):
    """xmppctl where there are several domains."""

    def setUp(self) -> None:
        super().setUp()
        with self.ini.open("a") as file:
            file.write("[domain example.org]\ncertificate = x\nprivate_key = x\n")

    def test_add(self) -> None:
        """A Call Bridge is added to the domain that is named, else to the first."""
        self.assertIn(ORG, self.run_ctl("callbridge", "add", "cb1", "--domain", "EXAMPLE.org"))
        self.assertEqual((self.registry.names(COM), self.registry.names(ORG)), ([], ["cb1"]))
        self.run_ctl("callbridge", "add", "cb1")
        self.assertNotEqual(self.registry.secret(COM, "cb1"), self.registry.secret(ORG, "cb1"))
        output = self.run_ctl("callbridge", "add-secret", "cb2", "--domain", ORG, typed="x\n")
        self.assertEqual(output, "cb2.example.org may connect.\n")

    def test_unknown_domain(self) -> None:
        """A domain that is not served is refused, with those that are."""
        error = self.run_ctl("callbridge", "add", "cb1", "--domain", "example.net", expect=1)
        self.assertIn("It has: example.com, example.org.", error)
        error = self.run_ctl("callbridge", "add", "cb1", "--domain", "192.0.2.1", expect=1)
        self.assertIn("is an address", error)

    def test_name_that_is_a_domain(self) -> None:
        """A Call Bridge cannot have the address of a domain."""
        with self.ini.open("a") as file:
            file.write("[domain chat.example.com]\ncertificate = x\nprivate_key = x\n")
        error = self.run_ctl("callbridge", "add", "chat", expect=1)
        self.assertIn("chat.example.com is a domain of its own", error)

    def test_list(self) -> None:
        """The list has the domain, and what is left of one that is not served any more."""
        for domain in (COM, ORG, "example.net"):
            self.registry.add_secret(domain, "cb1", "x")
        down = {"name": "cb1", "domain": COM, "state": "down"}
        self.answers["status"] = {
            "callbridges": [down, {"name": "cb1", "domain": ORG, "state": "registered"}]
        }
        self.assertEqual(
            self.run_ctl("callbridge", "list").splitlines(),
            [
                "Call Bridge  Domain       State",
                "cb1          example.com  down",
                "cb1          example.org  registered",
                "cb1          example.net  domain not served",
            ],
        )
        output = self.run_ctl("callbridge", "list", "--domain", COM, "--json")
        nothing = {"secret_in_use": None, "rotation": None, "expires": None}
        self.assertEqual(json.loads(output), [{**down, **nothing}])

    def test_delete(self) -> None:
        """A Call Bridge is taken out of the domain that is named, also of one not served."""
        for domain in (COM, ORG, "example.net"):
            self.registry.add(domain, "cb1")
        self.answers["callbridge-removed"] = {"closed": True}
        for domain in (ORG, "example.net"):
            self.run_ctl("callbridge", "del", "cb1", "--domain", domain)
            self.assertEqual(self.calls[-1][1], {"name": "cb1", "domain": domain})
        self.assertEqual(self.registry.domains(), [COM])

    def test_status(self) -> None:
        """The status counts by domain and shows whose each Call Bridge is."""
        links = [{**one, "domain": ORG} for one in STATUS["callbridges"]]
        counts = [
            {"domain": COM, "sessions": 5, "waiting_logins": 1},
            {"domain": ORG, "sessions": 7, "waiting_logins": 2},
        ]
        self.answers["status"] = {**STATUS, "callbridges": links, "domains": counts}
        output = self.run_ctl("status")
        self.assertIn("example.org  7         2\n", output)
        self.assertIn("cb1.example.org  registered\n", output)


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
