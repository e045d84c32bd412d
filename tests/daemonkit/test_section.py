"""Tests of daemonkit.section: what the paths in a section lead to."""

from __future__ import annotations

from pathlib import Path

from daemonkit.ini import Setting
from tests.daemonkit.ini_case import IniTestCase


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
