"""Tests of callbridged.config_ctl: ``config`` and ``config reset``."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from callbridged import config_ctl
from callbridged.ctl import main
from callbridged.overlay import Overlay
from daemonkit.calling import CommandError, NotRunning


class ConfigCommandTests(SynchronousTestCase):
    """A configuration with an overlay, and no daemon."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.ini = self.directory / "callbridged.ini"
        self.ini.write_text(
            "[callbridge]\nname = cb1\ndomain = example.com\nsecret = hush\n"
            f"state_directory = {self.directory}\n"
        )
        self.overlay = Overlay(self.directory / "overlay.ini")
        self.asked: list[tuple[Any, ...]] = []
        self.answer: Any = NotRunning(self.ini, "It does not run.", down=True)
        self.patch(config_ctl, "call", self.call)

    def call(self, path: Path, command: str, timeout: float, **arguments: object) -> Any:
        self.asked.append((path, command, arguments))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def set(self, **values: str) -> None:
        self.overlay.with_values(values).write()

    def ctl(self, *words: str, expect: int = 0) -> str:
        """What it says, on either channel, in one line."""
        output = io.StringIO()
        self.patch(sys, "stdout", output)
        self.patch(sys, "stderr", output)
        status = main([f"--config={self.ini}", *words])
        self.assertEqual(status, expect, output.getvalue())
        self.assertNotIn("hush", output.getvalue())
        self.assertNotIn("swordfish", output.getvalue())
        return output.getvalue()

    def table(self) -> dict[str, str]:
        """``config``, as what stands behind each setting."""
        rows = [line.split(None, 2) for line in self.ctl("config").splitlines()]
        return {f"{one[0]} {one[1]}": " ".join(one[2].split()) for one in rows if len(one) > 2}

    def test_origin(self) -> None:
        """A value of the overlay says so, and what the file has where that is another."""
        self.set(name="cb2", domain="example.com", server_address="192.0.2.7", secret="swordfish")
        table = self.table()
        self.assertEqual(table["[callbridge] name"], "cb2 overlay, instead of cb1")
        self.assertEqual(table["[callbridge] domain"], "example.com overlay")
        self.assertEqual(
            table["[callbridge] server_address"], "192.0.2.7 overlay, instead of no value"
        )
        self.assertEqual(table["[callbridge] secret"], "(hidden) overlay, instead of (hidden)")
        self.assertEqual(table["[callbridge] links"], "all default")

    def test_json(self) -> None:
        """For programs it is one more field."""
        self.set(name="cb2")
        found = {one["key"]: one for one in json.loads(self.ctl("--json", "config"))}
        self.assertEqual((found["name"]["origin"], found["name"]["instead_of"]), ("overlay", "cb1"))
        self.assertIsNone(found["domain"]["instead_of"])

    def test_not_readable(self) -> None:
        """Who may not read the overlay is told that it is left out."""
        self.set(name="cb2")
        self.patch(os, "access", lambda path, mode: False)  # root may read everything
        self.assertIn(
            "left out: " + str(self.overlay.path) + ", this user may not read it",
            self.ctl("config"),
        )

    def test_reset(self) -> None:
        """Without a daemon values are taken out of the file, some or all."""
        self.set(name="cb2", domain="example.net", secret="swordfish")
        said = self.ctl("config", "reset", "name")
        self.assertIn("counts again, when callbridged starts: [callbridge] name.", said)
        self.assertEqual(self.table()["[callbridge] name"], "cb1 line 2")
        answer = json.loads(self.ctl("config", "reset", "--json"))
        self.assertEqual(
            answer,
            {
                "running": False,
                "changed": ["[callbridge] domain", "[callbridge] secret"],
                "faults": [],
            },
        )
        self.assertFalse(self.overlay.path.exists())
        self.assertIn("Nothing is different", self.ctl("config", "reset"))

    def test_no_state_directory(self) -> None:
        """Where nothing was ever set there is nothing to do."""
        self.ini.write_text("[callbridge]\nstate_directory = /nonexistent/state\nname = cb1\n")
        said = self.ctl("config", "reset")
        self.assertIn("Nothing is different", said)
        self.assertIn("But: " + str(self.ini), said)
        self.assertIn("[callbridge] domain: it is needed", " ".join(said.split()))

    def test_damaged(self) -> None:
        """A damaged overlay is a fault for one value, and is taken away as a whole."""
        for content, gone in (
            (b"[callbridge]\nnames = cb2\nname = cb2\n", "[callbridge] name."),
            (b"nonsense", "overlay.ini."),
            (b"\xff", "overlay.ini."),
        ):
            self.overlay.path.write_bytes(content)
            for words in (("config",), ("config", "reset", "name")):
                self.assertIn("overlay.ini cannot be used", self.ctl(*words, expect=1))
            self.assertIn(gone, " ".join(self.ctl("config", "reset").split()))
            self.assertFalse(self.overlay.path.exists())

    def test_daemon(self) -> None:
        """A running daemon does it, and says what is in use from now on."""
        self.answer = {"ok": True, "changed": ["[callbridge] name"], "needs_restart": []}
        said = self.ctl("config", "reset", "name", "secret")
        self.assertEqual(
            said, "What the configuration file says counts again: [callbridge] name.\n"
        )
        self.assertEqual(
            self.asked,
            [(Path("/run/callbridged/control.sock"), "reset", {"settings": ["name", "secret"]})],
        )
        self.answer = CommandError("nothing was changed: it is wrong.")
        self.assertIn("nothing was changed: it is wrong", self.ctl("config", "reset", expect=1))

    def test_not_sure(self) -> None:
        """Where a daemon may run that does not answer, its file is left alone."""
        self.set(name="cb2")
        self.answer = NotRunning(self.ini, "It has not answered.")
        self.assertIn("It has not answered", self.ctl("config", "reset", expect=1))
        self.assertTrue(self.overlay.path.exists())

    def test_unknown(self) -> None:
        """What cannot be set in this way is a usage error."""
        output = io.StringIO()
        self.patch(sys, "stderr", output)
        self.assertRaises(SystemExit, main, ["config", "reset", "nam"])
        self.assertIn("'nam' cannot be set there. Did you mean name?", output.getvalue())
