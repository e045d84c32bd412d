"""Tests of xmppd.ctl_callbridges: which Call Bridges may connect."""

from __future__ import annotations

import json
import stat

from daemonkit.calling import NotRunning
from tests.xmppd.ctl_case import COM, STATUS, CtlTestCase
from xmppd.components.registry import Known


class CallBridgeTests(CtlTestCase):
    """xmppctl callbridge add, add-secret, list and del."""

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


class RotationTests(CtlTestCase):
    """xmppctl callbridge rotate."""

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
