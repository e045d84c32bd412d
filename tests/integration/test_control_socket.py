"""The control socket on a real UNIX socket, between ctl command and daemon."""

from __future__ import annotations

import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from daemonkit.control import CommandError, ControlService, ControlSocketFault, NotRunning, call
from daemonkit.feed import Feed
from daemonkit.following import Following


class ControlSocketTests(TestCase):
    """A daemon with one command, and whoever asks it."""

    def setUp(self) -> None:
        directory = tempfile.mkdtemp(prefix="control-")  # short: a socket's path has 107 bytes
        self.addCleanup(shutil.rmtree, directory)
        self.path = Path(directory) / "run" / "control.sock"

    def start(self) -> ControlService:
        service = ControlService(reactor, self.path, {"echo": self.echo, "hang": self.hang})
        service.startService()
        self.addCleanup(service.stopService)
        return service

    def echo(self, arguments: dict[str, Any]) -> object:
        if "refuse" in arguments:
            raise CommandError("no")
        return arguments

    def hang(self, arguments: dict[str, Any]) -> object:
        return Deferred()

    def ask(self, command: str, **arguments: Any) -> Deferred[Any]:
        return deferToThread(call, self.path, command, **arguments)

    def leave_socket(self) -> socket.socket:
        """What a killed daemon leaves behind, as long as the socket is closed."""
        self.path.parent.mkdir()
        left = socket.socket(socket.AF_UNIX)
        left.bind(str(self.path))
        return left

    async def failure(self, command: str, **arguments: Any) -> NotRunning:
        return await self.assertFailure(self.ask(command, **arguments), NotRunning)

    def test_exchange(self) -> Deferred[None]:
        """Arguments go there and a result of any size comes back."""

        async def run() -> None:
            self.start()
            text = "ü" * 10_000
            self.assertEqual(await self.ask("echo", text=text), {"text": text})

        return Deferred.fromCoroutine(run())

    def test_refusal(self) -> Deferred[None]:
        """The daemon's refusal arrives in its own words."""

        async def run() -> None:
            self.start()
            refusal = await self.assertFailure(self.ask("echo", refuse=1), CommandError)
            self.assertEqual(str(refusal), "no")

        return Deferred.fromCoroutine(run())

    def test_mode(self) -> None:
        """Nobody but the daemon's user may open the socket."""
        self.start()
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)

    def test_nobody_there(self) -> Deferred[None]:
        """No socket, and a socket that a killed daemon left, both mean that it is down."""

        async def run() -> None:
            self.assertTrue((await self.failure("echo")).down)
            self.leave_socket().close()
            self.assertTrue((await self.failure("echo")).down)

        return Deferred.fromCoroutine(run())

    def test_no_answer(self) -> Deferred[None]:
        """A daemon that does not answer in time may still run."""

        async def run() -> None:
            self.start()
            failure = await self.failure("hang", timeout=0.05)
            self.assertFalse(failure.down)
            self.assertIn("0.05 s", str(failure))

        return Deferred.fromCoroutine(run())

    def test_somebody_else(self) -> Deferred[None]:
        """A program that only hangs up is not taken for the daemon."""

        async def run() -> None:
            listener = self.leave_socket()
            self.addCleanup(listener.close)
            listener.listen()
            listener.settimeout(10.0)
            asking = Deferred.fromCoroutine(self.failure("echo"))
            await deferToThread(lambda: listener.accept()[0].close())
            self.assertFalse((await asking).down)

        return Deferred.fromCoroutine(run())

    def test_left_by_a_killed_daemon(self) -> Deferred[None]:
        """A socket that nobody listens on is replaced."""

        async def run() -> None:
            self.leave_socket().close()
            self.start()
            self.assertEqual(await self.ask("echo"), {})

        return Deferred.fromCoroutine(run())

    def test_another_daemon(self) -> Deferred[None]:
        """A second daemon does not start, and the first one keeps its socket."""

        async def run() -> None:
            self.start()
            second = ControlService(reactor, self.path, {})
            fault = self.assertRaises(ControlSocketFault, second.startService)
            self.assertIn("another daemon", str(fault))
            self.assertEqual(await self.ask("echo"), {})

        return Deferred.fromCoroutine(run())

    def test_stop(self) -> Deferred[None]:
        """A daemon that stops takes its socket with it."""

        async def run() -> None:
            service = self.start()
            stopping = service.stopService()
            if stopping is not None:
                await stopping
            self.assertFalse(self.path.exists())

        return Deferred.fromCoroutine(run())


#: Follows at the socket in its argument. When the main thread sleeps in poll(2) another one gets
#: SIGINT: nothing wakes the main one, as if the signal had come just before it went to sleep.
_ASLEEP = """
import os, signal, sys, threading, time
from pathlib import Path
from daemonkit.calling import follow

news = follow(Path(sys.argv[1]), "numbers", 1)
next(news)

def interrupt():
    main = Path(f"/proc/self/task/{os.getpid()}/syscall")
    while main.read_text().split()[0] not in ("7", "73", "271"):  # poll, ppoll
        time.sleep(0.01)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait()

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
threading.Thread(target=interrupt, daemon=True).start()
try:
    next(news)
except KeyboardInterrupt:
    print("interrupted")
"""


class FollowingTests(TestCase):
    """Who follows, and is told to stop."""

    def test_signal_before_sleep(self) -> Deferred[None]:
        """Ctrl-C ends it also where it comes in the moment before the wait for news."""

        async def run() -> None:
            directory = tempfile.mkdtemp(prefix="control-")
            self.addCleanup(shutil.rmtree, directory)
            path = Path(directory) / "control.sock"
            feed: Feed[int] = Feed()
            service = ControlService(
                reactor, path, {"numbers": lambda _: Following("so far", feed, str)}
            )
            service.startService()
            self.addCleanup(service.stopService)
            command = [sys.executable, "-c", _ASLEEP, str(path)]
            done = await deferToThread(
                subprocess.run, command, capture_output=True, text=True, timeout=30, check=False
            )
            self.assertEqual((done.stdout, done.stderr), ("interrupted\n", ""))

        return Deferred.fromCoroutine(run())
