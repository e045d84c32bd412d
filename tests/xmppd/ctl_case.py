"""xmppctl with a daemon that is a function, for the tests of its commands."""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from daemonkit import calling
from daemonkit.calling import NotRunning
from xmppd.components.registry import Registry
from xmppd.ctl import main

STATUS: dict[str, Any] = {
    "domain": "example.com",
    "hostname": "xmpp1.example.com",
    "callbridges": [
        {
            "name": "cb1",
            "state": "registered",
            "peer": "203.0.113.7:40112",
            "since": "2026-01-02T03:04:05+00:00",
            "certificate": "CN=cb1.example.com, SAN cb1.example.com, until 2027-01-01, issued by "
            "CN=Example CA",
            "mechanisms": ["PLAIN", "SCRAM-SHA-256"],
            "outstanding": 3,
        },
        {
            "name": "cb2",
            "state": "down",
            "peer": None,
            "since": None,
            "certificate": None,
            "mechanisms": [],
            "outstanding": 0,
        },
    ],
    "sessions": 12,
    "waiting_logins": 3,
}
COM, ORG = "example.com", "example.org"


class CtlTestCase(SynchronousTestCase):
    """xmppctl with a daemon that is a function, or that does not run."""

    def setUp(self) -> None:
        # Not self.mktemp(): a socket's path has at most 107 bytes.
        directory = Path(tempfile.mkdtemp(prefix="xmppctl-"))
        self.addCleanup(shutil.rmtree, directory)
        self.ini = directory / "xmppd.ini"
        self.socket = directory / "control.sock"
        self.ini.write_text(
            "[xmppd]\ndomain = example.com\nhostname = xmpp1.example.com\n"
            "state_directory = state\ncontrol_socket = control.sock\n"
        )
        self.registry = Registry(directory / "state", COM)
        self.addCleanup(self.registry.close)
        self.calls: list[tuple[str, dict[str, object]]] = []
        self.answers: dict[str, Any] = {}
        self.absence = NotRunning(self.socket, "It is not running.", "Start it.", down=True)
        self.patch(calling, "call", self.call)

    def call(self, path: Path, command: str, **arguments: object) -> Any:
        self.assertEqual(path, self.socket)
        self.calls.append((command, arguments))
        answer = self.answers.get(command, self.absence)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def run_ctl(self, *argv: str, typed: str = "", expect: int = 0) -> str:
        """Run it; answers standard output, or standard error where it is to fail."""
        output, errors = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", output)
        self.patch(sys, "stderr", errors)
        self.patch(sys, "stdin", io.StringIO(typed))
        self.assertEqual(main(["--config", str(self.ini), *argv]), expect, errors.getvalue())
        self.errors = errors.getvalue()
        return self.errors if expect else output.getvalue()
