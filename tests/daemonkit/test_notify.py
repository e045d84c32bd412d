"""Tests of daemonkit.notify."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from daemonkit.notify import notify, reloading, watchdog_interval


class NotifyTests(SynchronousTestCase):
    """sd_notify(3)."""

    def setUp(self) -> None:
        self.patch(os, "environ", dict(os.environ))
        for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
            os.environ.pop(name, None)

    def listen(self, address: str) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(listener.close)
        listener.bind(address)
        return listener

    def test_nobody_to_tell(self) -> None:
        """Without systemd nothing is sent."""
        self.assertIs(notify("READY=1"), False)

    def test_socket_in_the_file_system(self) -> None:
        """The assignments are the lines of one datagram."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = str(Path(directory.name) / "notify")
        listener = self.listen(path)
        os.environ["NOTIFY_SOCKET"] = path
        self.assertIs(notify("READY=1", "STATUS=two\nlinks"), True)
        self.assertEqual(listener.recv(1000), b"READY=1\nSTATUS=two links")

    def test_abstract_socket(self) -> None:
        """A name that begins with @ is an abstract one."""
        listener = self.listen(f"\0daemonkit-test-{os.getpid()}")
        os.environ["NOTIFY_SOCKET"] = f"@daemonkit-test-{os.getpid()}"
        self.assertIs(reloading(), True)
        self.assertRegex(listener.recv(1000), rb"^RELOADING=1\nMONOTONIC_USEC=\d+$")

    def test_nobody_listens(self) -> None:
        """A socket that is gone is no reason to fail."""
        os.environ["NOTIFY_SOCKET"] = "/nowhere/notify"
        self.assertIs(notify("READY=1"), False)

    def test_watchdog(self) -> None:
        """The interval is half of what systemd allows, if it is us whom it watches."""
        self.assertIs(watchdog_interval(), None)
        os.environ["WATCHDOG_USEC"] = "30000000"
        self.assertEqual(watchdog_interval(), 15.0)
        os.environ["WATCHDOG_PID"] = str(os.getpid())
        self.assertEqual(watchdog_interval(), 15.0)
        os.environ["WATCHDOG_PID"] = str(os.getpid() + 1)
        self.assertIs(watchdog_interval(), None)
        os.environ |= {"WATCHDOG_PID": str(os.getpid()), "WATCHDOG_USEC": "x"}
        self.assertIs(watchdog_interval(), None)
