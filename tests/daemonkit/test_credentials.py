"""Tests of daemonkit.credentials, and of the settings that name files."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from daemonkit import credentials, unusable
from daemonkit.ini import ConfigurationFault, IniReader, Section


class CredentialsTests(SynchronousTestCase):
    """Files below ``etc``, with the ini file in it, and copies of some in ``copies``."""

    def setUp(self) -> None:
        self.etc, self.copies = Path("etc").absolute(), Path("copies").absolute()
        for place in (self.etc / "tls", self.etc / "ldap", self.copies):
            place.mkdir(parents=True, exist_ok=True)
        self.ini = self.etc / "test.ini"
        self.patch(os, "environ", {**os.environ, "CREDENTIALS_DIRECTORY": str(self.copies)})
        self.addCleanup(lambda: [one.unlink() for one in self.copies.iterdir()])

    def put(self, name: str, text: str = "copy") -> Path:
        copy = self.copies / name
        copy.write_text(text)
        return copy

    def section(self, text: str, *, check_files: bool = True) -> Section:
        self.ini.write_text(f"[s]\n{text}")
        self.reader = IniReader(self.ini, check_files=check_files)
        return self.reader.section("s")

    def test_in_a_directory(self) -> None:
        """A file in a directory is found by both names."""
        copy = self.put("tls_xmpp.key")
        self.assertEqual(credentials.find(self.etc / "tls/xmpp.key", self.ini), copy)

    def test_further_below(self) -> None:
        """A file in a directory of that directory is found by as many names as it takes."""
        copy = self.put("tls_example.org_xmpp.key")
        self.assertEqual(credentials.find(self.etc / "tls/example.org/xmpp.key", self.ini), copy)

    def test_beside_the_ini_file(self) -> None:
        """A file beside the ini file is found by its own name, and one elsewhere is not."""
        copy = self.put("secret")
        self.assertEqual(credentials.find(self.etc / "secret", self.ini), copy)
        other = self.etc / "ldap/secret"
        self.assertEqual(credentials.find(other, self.ini), other)

    def test_none(self) -> None:
        """Without a credential, and without a directory of them, it is the file itself."""
        self.put("tls_xmpp.key")
        for variable, path in (
            (str(self.copies), self.etc / "tls/xmpp.crt"),
            ("", self.etc / "tls/xmpp.key"),
            ("/nowhere", self.etc / "tls/xmpp.key"),
        ):
            os.environ["CREDENTIALS_DIRECTORY"] = variable
            self.assertEqual(credentials.find(path, self.ini), path)
            self.assertEqual(credentials.in_words(f"{path}: no"), f"{path}: no")

    def test_settings(self) -> None:
        """Settings are read from the copies, also where the files cannot be read or are not there;
        what is shown of them is the file's name."""
        self.put("tls_xmpp.key")
        self.put("secret", "the secret\n")
        section = self.section("key = tls/xmpp.key\nca = tls/xmpp.key\nsecret_file = secret\n")
        self.assertEqual(section.readable_file("key").read_text(), "copy")
        self.assertEqual((section.optional_file("ca") or self.etc).read_text(), "copy")
        self.assertEqual(section.secret_file("secret_file"), "the secret")
        self.reader.finish()
        shown = {one.key: one.value for one in self.reader.findings.settings}
        self.assertEqual(shown["key"], str(self.etc / "tls/xmpp.key"))

    def test_changed_copy(self) -> None:
        """Another copy makes another setting, for the next reload."""
        marks = []
        for text in ("one", "two"):
            self.put("tls_xmpp.key", text)
            self.section("key = tls/xmpp.key\n").readable_file("key")
            marks.append(self.reader.findings.settings[0])
        self.assertNotEqual(*marks)

    def test_not_for_commands(self) -> None:
        """What does not look at files does not look for copies."""
        self.put("tls_xmpp.key")
        section = self.section("key = tls/xmpp.key\n", check_files=False)
        self.assertEqual(section.readable_file("key"), self.etc / "tls/xmpp.key")

    def test_fault(self) -> None:
        """A fault names the file that somebody can mend, not its copy."""
        self.put("secret", "")
        self.section("secret_file = secret\n").secret_file("secret_file")
        fault = self.assertRaises(ConfigurationFault, self.reader.finish)
        self.assertIn(f"{self.etc}/secret has 0 lines", str(fault))
        self.assertNotIn("copies", str(fault))

    def test_end(self) -> None:
        """A daemon that cannot be used ends with EX_CONFIG, and a message that names the file."""
        copy = self.put("tls_xmpp.key")
        credentials.find(self.etc / "tls/xmpp.key", self.ini)
        said = self.mktemp()
        with open(said, "w") as stderr:
            self.patch(unusable.sys, "stderr", stderr)
            ending = self.assertRaises(SystemExit, unusable.end, "xmppd", f"{copy}: it is damaged.")
        self.assertEqual(ending.code, 78)
        self.assertEqual(
            Path(said).read_text(), f"xmppd: {self.etc}/tls/xmpp.key: it is damaged.\n"
        )
