"""Tests of daemonkit.ini and daemonkit.section."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from daemonkit.ini import ConfigurationFault, IniReader, Section, Setting, Source, find_socket


class IniTestCase(SynchronousTestCase):
    """Settings from a file with the one section ``[s]``."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.path = self.directory / "test.ini"

    def read(self, text: str, *, check_files: bool = True) -> Section:
        self.path.write_text("[s]\n" + text)
        self.reader = IniReader(self.path, check_files=check_files)
        return self.reader.section("s")

    def faults(self) -> list[str]:
        """The lines of the message below its heading."""
        message = str(self.assertRaises(ConfigurationFault, self.reader.finish))
        return [line.strip() for line in message.splitlines()[1:]]

    def file(self, content: str, mode: int = 0o600) -> Path:
        path = self.directory / "file"
        path.write_text(content)
        path.chmod(mode)
        return path


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


class FileTests(IniTestCase):
    """Files that settings name."""

    def test_missing_directory_and_default(self) -> None:
        """A file that is not there, or is none, is a fault, and so is a default one."""
        section = self.read("a = nope\nb = .\n")
        section.readable_file("a")
        section.readable_file("b")
        section.readable_file("c", Path("/nowhere/c"))
        found = self.faults()
        self.assertIn(f"line 2: [s] a: {self.directory}/nope is not there.", found[0])
        self.assertIn(f"line 3: [s] b: {self.directory} is a directory.", found[1])
        self.assertIn("[s] c: its default /nowhere/c is not there.", found[2])

    def test_files_are_left_alone(self) -> None:
        """A ctl command, which may not read the daemon's files, does not look for them."""
        section = self.read("a = nope\ns = nope\nd = test.ini\n", check_files=False)
        self.assertEqual(section.readable_file("a"), self.directory / "nope")
        self.assertEqual(section.secret_file("s"), "")
        section.directory("d", Path("/nowhere"))
        self.reader.finish()

    def test_secret_file(self) -> None:
        """The secret is the one line of its file, without the white space around it."""
        self.file("  s3cret \n")
        self.assertEqual(self.read("s = file\n").secret_file("s"), "s3cret")
        self.reader.finish()

    def test_exposed_secret_file(self) -> None:
        """A secret file that everybody may read works, with a warning that says what to run."""
        path = self.file("s3cret\n", 0o644)
        self.assertEqual(self.read("s = file\n").secret_file("s"), "s3cret")
        self.reader.finish()
        self.assertIn(f"chmod o= {path}", self.reader.findings.warnings[0])

    def test_secret_file_for_a_group(self) -> None:
        """The daemon's group may read a secret file."""
        self.file("s3cret\n", 0o640)
        self.assertEqual(self.read("s = file\n").secret_file("s"), "s3cret")

    def test_no_secret_in_file(self) -> None:
        """A secret file with no line, several lines or other bytes is a fault without a quote."""
        for content in ("", "\n", "one\ntwo\n", "a\x00b\n", "x" * 1025):
            self.file(content)
            self.read("s = file\n").secret_file("s")
            found = self.faults()
            self.assertEqual(len(found), 1)
            self.assertIn(str(self.directory / "file"), found[0])
            self.assertNotIn("two", found[0])
        (self.directory / "file").write_bytes(b"\xff\xfe")
        self.read("s = file\n").secret_file("s")
        self.assertIn("is not text", self.faults()[0])

    def test_exposed_secret_in_the_file_itself(self) -> None:
        """A secret in a configuration that everybody may read works, with a warning."""
        section = self.read("secret = hunter2\n")
        self.path.chmod(0o644)
        self.assertEqual(section.secret("secret"), "hunter2")
        self.reader.finish()
        self.assertIn(f"chmod o= {self.path}", self.reader.findings.warnings[0])

    def test_directory(self) -> None:
        """A state directory may have yet to be made, but must not be a file."""
        section = self.read("a = later\nb = test.ini\n")
        section.directory("a", Path("/nowhere"))
        section.directory("b", Path("/nowhere"))
        self.assertIn("[s] b:", self.faults()[0])
        self.assertEqual(len(self.faults()), 1)

    def test_long_socket(self) -> None:
        """A control socket whose path the system could not take is a fault."""
        self.read(f"a = /{'x' * 107}\n").socket("a", Path("/nowhere"))
        self.assertIn("longer than 107 bytes", self.faults()[0])


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


class ChangeTests(IniTestCase):
    """Settings of two readings, compared."""

    def setting(self, text: str, *, check_files: bool = True) -> Setting:
        """What a file with this text says of a secret, two files and a number."""
        section = self.read(text, check_files=check_files)
        section.secret("secret")
        section.optional_file("file")
        section.optional_secret_file("secret_file")
        section.integer("number", 7, minimum=1, maximum=9)
        key = text.partition(" ")[0].strip() or "number"
        return next(one for one in self.reader.findings.settings if one.key == key)

    def test_same(self) -> None:
        """The same value is the same, on another line and by default as well."""
        self.assertEqual(self.setting("number = 7\n"), self.setting(""))
        self.assertEqual(self.setting("number = 7\n"), self.setting("number = 7 ; here\n"))
        self.assertNotEqual(self.setting("number = 8\n"), self.setting(""))

    def test_secret(self) -> None:
        """Another secret is another setting, and none of them is told."""
        one, other = self.setting("secret = hush\n"), self.setting("secret = hash\n")
        self.assertEqual(one, self.setting("secret = hush\n"))
        self.assertNotEqual(one, other)
        self.assertEqual(one.value, other.value)
        self.assertNotIn("hush", repr(one))
        self.assertNotIn(b"hush", one.mark)

    def test_content(self) -> None:
        """So is a file with other content, be it a secret's or not."""
        for key in ("file", "secret_file"):
            text = f"{key} = {self.file('one')}\n"
            before = self.setting(text)
            self.file("one")
            self.assertEqual(self.setting(text), before)
            self.file("two")
            self.assertNotEqual(self.setting(text), before)

    def test_unread(self) -> None:
        """Files that are not to be looked at are not."""
        text = f"file = {self.file('one')}\n"
        self.assertEqual(self.setting(text, check_files=False).mark, b"")

    def test_several_files(self) -> None:
        """Each of several files within one value counts."""
        names = [self.directory / name for name in ("a", "b")]

        def read() -> Setting:
            section = self.read("files = a b\nother = x\n")
            section.text("files")
            section.text("other")
            for path in names:
                section.check_readable("files", path)
            self.assertEqual(self.reader.findings.settings[1].mark, b"")
            return self.reader.findings.settings[0]

        for path in names:
            path.write_text("1")
        before = read()
        self.assertEqual(read(), before)
        for path in names:
            path.write_text("2")
            self.assertNotEqual(read(), before)
            before = read()


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
