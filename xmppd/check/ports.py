"""The ports of xmppd: can each be had, or who has it?"""

from __future__ import annotations

import errno
import os
import re
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from daemonkit.activation import Passed, share
from daemonkit.listen import TcpListen, tcp_listen
from xmppd.check.condition import Condition, failure, success, warning
from xmppd.config import Config

UNIT = "xmppd.socket"
_LISTEN = re.compile(r"^Listen=(?P<host>\S+):(?P<port>\d+) \(Stream\)$", re.MULTILINE)
_FIRST_FREE = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


def ports(config: Config, sockets: Sequence[Passed], *, held: bool) -> Iterator[Condition]:
    """Answer a condition for each. ``held``: the daemon runs, and ought to have them.

    ``sockets``: those that systemd has for it.
    """
    listening, unused = share(config.endpoints, sockets)
    for key, endpoints in config.listening.items():
        for endpoint in endpoints:
            wanted = tcp_listen(endpoint)
            if listening[endpoint] != [endpoint]:
                yield success(key, f"{endpoint} is held by {UNIT}, also while xmppd is restarted.")
            elif wanted is None:
                yield success(key, f"{endpoint} is opened by systemd.")
            else:
                yield _port(key, endpoint, wanted, held)
    for one in unused:
        yield warning(
            UNIT,
            f"it listens on {one}, and no setting is about that: who connects is hung up on.",
            "Add a listen setting, or take the port out (systemctl edit xmppd.socket).",
        )


def held_by_systemd() -> list[Passed]:
    """Answer the sockets of xmppd.socket, where there is a systemd, and it listens."""
    command = ["systemctl", "show", "--property=ActiveState", "--property=Listen", UNIT]
    try:
        said = subprocess.run(  # noqa: S603 - no shell, and no word is anybody else's
            command, capture_output=True, text=True, check=False, timeout=10.0
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    if "ActiveState=active\n" not in said:
        return []
    found = []
    for index, one in enumerate(_LISTEN.finditer(said)):
        family = socket.AF_INET6 if one["host"].startswith("[") else socket.AF_INET
        found.append(Passed(index, family, one["host"].strip("[]"), int(one["port"])))
    return found


def _port(key: str, endpoint: str, wanted: TcpListen, held: bool) -> Condition:
    host, port = wanted.host or ("::" if wanted.six else "0.0.0.0"), wanted.port  # noqa: S104
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
            trial.listen(1)
        except PermissionError:
            return _not_ours(key, endpoint, port)
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            if taken and held:
                return success(key, f"{endpoint} is in use, as it should be.")
            remedy = f"`ss -ltnp 'sport = :{port}'` says who has it." if taken else ""
            said = os.strerror(error.errno or 0).lower()
            return failure(key, f"{endpoint} cannot be had: {said}.", remedy)
    if 0 < port < _first_free():
        return _not_ours(key, endpoint, port)
    if held:
        remedy = "Restart it: it was started with other settings."
        return failure(key, f"{endpoint} is free, though xmppd runs.", remedy)
    return success(key, f"{endpoint} is free.")


def _not_ours(key: str, endpoint: str, port: int) -> Condition:
    return warning(
        key,
        f"{endpoint}: ports below {_first_free()} are root's, and xmppd does not run as root.",
        f"Let systemd open it: ListenStream={port} in xmppd.socket (systemctl edit).",
    )


def _first_free() -> int:
    """The first port that every user may have."""
    try:
        return int(_FIRST_FREE.read_text())
    except (OSError, ValueError):
        return 1024
