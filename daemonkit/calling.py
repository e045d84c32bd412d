"""The control socket, a ctl command's end: ask a running daemon, without a reactor."""

from __future__ import annotations

import errno
import json
import os
import select
import socket
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

#: Bytes in an answer's line.
MAX_ANSWER = 64 * 1024 * 1024
#: Milliseconds. A signal that comes just before the process goes to sleep does not wake it, and
#: Python looks at it only then: Ctrl-C.
_PATIENCE = 500


class CommandError(Exception):
    """A command could not be done, for a reason that the operator can understand and mend."""


class NotRunning(Exception):
    """The daemon cannot be reached over its control socket.

    ``why`` is a sentence, ``remedy`` another. ``down`` is True where it is certain that no daemon
    holds the socket, False where one may well run (no permission, or no answer).
    """

    def __init__(self, path: Path, why: str, remedy: str = "", *, down: bool = False) -> None:
        super().__init__(f"{why} {remedy}".strip())
        self.path = path
        self.why = why
        self.remedy = remedy
        self.down = down


def call(path: Path, command: str, timeout: float = 10.0, **arguments: object) -> Any:
    """Ask the daemon, wait for its answer and answer the result. Blocks: for ctl commands.

    ``timeout``: seconds for the whole exchange.

    Raises:
        NotRunning: nobody answers there, with a remedy.
        CommandError: the daemon refuses; the text is the daemon's.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        return _ask(connection, bytearray(), path, command, timeout, arguments)


def follow(
    path: Path, command: str, output: int, timeout: float = 10.0, **arguments: object
) -> Generator[Any, None, None]:
    """Ask what has an answer that goes on: the result first, and then each line, decoded.

    Ends where nobody reads ``output`` any more, a file descriptor. ``timeout`` is for the result.

    Raises:
        NotRunning, CommandError: as `call`; NotRunning also when the daemon has hung up.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        received = bytearray()
        yield _ask(connection, received, path, command, timeout, arguments)
        connection.settimeout(None)
        readable = select.poll()
        readable.register(connection, select.POLLIN)
        readable.register(output, 0)
        try:
            while True:
                while (end := received.find(b"\n")) >= 0:
                    line = bytes(received[:end])
                    del received[: end + 1]
                    yield json.loads(line)
                events = readable.poll(_PATIENCE)
                if any(descriptor == output for descriptor, _ in events):
                    return
                if not events:
                    continue
                more = connection.recv(65536)
                if not more or len(received) > MAX_ANSWER:
                    break
                received += more
        except (OSError, ValueError):  # it was killed, or is none of ours
            pass
    raise NotRunning(
        path, f"The daemon on {path} has hung up.", "Its log says whether it was stopped, or why."
    )


def _ask(
    connection: socket.socket,
    received: bytearray,
    path: Path,
    command: str,
    timeout: float,
    arguments: dict[str, object],
) -> Any:
    """Ask, and answer the result. What has come behind it is then in ``received``."""
    deadline = time.monotonic() + timeout
    request = json.dumps({"command": command, "arguments": arguments}).encode() + b"\n"
    try:
        answer = json.loads(_exchange(connection, received, path, request, deadline))
        if answer["ok"]:
            return answer["result"]
        text = str(answer["error"])
    except TimeoutError:
        raise NotRunning(
            path,
            f"The daemon has not answered on {path} within {timeout:g} s.",
            "Look at its log, and at whether it is stopped or overloaded.",
        ) from None
    except OSError as error:
        raise _unreachable(path, error) from None
    except (ValueError, LookupError, TypeError):
        raise NotRunning(
            path,
            f"What answers on {path} broke off, or is not this program's daemon.",
            "Look at the daemon's log, and check control_socket.",
        ) from None
    raise CommandError(text)


def _exchange(
    connection: socket.socket, received: bytearray, path: Path, request: bytes, deadline: float
) -> bytes:
    connection.settimeout(_left(deadline))
    connection.connect(os.fspath(path))
    connection.sendall(request)
    seen = 0
    while (end := received.find(b"\n", seen)) < 0 and len(received) < MAX_ANSWER:
        seen = len(received)
        connection.settimeout(_left(deadline))
        more = connection.recv(65536)
        if not more:
            break
        received += more
    end = end + 1 or len(received)
    line = bytes(received[:end])
    del received[:end]
    return line


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _unreachable(path: Path, error: OSError) -> NotRunning:
    if error.errno == errno.ENOENT:
        why = f"The daemon is not running: there is no control socket {path}."
        return NotRunning(path, why, "Start it, or check control_socket and --config.", down=True)
    if error.errno == errno.ECONNREFUSED:
        why = f"The daemon is not running: nobody answers on {path}."
        return NotRunning(path, why, "Start it; its log says why it ended.", down=True)
    if error.errno in (errno.EACCES, errno.EPERM):
        why = f"This user may not open the control socket {path}."
        return NotRunning(path, why, "Run this as root (sudo), or as the daemon's user.")
    why = f"The control socket {path} cannot be used: {error.strerror or error}."
    return NotRunning(path, why, "Check control_socket.")
