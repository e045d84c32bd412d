"""Tests of daemonkit.refresh; that systemd's copies follow is for tests/systemd."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from daemonkit import refresh as module
from daemonkit.refresh import refresh, unit_of
from daemonkit.terminal import CtlFailure


class RefreshTests(SynchronousTestCase):
    """With programs that answer as systemd's would."""

    def setUp(self) -> None:
        self.settings: dict[str, list[object]] = {
            "LoadCredential": [["tls", "/etc/xmppd/tls"]],
            "LoadCredentialEncrypted": [["tls_xmpp.key", "/etc/xmppd/key.cred"]],
            "SetCredential": [["motd", [104, 105]]],
            "SetCredentialEncrypted": [],
        }
        self.commands: list[list[str]] = []

    def run_program(self, command: Sequence[str], given: bytes) -> bytes:
        if command[0] == "busctl":
            self.assertIn("/org/freedesktop/systemd1/unit/xmppd_2eservice", command)
            return json.dumps({"type": "a(ss)", "data": self.settings[command[-1]]}).encode()
        self.commands.append(list(command))
        return b"archive" if command[0] == "systemd-run" else given

    def test_unit(self) -> None:
        """The unit is known by its directory; any other directory is not systemd's."""
        self.assertEqual(unit_of("/run/credentials/xmppd.service"), "xmppd.service")
        for other in (
            None,
            "",
            "/run/credentials",
            "/etc/xmppd.service",
            "/run/credentials/../../etc/x.service",
            "/run/credentials/a.service/x",
        ):
            self.assertIs(unit_of(other), None)

    def test_loaded(self) -> None:
        """systemd loads what the unit loads, and the copies are put into the unit's directory."""
        refresh("xmppd.service", self.run_program)
        reading, writing = self.commands
        self.assertIn("--property=LoadCredential=tls:/etc/xmppd/tls", reading)
        wanted = "--property=LoadCredentialEncrypted=tls_xmpp.key:/etc/xmppd/key.cred"
        self.assertIn(wanted, reading)
        self.assertEqual(writing[-2:], ["/run/credentials/xmppd.service", "motd"])

    def test_nothing_to_load(self) -> None:
        """A unit that loads nothing has nothing that changes."""
        self.settings |= {"LoadCredential": [], "LoadCredentialEncrypted": []}
        refresh("xmppd.service", self.run_program)
        self.assertEqual(self.commands, [])

    def test_failure(self) -> None:
        """What a program says is told, with a remedy, and that one is not there, or hangs."""
        for command, said in (
            (["sh", "-c", "echo no such file >&2; exit 1"], "(sh: no such file)"),
            (["sh", "-c", "exit 3"], "(sh: ended with exit status 3)"),
            (["/nowhere/systemd-run"], "(systemd-run: No such file or directory)"),
            (["sleep", "60"], "(sleep: took more than 0.1 s)"),
        ):
            self.patch(module, "TIMEOUT", 0.1 if command[0] == "sleep" else 30.0)
            failure = self.assertRaises(CtlFailure, module._run, command, b"")
            self.assertIn(said, str(failure))
            self.assertIn("Look at LoadCredential=", str(failure))

    def test_put(self) -> None:
        """Copies are replaced, those that are gone are removed, and those of the unit itself stay;
        each is for the directory's owner alone."""
        place, fresh = Path("place").absolute(), Path("fresh").absolute()
        for directory in (place, fresh):
            self.addCleanup(shutil.rmtree, directory)
            directory.mkdir()
        for name in ("tls_a", "tls_gone", "motd"):
            (place / name).write_text("old")
        for name in ("tls_a", "tls_new"):
            (fresh / name).write_text("new")
        archive = subprocess.run(["tar", "-cC", fresh, "."], stdout=subprocess.PIPE, check=True)
        for _ in range(2):
            subprocess.run(
                ["sh", "-c", module._WRITE, "sh", place, "motd"], input=archive.stdout, check=True
            )
            found = {one.name: one.read_text() for one in place.iterdir()}
            self.assertEqual(found, {"tls_a": "new", "tls_new": "new", "motd": "old"})
            self.assertEqual((place / "tls_new").stat().st_mode & 0o777, 0o400)
            self.assertEqual((place / "tls_new").stat().st_uid, os.geteuid())
