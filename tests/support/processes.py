"""Real child processes for integration tests and the demo: started, watched, always ended."""

from __future__ import annotations

import atexit
import os
import random
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from weakref import WeakSet

from tests.support.waiting import DEADLINE, NeverHappened, wait_until

#: Commands of the environment that runs us lie beside its interpreter.
BIN = Path(sys.executable).parent
#: The checkout: children that import ``tests`` run here.
ROOT = Path(__file__).resolve().parents[2]

_alive: WeakSet[Process] = WeakSet()


class Process:
    """One child in a process group of its own, with its output in ``log``.

    The log is appended to, so that a restarted daemon's lines follow the old ones; ``mark`` and
    the ``since`` of ``wait_for`` keep the runs apart.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        log: Path,
        *,
        prefix: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.command = [*prefix, *map(str, command)]
        self.log = log
        self.environment = {**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})}
        #: Open files of ours that it gets, under the same numbers.
        self.descriptors: Sequence[int] = ()
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._child is not None, f"{self.name} was not started"
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        assert not self.running, f"{self.name} already runs"
        with self.log.open("ab") as output:
            self._child = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env=self.environment,
                start_new_session=True,
                pass_fds=self.descriptors,
            )
        _alive.add(self)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole process group."""
        os.killpg(self.pid, number)

    def stop(self, deadline: float = DEADLINE) -> int:
        """SIGTERM, and the exit status; ``NeverHappened`` if it does not end by itself."""
        if self.running:
            self.signal(signal.SIGTERM)
        return self.wait(deadline)

    def wait(self, deadline: float = DEADLINE) -> int:
        """The exit status, once it has ended by itself."""
        assert self._child is not None
        try:
            return self._child.wait(deadline)
        except subprocess.TimeoutExpired:
            raise NeverHappened(f"{self.name} did not end\n{self.tail()}") from None

    def kill(self) -> None:
        """SIGKILL: the power cut. Safe to call at any time, any number of times."""
        if self._child is None:
            return
        if self.running:
            self.signal(signal.SIGKILL)
        self._child.wait()

    def release(self) -> None:
        """Let it live on after us."""
        _alive.discard(self)

    def mark(self) -> int:
        """Where the log ends now, for ``since``."""
        return self.log.stat().st_size if self.log.exists() else 0

    def text(self, since: int = 0) -> str:
        if not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(since)
            return file.read().decode(errors="replace")

    def tail(self, lines: int = 25) -> str:
        return f"--- {self.name}: {self.log}\n" + "\n".join(self.text().splitlines()[-lines:])

    def wait_for(self, pattern: str, since: int = 0, deadline: float = DEADLINE) -> re.Match[str]:
        """The first match in the log after ``since``, waiting for it to be written."""
        compiled = re.compile(pattern, re.MULTILINE)
        return self.wait_while_running(
            f"/{pattern}/ in the log of {self.name}",
            lambda: compiled.search(self.text(since)),
            deadline,
        )

    def wait_while_running(self, what, probe, deadline: float = DEADLINE):
        """``wait_until``, but give up at once when the process has ended."""

        def ask():
            ended = not self.running
            answer = probe()
            if ended and not answer:
                raise NeverHappened(f"{self.name} ended while waiting for {what}\n{self.tail()}")
            return answer

        return wait_until(what, ask, deadline, self.tail)


def run(*command: str | Path, typed: str = "", check: bool = True) -> subprocess.CompletedProcess:
    """Run a short command of this environment to its end, text in and out."""
    done = subprocess.run(
        [str(part) for part in command],
        input=typed,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    if check and done.returncode != 0:
        shown = " ".join(map(str, command))
        raise AssertionError(f"{shown}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def output(*command: str | Path) -> str:
    """What the command prints, on both channels, however long it takes; it must succeed."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


#: Below what Linux gives to outgoing connections, which would take one before it is listened on.
_PORTS = range(10_000, 32_000)
#: What tells other processes, by its name, that a port is given. It ends with this one.
_given: list[socket.socket] = []


def free_port(address: str = "127.0.0.1", preferred: int = 0) -> int:
    """A port that is free for TCP and UDP on ``address``: ``preferred`` if it is.

    Nobody else who asks here gets it until this process ends, in other processes neither: also not
    while what listens there is restarted.
    """
    for port in [preferred, *random.sample(_PORTS, 50)]:
        if not port:
            continue
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the daemons do
            try:
                tcp.bind((address, port))
                udp.bind((address, port))
            except OSError:
                continue
        if _reserve(address, port) or port == preferred:
            return port
    raise OSError(f"no free port on {address}")


def _reserve(address: str, port: int) -> bool:
    """False where somebody has done it before."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0callbridge-tests {address} {port}")
    except OSError:
        name.close()
        return False
    _given.append(name)
    return True


@atexit.register
def _end_all() -> None:
    for process in list(_alive):
        process.kill()
