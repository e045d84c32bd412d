"""Tests of xmppd.check.ports; on a whole server: tests.integration.test_server_check."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from daemonkit.activation import Passed
from xmppd.check import ports as module
from xmppd.check.ports import held_by_systemd, ports
from xmppd.config import load

V4, V6 = socket.AF_INET, socket.AF_INET6


class PortTests(SynchronousTestCase):
    """Settings on ports of this machine that are taken for the time of the test."""

    def conditions(
        self, listen: str, *sockets: Passed, held: bool = False
    ) -> dict[str, tuple[str, str]]:
        """What is said, by what it is about; ``listen``: of clients. Components have port 0."""
        path = Path(self.mktemp()).absolute()
        path.write_text(
            f"[xmppd]\ndomain = example.com\nhostname = xmpp1.example.com\n"
            f"[component]\nlisten = tcp:0\n[client]\nlisten = {listen}\n"
        )
        found = ports(load(path, check_files=False), sockets, held=held)
        return {one.about: (str(one.result), f"{one.text} {one.remedy}") for one in found}

    def test_systemd(self) -> None:
        """A port that systemd has is not busy, whoever runs or does not."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            for held in (True, False):
                said = self.conditions(f"tcp:{port}", Passed(0, V6, "::", port), held=held)
                self.assertEqual(said["[client] listen"][0], "SUCCESS")
                self.assertIn("is held by xmppd.socket", said["[client] listen"][1])
            busy = self.conditions(f"tcp:{port}")["[client] listen"]
        self.assertEqual(busy[0], "FAILURE")

    def test_unused(self) -> None:
        """A port of systemd's that no setting is about deserves a look."""
        said = self.conditions("tcp:0:interface=127.0.0.1", Passed(0, V4, "192.0.2.1", 5443))
        self.assertEqual(said["xmppd.socket"][0], "WARNING")
        self.assertIn("it listens on 192.0.2.1:5443, and no setting", said["xmppd.socket"][1])

    def test_low(self) -> None:
        """A low port is systemd's to open, also where whoever runs the check could."""
        free = socket.create_server(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        first = Path(self.mktemp())
        first.write_text(f"{port + 1}\n")
        self.patch(module, "_FIRST_FREE", first)
        result, text = self.conditions(f"tcp:{port}:interface=127.0.0.1")["[client] listen"]
        self.assertEqual(result, "WARNING")
        self.assertIn(f"ListenStream={port} in xmppd.socket", text)
        first.unlink()
        result, _ = self.conditions(f"tcp:{port}:interface=127.0.0.1")["[client] listen"]
        self.assertEqual(result, "SUCCESS")

    def test_asked(self) -> None:
        """systemctl says what the unit listens on; nothing, where it does not, or there is none."""
        place = Path(self.mktemp()).absolute()
        place.mkdir()
        self.patch(os, "environ", {**os.environ, "PATH": f"{place}:{os.environ['PATH']}"})
        said = "Listen=[::]:5222 (Stream)\nListen=/run/x (Stream)\nListen=192.0.2.1:77 (Stream)\n"
        for state, wanted in (
            ("active", [Passed(0, V6, "::", 5222), Passed(1, V4, "192.0.2.1", 77)]),
            ("inactive", []),
        ):
            (place / "systemctl").write_text(f"#!/bin/sh\nprintf '{said}ActiveState={state}\\n'\n")
            (place / "systemctl").chmod(0o755)
            self.assertEqual(held_by_systemd(), wanted)
        os.environ["PATH"] = str(place / "nowhere")
        self.assertEqual(held_by_systemd(), [])
