"""Tests of callbridged.overlay, and of how callbridged.config reads it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from callbridged.config import Config, load
from callbridged.overlay import KEYS, NAME, Overlay, ValueFault, read_overlay
from daemonkit.ini import ConfigurationFault, Setting
from tests.callbridged.test_config import ConfigTestCase


class OverlayTestCase(ConfigTestCase):
    """A configuration with an overlay, in the same directory."""

    def setUp(self) -> None:
        super().setUp()
        self.overlay = Overlay(self.directory / NAME)

    def put(self, text: str) -> Path:
        self.overlay.path.touch(0o600)
        self.overlay.path.write_text(text)
        return self.overlay.path

    def setting(self, config: Config, key: str) -> Setting:
        (found,) = [one for one in config.settings if (one.section, one.key) == ("callbridge", key)]
        return found


class LoadTests(OverlayTestCase):
    """What counts, and where it comes from."""

    def test_wins(self) -> None:
        """Values in it win, also an empty server_address; the others stay as they are."""
        self.put("[callbridge]\nname = cb2\nserver_address =\n")
        config = self.load(callbridge="server_address = xmpp9.example.com\n")
        callbridge = config.callbridge
        self.assertEqual((callbridge.name, callbridge.domain), ("cb2", "example.com"))
        self.assertIsNone(callbridge.server_address)
        self.assertEqual(callbridge.secret, "hunter2")
        name, domain, address = (
            self.setting(config, key) for key in ("name", "domain", "server_address")
        )
        self.assertEqual((name.origin, name.value, name.instead_of), ("overlay", "cb2", "cb1"))
        self.assertEqual((domain.origin, domain.instead_of), ("line 3", None))
        self.assertEqual((address.value, address.instead_of), ("", "xmpp9.example.com"))

    def test_same_value(self) -> None:
        """Where the ini file says the same there is nothing to tell of it."""
        self.put("[callbridge]\nname = cb1\n")
        name = self.setting(self.load(), "name")
        self.assertEqual((name.origin, name.instead_of), ("overlay", None))

    def test_needed(self) -> None:
        """What is needed may be in the overlay alone."""
        self.path.write_text(f"[callbridge]\nstate_directory = {self.directory}\n")
        self.put("[callbridge]\nname = cb1\ndomain = example.com\n")
        config = load(self.path, check_files=False)
        self.assertEqual((config.callbridge.name, config.callbridge.domain), ("cb1", "example.com"))
        self.assertEqual(self.setting(config, "name").instead_of, "")

    def test_secret(self) -> None:
        """A secret in it wins over a file, which need not be there, and over another one."""
        self.put("[callbridge]\nsecret = swordfish\n")
        for self.secret in ("secret_file = nothing\n", "secret = hunter2\n", ""):
            config = self.load()
            self.assertEqual((config.callbridge.secret, config.warnings), ("swordfish", ()))
            for text in ("swordfish", "hunter2"):
                self.assertNotIn(text, repr(config) + repr(config.settings))
        self.overlay.path.chmod(0o644)
        self.assertIn(f"run chmod o= {self.overlay.path}", self.load().warnings[0])
        self.assertNotIn("swordfish", repr(read_overlay(self.directory)))

    def test_faults_in_both(self) -> None:
        """All faults of both files are named, each with its file and line, and what to do."""
        self.put("[callbridge]\n# x\nname = a.b\nlinks = 1\n[tls]\nverify = domain\nnonsense\n")
        found = self.faults(callbridge="links = none\n")
        self.assertIn(f"{self.path} cannot be used, it has 5 faults:\n  line 6: ", found)
        for words in (
            "line 3: [callbridge] name: 'a.b' has a dot in it",
            "line 4: [callbridge] links cannot be here. There are: name, domain, server_address",
            "line 5: [tls] cannot be here. There are: callbridge. Or take it out: callbridgectl",
            "line 7: this is neither [section] nor key = value",
        ):
            self.assertIn(f"\n  {self.overlay.path}, {words}", found)
        self.assertEqual(found.count("Or take it out: callbridgectl config reset."), 4)

    def test_fault_beneath(self) -> None:
        """A value of the ini file that is wrong is a fault, though another one wins."""
        self.put("[callbridge]\nserver_address = xmpp1.example.com\n")
        found = self.faults(callbridge="server_address = a b\n")
        self.assertIn(f"{self.path} cannot be used, it has one fault:", found)
        self.assertIn("line 6: [callbridge] server_address: ", found)

    def test_fault_alone(self) -> None:
        """Where only the overlay is wrong, it is the file that cannot be used."""
        self.put("[callbridge]\ndomain =\n")
        self.assertIn(f"{self.overlay.path} cannot be used, it has one fault:", self.faults())

    def test_not_text(self) -> None:
        """What is no text is a fault, next to those of the ini file."""
        self.overlay.path.write_bytes(b"[callbridge]\nname = \xff\n")
        found = self.faults(callbridge="links = none\n")
        self.assertIn(f"{self.overlay.path}, line 2: this is not UTF-8 text", found)
        self.assertIn("line 6: [callbridge] links", found)
        self.assertRaises(ConfigurationFault, load, self.path, check_files=False)

    def test_not_readable(self) -> None:
        """Who may not read it is told so, and sees what the ini file says."""
        self.load()
        self.put("[callbridge]\nname = cb2\n")
        self.patch(os, "access", lambda path, mode: False)  # root may read everything
        config = load(self.path, check_files=False)
        self.assertEqual(config.callbridge.name, "cb1")
        self.assertIn(f"{self.overlay.path}, this user may not read it", config.warnings[0])
        found = str(self.assertRaises(ConfigurationFault, load, self.path))
        self.assertIn(f"{self.overlay.path}, this user may not read it", found)


class WritingTests(OverlayTestCase):
    """Changing it."""

    def test_values(self) -> None:
        """Values come to those that are there, and go again; the file is the daemon's alone."""
        self.overlay.with_values({"name": "cb2", "server_address": ""}).write()
        read_overlay(self.directory).with_values({"secret": "sword fish", "name": "cb3"}).write()
        there = read_overlay(self.directory)
        self.assertEqual(
            there.values(), {"name": "cb3", "server_address": "", "secret": "sword fish"}
        )
        self.assertEqual(stat.S_IMODE(there.path.stat().st_mode), 0o600)
        there.without(["name", "secret"]).write()
        self.assertEqual(read_overlay(self.directory).values(), {"server_address": ""})
        read_overlay(self.directory).without(["server_address"]).write()
        self.assertEqual(os.listdir(self.directory).count(NAME), 0)
        self.assertEqual(read_overlay(self.directory).values(), {})

    def test_damaged(self) -> None:
        """A file that was damaged is not written over, but it can be taken away."""
        self.put("[callbridge]\nnames = cb2\n")
        there = read_overlay(self.directory)
        for change in (lambda: there.with_values({"name": "cb3"}), lambda: there.without(["name"])):
            fault = self.assertRaises(ConfigurationFault, change)
            self.assertIn(
                "line 2: [callbridge] names cannot be here. Did you mean name?", str(fault)
            )
        there.without().write()
        self.assertFalse(there.path.exists())

    def test_refused(self) -> None:
        """What would be read otherwise than it is written is refused, all of it at once."""
        wrong = {
            "name": "cb1\ndomain = evil",
            "domain": " example.com",
            "secret": "one ;two",
            "server_address": "x" * 2000,
            "links": "1",
        }
        fault = self.assertRaises(ValueFault, self.overlay.with_values, wrong)
        self.assertEqual([key for key, _ in fault.faults], list(wrong))
        self.assertNotIn("two", str(fault))
        fault = self.assertRaises(ValueFault, self.overlay.with_values, {"secret": ""})
        self.assertIn("Leave it out to keep", str(fault))

    @given(st.dictionaries(st.sampled_from(KEYS), st.text() | st.from_regex("[a ;#=\\[\\]]+")))
    def test_any_values(self, values: dict[str, str]) -> None:
        """Whatever is taken is read as it was written."""
        try:
            changed = self.overlay.with_values(values)
        except ValueFault:
            return
        self.assertEqual(changed.values(), values)
