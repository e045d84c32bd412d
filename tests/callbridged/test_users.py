"""Tests for `callbridged.users`, ``callbridgectl user``."""

from __future__ import annotations

import contextlib
import io
import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from callbridged.backends.users_file import Users, parse
from callbridged.ctl import main
from callbridged.scram_text import parse_keys

SCHEME = "SCRAM-SHA-256"
ALL = ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"]


class Terminal(io.StringIO):
    """Standard input that is a terminal."""

    def isatty(self) -> bool:
        return True


class UserCase(SynchronousTestCase):
    """The command, with a configuration that names a users file in an own directory."""

    #: What stands in front of the arguments.
    group: tuple[str, ...] = ("user",)

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.path = self.directory / "users"
        self.ini = self.directory / "callbridged.ini"
        self.configure(f"file:{self.path}")

    def configure(self, backend: str) -> None:
        self.ini.write_text(
            "[callbridge]\nname = cb1\ndomain = example.com\nsecret = s\n"
            "control_socket = /absent/control.sock\n"
            f"[users]\nbackend = {backend}\n"
        )

    def run_command(
        self, *arguments: str, stdin: str = "", typed: Callable[[str], str] | None = None
    ) -> tuple[int, str, str]:
        """Exit status, standard output and standard error."""
        out, err = io.StringIO(), io.StringIO()
        source = io.StringIO(stdin) if typed is None else Terminal()
        self.patch(sys, "stdin", source)
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            mock.patch("getpass.getpass", typed or self.fail),
        ):
            try:
                code = main(["--config", str(self.ini), *self.group, *arguments])
            except SystemExit as ended:  # argparse
                code = int(ended.code or 0)
        return code, out.getvalue(), err.getvalue()

    def ok(self, *arguments: str, stdin: str = "") -> str:
        code, out, err = self.run_command(*arguments, stdin=stdin)
        self.assertEqual((code, err), (0, ""), out)
        return out

    def refused(self, *arguments: str, stdin: str = "") -> str:
        code, out, err = self.run_command(*arguments, stdin=stdin)
        self.assertEqual((code, out), (1, ""), err)
        return err

    def users(self) -> Users:
        return parse(self.path.read_bytes())

    def password_is(self, name: str, password: str) -> bool:
        return self.users().keys[name][SCHEME].check(SCHEME, password)


class Commands(UserCase):
    """add, passwd, del and list."""

    def test_add(self) -> None:
        """A new user has keys, and no password is in the file."""
        self.assertEqual(self.ok("add", "Alice", stdin="wonderland\n"), "alice may log in.\n")
        for scheme in ALL:
            keys = self.users().keys["alice"][scheme]
            self.assertTrue(keys.check(scheme, "wonderland"))
            self.assertEqual(keys.iterations, 10_000)
        self.assertNotIn(b"wonderland", self.path.read_bytes())
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        self.assertEqual(sorted(os.listdir(self.directory)), ["callbridged.ini", "users"])

    def test_typed(self) -> None:
        """On a terminal the password is asked for twice, without echo."""
        asked = []

        def typed(prompt: str) -> str:
            asked.append(prompt)
            return "wonderland"

        code, _, err = self.run_command("add", "alice", typed=typed)
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(asked, ["Password for alice: ", "Password for alice, again: "])
        self.assertTrue(self.password_is("alice", "wonderland"))

    def test_typed_differently(self) -> None:
        """Two different passwords change nothing."""
        answers = ["wonderland", "wonderlamd"]
        code, _, err = self.run_command("add", "alice", typed=lambda _: answers.pop())
        self.assertEqual(code, 1)
        self.assertIn("differ", err)
        self.assertFalse(self.path.exists())

    def test_iterations(self) -> None:
        """The iterations can be chosen, within bounds."""
        self.ok("add", "alice", "--iterations", "4096", stdin="x\n")
        self.assertEqual(self.users().keys["alice"][SCHEME].iterations, 4096)
        for number in ("4095", "10000001", "many", "-1", "²"):
            code, _, err = self.run_command("add", "bob", "--iterations", number, stdin="x\n")
            self.assertEqual(code, 2, number)
            self.assertIn("--iterations", err)

    def test_add_twice(self) -> None:
        """A user who is there stays as is."""
        self.ok("add", "alice", stdin="wonderland\n")
        self.assertIn("callbridgectl user passwd alice", self.refused("add", "ALICE", stdin="x\n"))
        self.assertTrue(self.password_is("alice", "wonderland"))

    def test_passwd(self) -> None:
        """A user gets another password, and the others keep theirs."""
        self.ok("add", "alice", stdin="wonderland\n")
        self.ok("add", "bob", stdin="builder\n")
        self.ok("passwd", "alice", stdin="other\n")
        self.assertTrue(self.password_is("alice", "other"))
        self.assertTrue(self.password_is("bob", "builder"))
        self.assertIn("carol is not in", self.refused("passwd", "carol", stdin="x\n"))

    def test_delete(self) -> None:
        """A user who is removed is gone; removing nobody is an error."""
        self.ok("add", "alice", stdin="wonderland\n")
        self.assertEqual(self.ok("del", "alice"), "alice may not log in any more.\n")
        self.assertEqual(dict(self.users().keys), {})
        self.assertIn("alice is not in", self.refused("del", "alice"))

    def test_list(self) -> None:
        """Names in order with their mechanisms; an empty or missing file is an empty list."""
        self.assertEqual(self.ok("list"), "user  mechanisms\n")
        for name in ("bob", "alice"):
            self.ok("add", name, stdin="x\n")
        self.assertEqual(
            self.ok("list"),
            f"user   mechanisms\nalice  {', '.join(ALL)}\nbob    {', '.join(ALL)}\n",
        )
        self.assertEqual(self.ok("list", "bob"), f"user  mechanisms\nbob   {', '.join(ALL)}\n")
        self.assertIn("carol is not in", self.refused("list", "carol"))

    def test_scram(self) -> None:
        """Keys for users who are elsewhere are printed, and nothing is kept. The backend is no
        matter."""
        self.configure("memory:x")
        for arguments, scheme, iterations in (
            ((), SCHEME, 10_000),
            (("--mechanism", "SCRAM-SHA-512", "--iterations", "4096"), "SCRAM-SHA-512", 4096),
        ):
            printed = self.ok("scram", *arguments, stdin="wonderland\n")
            mechanism, keys = parse_keys(printed.removesuffix("\n"))
            self.assertEqual((mechanism, keys.iterations), (scheme, iterations))
            self.assertTrue(keys.check(mechanism, "wonderland"))
        as_json = json.loads(self.ok("scram", "--json", stdin="wonderland\n"))
        self.assertTrue(parse_keys(as_json[SCHEME])[1].check(SCHEME, "wonderland"))
        self.assertEqual(os.listdir(self.directory), ["callbridged.ini"])
        self.assertIn("cannot be a password", self.refused("scram", stdin="\x07\n"))

    def test_json(self) -> None:
        """With --json, all answers are JSON."""
        self.assertEqual(
            json.loads(self.ok("add", "alice", "--json", stdin="x\n")), {"user": "alice"}
        )
        self.assertEqual(
            json.loads(self.ok("list", "--json")), [{"user": "alice", "mechanisms": ALL}]
        )

    def test_broken_lines(self) -> None:
        """Broken lines are named with their number; a new password mends them."""
        self.ok("add", "alice", stdin="x\n")
        with self.path.open("a") as file:
            file.write("bob:nonsense\n")
        code, out, err = self.run_command("list")
        self.assertEqual(code, 1)
        self.assertIn("alice", out)
        self.assertIn("line 3: the keys are not", err)
        self.assertIn("passwd bob", self.refused("add", "bob", stdin="x\n"))
        self.ok("passwd", "bob", stdin="x\n")
        self.assertTrue(self.password_is("bob", "x"))
        self.ok("list")

    def test_bad_name(self) -> None:
        """What can be no localpart is a usage error."""
        for name in ("a b", "a@example.com", "", "a:b"):
            code, _, err = self.run_command("add", name, stdin="x\n")
            self.assertEqual(code, 2, name)
            self.assertIn("a user name", err)
        self.assertFalse(self.path.exists())

    def test_bad_password(self) -> None:
        """What clients could not send is refused in words."""
        for password in ("\U0001f600", "a\x01b", "\u00ad"):
            self.assertIn("cannot be a password", self.refused("add", "a", stdin=password + "\n"))
        self.assertIn("standard input", self.refused("add", "a"))
        self.assertFalse(self.path.exists())


class Backends(UserCase):
    """Which file it is."""

    def test_other_backend(self) -> None:
        """With no such backend, or another one, the command says so."""
        self.configure("nowhere:x")
        self.assertIn("There is no user backend 'nowhere'", self.refused("list"))

    def test_relative_path(self) -> None:
        """A path that depends on where one stands is refused, as the daemon refuses it."""
        self.configure("file:users")
        self.assertIn("whole path", self.refused("add", "alice", stdin="x\n"))

    def test_no_directory(self) -> None:
        """A path to nowhere is an error in words."""
        self.configure(f"file:{self.directory}/absent/users")
        self.assertIn("cannot be changed", self.refused("add", "alice", stdin="x\n"))

    def test_not_allowed(self) -> None:
        """A user who may not change the file is told who may."""
        self.directory.chmod(0o555)
        self.addCleanup(self.directory.chmod, 0o700)
        if os.geteuid() == 0:  # root may do everything: be nobody for once
            os.seteuid(65534)
            self.addCleanup(os.seteuid, 0)
        self.assertIn("root", self.refused("add", "alice", stdin="x\n"))
