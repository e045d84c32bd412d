"""Tests of daemonkit.values."""

from __future__ import annotations

from daemonkit.ini import ConfigurationFault
from tests.daemonkit.ini_case import IniTestCase


class GetterTests(IniTestCase):
    """Typed values."""

    def test_values(self) -> None:
        """Every kind of value is read."""
        section = self.read(
            "text = some text ; comment\nwait = 500ms\nsize = 8KiB\nnumber = 7\n"
            "word = Two\nflag = yes\npath = sub/file\n"
        )
        self.assertEqual(section.text("text"), "some text")
        self.assertEqual(section.duration("wait", 1.0, minimum=0.1, maximum=9.0), 0.5)
        self.assertEqual(section.size("size", 1, minimum=1, maximum=9000), 8192)
        self.assertEqual(section.integer("number", 1, minimum=1, maximum=9), 7)
        self.assertEqual(section.choice("word", ("one", "two"), "one"), "two")
        self.assertIs(section.boolean("flag", False), True)
        self.assertEqual(section.path("path"), self.directory / "sub" / "file")
        self.reader.finish()

    def test_defaults(self) -> None:
        """What is not in the file has its default."""
        section = self.read("")
        self.assertEqual(section.text("text", "x"), "x")
        self.assertEqual(section.duration("wait", 1.0, minimum=0.1, maximum=9.0), 1.0)
        self.assertEqual(section.items("list", int, (1, 2)), (1, 2))
        self.assertIs(section.boolean("flag", True), True)
        self.reader.finish()

    def test_items(self) -> None:
        """Items stand on lines of their own or between commas, and an empty value has none."""
        section = self.read("a =\n  1\n  2\nb = 1, 2 ,3\nc =\n")
        self.assertEqual(section.items("a", int), (1, 2))
        self.assertEqual(section.items("b", int, separator=","), (1, 2, 3))
        self.assertEqual(section.items("c", int, (9,)), ())
        self.reader.finish()

    def test_provenance(self) -> None:
        """Every setting is kept as text, with the line that it comes from or as a default."""
        section = self.read("wait = 500ms\nsecret = hunter2\n")
        section.duration("wait", 1.0, minimum=0.1, maximum=9.0)
        section.duration("rest", 300.0, minimum=0.1, maximum=900.0)
        section.secret("secret")
        self.assertEqual(
            [(one.key, one.value, one.origin) for one in self.reader.findings.settings],
            [
                ("wait", "500ms", "line 2"),
                ("rest", "5m", "default"),
                ("secret", "(hidden)", "line 3"),
            ],
        )


class FaultTests(IniTestCase):
    """What is wrong with a file."""

    def test_every_fault_at_once(self) -> None:
        """One message names the file and all faults in it, by line, with what would be right."""
        section = self.read(
            "wait = 10\nnumber = 99\nword = three\nflag = maybe\nempty =\nnonsense\n"
            "multi = a\n  b = c\n"
        )
        section.duration("wait", 1.0, minimum=0.1, maximum=9.0)
        section.integer("number", 1, minimum=1, maximum=9)
        section.choice("word", ("one", "two"), "one")
        section.boolean("flag", False)
        section.integer("empty", 3, minimum=1, maximum=9)
        section.text("multi")
        section.text("missing")
        expected = [
            ("line 2: [s] wait:", "like 500ms, 10s"),
            ("line 3: [s] number:", "from 1 to 9"),
            ("line 4: [s] word:", "one, two"),
            ("line 5: [s] flag:", "yes nor no"),
            ("line 6: [s] empty:", "the default, 3"),
            ("line 7:", "neither [section] nor key = value"),
            ("line 8: [s] multi:", "Is the line below it indented?"),
            ("[s] missing:", "Add it."),
        ]
        found = self.faults()
        self.assertEqual(len(found), len(expected))
        for line, (beginning, hint) in zip(found, expected, strict=True):
            self.assertTrue(line.startswith(beginning), line)
            self.assertIn(hint, line)
        message = str(self.assertRaises(ConfigurationFault, self.reader.finish))
        self.assertTrue(message.startswith(f"{self.path} cannot be used, it has 8 faults:\n"))

    def test_unknown_key(self) -> None:
        """An unknown key is a fault that names the nearest key, or the section it belongs to."""
        section = self.read("ping_intervall = 1\nother = 2\nzzz = 3\n")
        section.text("ping_interval", "")
        self.reader.section("t").text("other", "")
        self.assertEqual(
            self.faults(),
            [
                "line 2: [s] has no key ping_intervall. Did you mean ping_interval?",
                "line 3: [s] has no key other. It belongs to [t].",
                "line 4: [s] has no key zzz. There are: ping_interval.",
            ],
        )

    def test_unknown_section(self) -> None:
        """An unknown section is a fault that names the nearest one."""
        self.read("[components]\nx = 1\n")
        self.reader.section("component")
        self.assertEqual(
            self.faults(), ["line 2: there is no section [components]. Did you mean component?"]
        )

    def test_bounds(self) -> None:
        """The bounds themselves are allowed, and nothing beyond them."""
        for text, allowed in {"1s": True, "5s": True, "999ms": False, "5001ms": False}.items():
            self.read(f"wait = {text}").duration("wait", 2.0, minimum=1.0, maximum=5.0)
            if allowed:
                self.reader.finish()
            else:
                self.assertEqual(
                    self.faults(),
                    [f"line 2: [s] wait: {text} is out of bounds. Choose from 1s to 5s."],
                )

    def test_secret_is_never_shown(self) -> None:
        """A secret that cannot be one is a fault which does not quote it."""
        self.read("secret = hunter2\n  hunter3\n").secret("secret")
        self.assertNotIn("hunter", "".join(self.faults()))
