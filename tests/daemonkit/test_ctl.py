"""Tests of daemonkit.ctl."""

from __future__ import annotations

import io
import json
import sys
from argparse import Namespace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from daemonkit.calling import NotRunning
from daemonkit.ctl import Frame, show
from daemonkit.terminal import CtlFailure

DEFAULT = Path("/etc/testd/testd.ini")


class FrameTests(SynchronousTestCase):
    """A ctl command with the commands ``status`` and ``thing add NAME``."""

    def setUp(self) -> None:
        self.seen: list[Namespace] = []
        self.failure: Exception | None = None
        self.output = io.StringIO()
        self.errors = io.StringIO()
        self.patch(sys, "stdout", self.output)
        self.patch(sys, "stderr", self.errors)
        self.frame = Frame("testctl", "Operates testd.", DEFAULT, "no-such-thing", "examples:\n  x")
        self.frame.command("status", self.do, "shows it", details="At length.")
        group = self.frame.group("thing", "changes things")
        self.frame.command("add", self.do, "adds one", within=group).add_argument("name")

    def do(self, options: Namespace) -> int | None:
        self.seen.append(options)
        if self.failure:
            raise self.failure
        show(options, {"a": 1}, lambda: ["one line"])
        return None

    def exits(self, *argv: str) -> int | str | None:
        exit_: SystemExit = self.assertRaises(SystemExit, self.frame.run, argv)
        return exit_.code

    def test_for_people(self) -> None:
        """Without --json, lines are printed, and the status is 0."""
        self.assertEqual(self.frame.run(["status"]), 0)
        self.assertEqual(self.output.getvalue(), "one line\n")
        self.assertEqual(self.seen[0].config, DEFAULT)

    def test_options_anywhere(self) -> None:
        """--config and --json may stand before the command or after it."""
        options = ["--json", "--config", "x.ini"]
        for argv in (
            [*options, "thing", "add", "n"],
            ["thing", *options, "add", "n"],
            ["thing", "add", *options, "n"],
            ["--json", "thing", "add", "n", "--config", "x.ini"],
        ):
            self.assertEqual(self.frame.run(argv), 0)
            self.assertEqual(self.seen[-1].config, Path("x.ini"))
            self.assertEqual(self.seen[-1].name, "n")
            self.assertIs(self.seen[-1].json, True)
        self.assertEqual(json.loads(self.output.getvalue().partition("}")[0] + "}"), {"a": 1})

    def test_expected_failure(self) -> None:
        """A failure that the operator can mend is one message, and the status is 1."""
        for failure in (CtlFailure("no."), NotRunning(Path("/s"), "It is down.", "Start it.")):
            self.failure = failure
            self.assertEqual(self.frame.run(["status"]), 1)
        self.assertEqual(self.errors.getvalue(), "testctl: no.\ntestctl: It is down. Start it.\n")

    def test_failures_of_its_own(self) -> None:
        """A ctl command can name further exceptions that are expected."""
        self.failure = LookupError("nothing there")
        self.assertEqual(self.frame.run(["status"], expected=(LookupError,)), 1)
        self.assertRaises(LookupError, self.frame.run, ["status"])

    def test_interrupted(self) -> None:
        """Ctrl-C ends it as a shell expects, without a traceback."""
        self.patch(self.frame, "parser", self.frame.parser)
        self.failure = None

        def interrupt(options: Namespace) -> None:
            raise KeyboardInterrupt

        self.frame.command("wait", interrupt, "waits")
        self.assertEqual(self.frame.run(["wait"]), 130)

    def test_wrong_usage(self) -> None:
        """Unknown commands, missing ones and abbreviated options end with status 2."""
        for argv in ([], ["thing"], ["nothing"], ["status", "x"], ["status", "--js"]):
            self.assertEqual(self.exits(*argv), 2)

    def test_help(self) -> None:
        """Help names commands, default file and examples, and each command has its own."""
        self.assertEqual(self.exits("--help"), 0)
        for words in ("shows it", "changes things", str(DEFAULT), "examples:\n  x"):
            self.assertIn(words, self.output.getvalue())
        self.assertEqual(self.exits("status", "--help"), 0)
        self.assertIn("At length.", self.output.getvalue())

    def test_version(self) -> None:
        """--version needs no command."""
        self.assertEqual(self.exits("--version"), 0)
        self.assertEqual(self.output.getvalue(), "testctl (not installed)\n")
