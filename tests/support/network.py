"""Network namespaces: hosts with addresses and ports of their own, on one machine. Needs root."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Iterator

#: From <sched.h>; Python knows neither before 3.12.
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class NetworkNamespace:
    """Held by a file descriptor: it ends with ``close`` or with this process, however that ends."""

    def __init__(self) -> None:
        with _restored():
            _checked(_libc.unshare(_CLONE_NEWNET))
            self._file = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.run("ip", "link", "set", "lo", "up")

    @property
    def path(self) -> str:
        """For other processes, as long as this one lives."""
        return f"/proc/{os.getpid()}/fd/{self._file}"

    @property
    def prefix(self) -> list[str]:
        """What to put before a command to run it here."""
        return ["nsenter", f"--net={self.path}", "--"]

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """What this thread opens in the meantime, sockets and processes, belongs here for good."""
        with _restored():
            _checked(_libc.setns(self._file, _CLONE_NEWNET))
            yield

    def run(self, *words: str) -> None:
        """A command that must succeed."""
        environment = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}
        done = subprocess.run(
            [*self.prefix, *words], capture_output=True, text=True, check=False, env=environment
        )
        if done.returncode:
            raise AssertionError(f"{words} ended with {done.returncode}: {done.stderr}")

    def connect(self, address: str, other: NetworkNamespace, gateway: str) -> None:
        """A wire to ``other``, whose end has the address ``gateway``: all else is reached by it."""
        there = f"to{self._file}"
        self.run(
            *("ip", "link", "add", "eth0", "type", "veth"),
            *("peer", "name", there, "netns", other.path),
        )
        for space, device, own in ((self, "eth0", address), (other, there, gateway)):
            space.run("ip", "addr", "add", f"{own}/24", "dev", device)
            space.run("ip", "link", "set", device, "up")
        self.run("ip", "route", "add", "default", "via", gateway)

    def close(self) -> None:
        """It goes when no process is left in it."""
        os.close(self._file)


@contextlib.contextmanager
def _restored() -> Iterator[None]:
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        _checked(_libc.setns(before, _CLONE_NEWNET))
        os.close(before)


def _checked(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
