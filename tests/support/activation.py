"""Sockets that outlive a daemon, as a .socket unit's do: the test listens, and passes them on."""

from __future__ import annotations

import fcntl
import os
import socket
import sys

from tests.support.processes import Process

#: Puts the descriptors where sd_listen_fds(3) says, and becomes the daemon.
_BECOME = """
import os, sys
count = int(sys.argv[1])
for place, descriptor in enumerate(map(int, sys.argv[2 : 2 + count])):
    os.dup2(descriptor, 3 + place)
os.environ |= {
    "LISTEN_PID": str(os.getpid()),
    "LISTEN_FDS": str(count),
    "LISTEN_FDNAMES": ":".join(["test.socket"] * count),
}
os.execv(sys.argv[2 + count], sys.argv[2 + count :])
"""


class HeldSockets:
    """Listening sockets, high above the places where the daemon wants them."""

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []

    def listen(self, address: str, port: int = 0) -> int:
        """Listen there, and answer the port; ``::`` is IPv4 as well."""
        both = address == "::"
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        one = socket.create_server((address, port), family=family, dualstack_ipv6=both)
        # Above what the daemon's own places are, as dup2 would close what is there.
        high = socket.socket(fileno=_high(one.detach()))
        self._sockets.append(high)
        found: int = high.getsockname()[1]
        return found

    def hand_to(self, process: Process) -> None:
        """From its next start on, the process gets them all."""
        descriptors = [one.fileno() for one in self._sockets]
        process.descriptors = descriptors
        words = map(str, (len(descriptors), *descriptors))
        process.command = [sys.executable, "-c", _BECOME, *words, *process.command]

    def close(self) -> None:
        for one in self._sockets:
            one.close()


def _high(descriptor: int) -> int:
    found = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 100)
    os.close(descriptor)
    return found
