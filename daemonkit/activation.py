"""Listening sockets that systemd holds and has passed on to us, found by their ports.

With a ``.socket`` unit the ports stay open while the daemon is restarted: who connects meanwhile
waits in the backlog. A setting like ``tcp:5222`` needs not to know of it: where there is such a
socket it is taken over, as Twisted's ``systemd:domain=INET6:index=0`` would be.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from twisted.internet.endpoints import serverFromString

from daemonkit.listen import TcpListen, tcp_listen


@dataclass(frozen=True)
class Passed:
    """One such socket; ``index`` is its place among all. UNIX sockets have a path, and no port."""

    index: int
    family: socket.AddressFamily
    host: str
    port: int = 0

    @property
    def endpoint(self) -> str:
        """Answer Twisted's name of it."""
        return f"systemd:domain={self.family.name.removeprefix('AF_')}:index={self.index}"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port else host


def passed() -> list[Passed]:
    """Answer what systemd has passed on to this process; mostly nothing."""
    found: list[Passed] = []
    while (descriptor := _descriptor(f"systemd:domain=INET:index={len(found)}")) is not None:
        with socket.socket(fileno=os.dup(descriptor)) as one:
            name = one.getsockname()
            host, port = name[:2] if isinstance(name, tuple) else (os.fsdecode(name), 0)
            found.append(Passed(len(found), one.family, host, port))
    return found


def share(
    endpoints: Iterable[str], sockets: Iterable[Passed]
) -> tuple[dict[str, list[str]], list[Passed]]:
    """Answer what to listen on for each of the settings' ``endpoints``, and the sockets that none
    of them means.

    Where nothing was passed on for an endpoint, that is itself. One without an interface means
    every socket at its port: whoever wrote the ``.socket`` unit has said which addresses.
    """
    listening: dict[str, list[str]] = {one: [] for one in endpoints}
    by_name = {_descriptor(one) for one in listening if one.startswith("systemd:")}
    wanted = [(one, tcp) for one in listening if (tcp := tcp_listen(one))]
    unused = []
    for one in sockets:
        suiting = [(text, tcp) for text, tcp in wanted if _suits(tcp, one)]
        if suiting:
            text, _ = min(suiting, key=lambda found: _distance(found[1], one))
            listening[text].append(one.endpoint)
        elif _descriptor(one.endpoint) not in by_name:
            unused.append(one)
    return {text: found or [text] for text, found in listening.items()}, unused


def _suits(wanted: TcpListen, there: Passed) -> bool:
    return 0 != wanted.port == there.port and wanted.host in ("", there.host)


def _distance(wanted: TcpListen, there: Passed) -> tuple[bool, bool]:
    """Least for the same address, then for the same kind of address."""
    return wanted.host != there.host, wanted.six != (there.family == socket.AF_INET6)


def _descriptor(endpoint: str) -> int | None:
    """The descriptor that Twisted, which has read $LISTEN_FDS, knows by this name."""
    try:
        found: Any = serverFromString(None, endpoint)
    except LookupError:
        return None
    descriptor: int = found.fileno
    return descriptor
