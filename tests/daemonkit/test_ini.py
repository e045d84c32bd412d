"""Tests of daemonkit.ini: whole files."""

from __future__ import annotations

from pathlib import Path

from daemonkit.ini import ConfigurationFault, IniReader, Section, Source, find_socket
from tests.daemonkit.ini_case import IniTestCase


class NamedSectionTests(IniTestCase):
    """Sections of which there may be several."""

    def test_named(self) -> None:
        """They come in the order of the file, each with its name as it is written."""
        self.read("[place b  c]\nkey = 1\n[place A]\nkey = 2\n[places]\n[place]\n")
        found = [
            (name, section.text("key", "none"))
            for name, section in self.reader.named_sections("place")
        ]
        self.assertEqual(found, [("b  c", "1"), ("A", "2"), ("", "none")])
        self.assertEqual(len(self.faults()), 1)  # [places]

    def test_heading(self) -> None:
        """What is wrong with a heading is told with its line."""
        self.read("[place x]\n")
        for _, section in self.reader.named_sections("place"):
            section.fault_of_heading("it is not nice. Change it.")
        self.assertEqual(self.faults(), ["line 2: [place x]: it is not nice. Change it."])

    def test_optional_file(self) -> None:
        """A file that need not be named has to be there if it is."""
        file = self.file("x")
        section = self.read(f"one = {file.name}\ntwo =\nthree = nothing\n")
        self.assertEqual(section.optional_file("one"), file)
        self.assertIs(section.optional_file("two"), None)
        self.assertIs(section.optional_file("four"), None)
        section.optional_file("three")
        (fault,) = self.faults()
        self.assertIn("line 4: [s] three:", fault)


class LayOverTests(IniTestCase):
    """Values of another file that win."""

    def setUp(self) -> None:
        super().setUp()
        self.source = Source("page", self.directory / "page.ini", "Or remove it.")

    def lay_over(self, text: str, over: str) -> Section:
        section = self.read(text)
        self.reader.lay_over(over, self.source, {"s": ("text", "wait", "secret")})
        return section

    def test_wins(self) -> None:
        """They count, and say where they are from, and what would count without them."""
        section = self.lay_over("text = a\nwait = 1s\n", "[s]\n\nwait = 2s\nsecret = hush\n")
        self.assertEqual(section.text("text"), "a")
        self.assertEqual(section.duration("wait", 3.0, minimum=0.1, maximum=9.0), 2.0)
        self.assertEqual(section.secret("secret"), "hush")
        self.reader.finish()
        self.assertEqual(
            [(one.origin, one.line, one.instead_of) for one in self.reader.findings.settings],
            [("line 2", 2, None), ("page", 3, "1s"), ("page", 4, "")],
        )

    def test_ahead(self) -> None:
        """A look at a value ahead of its time notes nothing."""
        section = self.read("wait = long\n")
        self.assertEqual(self.reader.peek("s").text("wait"), "long")
        self.assertEqual(self.reader.peek("none").text("wait", "x"), "x")
        self.assertEqual((self.reader.findings.faults, self.reader.findings.settings), ([], []))
        self.assertEqual(section.known, [])

    def test_faults(self) -> None:
        """Faults name the file that they are in, and those of the first file come first."""
        section = self.lay_over("wait = x\n", "[s]\nwait = y\nwaits = 1s\n[t]\nnonsense\n")
        section.duration("wait", 1.0, minimum=0.1, maximum=9.0)
        fault = self.assertRaises(ConfigurationFault, self.reader.finish)
        page = self.source.path
        beginnings = (
            f"{self.path}, line 2: [s] wait: 'x'",
            f"{page}, line 2: [s] wait: 'y'",
            f"{page}, line 3: [s] waits cannot be here. Did you mean wait?",
            f"{page}, line 4: [t] cannot be here. There are: s.",
            f"{page}, line 5: this is neither",
        )
        self.assertEqual(len(fault.each), len(beginnings))
        for one, beginning in zip(fault.each, beginnings, strict=True):
            self.assertTrue(one.startswith(beginning), one)
            self.assertEqual(one.endswith(" Or remove it."), str(page) in one)
        self.assertEqual([one.setting for one in fault.faults[:3]], ["[s] wait", "[s] wait", ""])


class UnreadableTests(IniTestCase):
    """Files with nothing to read settings from."""

    def refusal(self, path: Path) -> str:
        return str(self.assertRaises(ConfigurationFault, IniReader, path))

    def test_not_there(self) -> None:
        """A missing file is one fault that names it."""
        message = self.refusal(self.directory / "none.ini")
        self.assertIn("none.ini", message)
        self.assertIn("there is no such file", message)

    def test_directory(self) -> None:
        """A directory is one fault that names it."""
        self.assertIn(str(self.directory), self.refusal(self.directory))

    def test_not_text(self) -> None:
        """A file that is not UTF-8 is a fault with the line."""
        self.path.write_bytes(b"[s]\nname = caf\xe9\n")
        self.assertIn("line 2: this is not UTF-8", self.refusal(self.path))

    def test_byte_order_mark(self) -> None:
        """The mark that some editors put first is no part of the first line."""
        self.path.write_bytes("\ufeff[s]\na = 1\n".encode())
        reader = IniReader(self.path)
        self.assertEqual(reader.section("s").text("a"), "1")
        reader.finish()


class SocketTests(IniTestCase):
    """Where a daemon is reached."""

    def test_faults_elsewhere(self) -> None:
        """A file with faults says so all the same; an absent one does not."""
        default = Path("/run/default.sock")
        self.path.write_text("[d]\nx = \nx = 2\ncontrol_socket = here.sock\n[d\n")
        self.assertEqual(find_socket(self.path, "d", default), self.directory / "here.sock")
        self.assertEqual(find_socket(self.path, "e", default), default)
        self.path.unlink()
        self.assertRaises(ConfigurationFault, find_socket, self.path, "d", default)
