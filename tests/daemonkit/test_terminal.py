"""Tests of daemonkit.terminal."""

from __future__ import annotations

import getpass
import io
import os
import sys

from twisted.trial.unittest import SynchronousTestCase

from daemonkit.terminal import CtlFailure, coloured, paint, pairs, printable, read_secret, table


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


class SecretTests(SynchronousTestCase):
    """Secrets that are typed or piped in."""

    def type(self, *answers: str) -> list[str]:
        """Have the answers typed at a terminal; returns the prompts."""
        prompts: list[str] = []
        left = list(answers)

        def answer(prompt: str) -> str:
            prompts.append(prompt)
            return left.pop(0)

        self.patch(sys, "stdin", Terminal())
        self.patch(getpass, "getpass", answer)
        return prompts

    def test_piped(self) -> None:
        """The first line of standard input counts, with its spaces, without its end."""
        self.patch(sys, "stdin", io.StringIO(" a b \r\nmore\n"))
        self.assertEqual(read_secret("Secret", confirm=True), " a b ")

    def test_nothing_piped(self) -> None:
        """Empty standard input is refused."""
        self.patch(sys, "stdin", io.StringIO(""))
        self.assertRaises(CtlFailure, read_secret, "Secret")

    def test_typed(self) -> None:
        """At a terminal the secret is asked for without echo, once."""
        prompts = self.type("hunter2")
        self.assertEqual(read_secret("Secret of cb1"), "hunter2")
        self.assertEqual(prompts, ["Secret of cb1: "])

    def test_typed_twice(self) -> None:
        """A new secret is typed twice, and must be the same."""
        self.type("hunter2", "hunter2")
        self.assertEqual(read_secret("Secret", confirm=True), "hunter2")
        self.type("hunter2", "hunter3")
        self.assertRaises(CtlFailure, read_secret, "Secret", confirm=True)

    def test_nothing_typed(self) -> None:
        """An empty secret is refused."""
        self.type("")
        self.assertRaises(CtlFailure, read_secret, "Secret")

    def test_end_of_input(self) -> None:
        """A terminal that ends, as by Ctrl-D, is as if nothing was typed."""

        def end(prompt: str) -> str:
            raise EOFError

        self.patch(sys, "stdin", Terminal())
        self.patch(getpass, "getpass", end)
        self.assertRaises(CtlFailure, read_secret, "Secret")


class PrintingTests(SynchronousTestCase):
    """What is shown."""

    def test_colour(self) -> None:
        """There is colour on a terminal only, and not if somebody asked for none."""
        self.patch(os, "environ", {"TERM": "xterm"})
        self.assertTrue(coloured(Terminal()))
        self.assertFalse(coloured(io.StringIO()))
        os.environ["NO_COLOR"] = "1"
        self.assertFalse(coloured(Terminal()))
        self.patch(os, "environ", {"TERM": "dumb"})
        self.assertFalse(coloured(Terminal()))

    def test_paint(self) -> None:
        """Painted text is plain where there is no colour."""
        self.patch(os, "environ", {"TERM": "xterm"})
        self.patch(sys, "stdout", Terminal())
        self.assertEqual(paint("up", "green"), "\x1b[32mup\x1b[0m")
        self.patch(sys, "stdout", io.StringIO())
        self.assertEqual(paint("up", "green"), "up")

    def test_printable(self) -> None:
        """A peer cannot send the terminal commands, or lines of its own."""
        self.assertEqual(printable("a\x1b[31m\nb"), "a?[31m?b")

    def test_pairs(self) -> None:
        """Values stand below each other, and long ones wrap within 80 columns."""
        lines = pairs([("Name", "cb1"), ("Certificate", "word " * 30), ("None", "")], indent=2)
        self.assertEqual(lines[0], "  Name:        cb1")
        self.assertTrue(lines[2].startswith(" " * 15 + "word"))
        self.assertTrue(all(len(line) <= 80 for line in lines))
        self.assertEqual(lines[-1], "  None:")

    def test_table(self) -> None:
        """Columns are as wide as their widest cell."""
        self.assertEqual(
            table(["Name", "State"], [["cb1", "down"], ["longer-name", "up"]]),
            ["Name         State", "cb1          down", "longer-name  up"],
        )
