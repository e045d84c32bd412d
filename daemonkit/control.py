"""The control socket, the daemon's end: one JSON request and its answer per connection.

A request is the line ``{"command": "status", "arguments": {}}``, its answer the line
``{"ok": true, "result": ...}`` or ``{"ok": false, "error": "text"}``; then the daemon hangs up.
Where the command answers a `daemonkit.following.Following`, it does not: lines ``{"record": ...}``
come behind the answer, and ``{"missed": 12}`` where the asker was too slow for that many, until one
of the two hangs up.
Whoever may open the socket may operate the daemon, so only its own user (and root) may.
"""

from __future__ import annotations

import inspect
import json
import os
import socket
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IListeningPort, IReactorUNIX
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from daemonkit.calling import CommandError, NotRunning, call
from daemonkit.following import Follower, Following
from daemonkit.tasks import detach

__all__ = ["CommandError", "ControlService", "ControlSocketFault", "NotRunning", "call"]

#: Bytes in a request's line.
MAX_REQUEST = 64 * 1024

#: Connections whose answers go on, at once.
MAX_FOLLOWERS = 8
_TOO_MANY = f"{MAX_FOLLOWERS} others follow already, which is the limit. End one of them first."

#: Takes the arguments, answers something for JSON or a Following, or an awaitable of it.
Command = Callable[[dict[str, Any]], object]


class ControlSocketFault(SystemExit):
    """The socket cannot be had. A SystemExit: twistd ends with this message and no traceback."""


class ControlService(Service):
    """Answers the commands on the socket ``path``, as long as it runs."""

    log = Logger()

    def __init__(self, reactor: Any, path: Path, commands: Mapping[str, Command]) -> None:
        """``reactor`` provides IReactorUNIX."""
        self._reactor: IReactorUNIX = reactor
        self._path = path
        self.commands = commands
        self.followers: set[Follower[Any]] = set()
        self._port: IListeningPort | None = None

    def startService(self) -> None:
        """Raises ControlSocketFault where another daemon holds the socket, or it cannot be made."""
        if self._port is not None:
            return
        try:
            self._path.parent.mkdir(mode=0o755, exist_ok=True)
            _remove_stale(self._path)
            # Twisted changes the mode between bind() and listen(): nobody gets in before it.
            self._port = self._reactor.listenUNIX(str(self._path), _Factory(self), mode=0o600)
        except (OSError, CannotListenError) as error:
            cause = getattr(error, "socketError", error)
            raise ControlSocketFault(
                f"{self._path}: the control socket cannot be made: {cause}. "
                "Give the daemon's user a directory that it may write to, or change control_socket."
            ) from None
        super().startService()

    def stopService(self) -> Deferred[None] | None:
        super().stopService()
        port, self._port = self._port, None
        for follower in tuple(self.followers):
            follower.hang_up()
        return None if port is None else port.stopListening()

    async def answer(self, line: bytes) -> tuple[bytes, Following[Any] | None]:
        """Do what the request says, and answer the line to send back, and what comes behind it.

        Raises nothing.
        """
        try:
            request = json.loads(line)
            name, arguments = request["command"], request.get("arguments", {})
        except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
            return _error('a request is {"command": "...", "arguments": {...}}')
        command = self.commands.get(name) if isinstance(name, str) else None
        if command is None or not isinstance(arguments, dict):
            known = ", ".join(sorted(self.commands))
            return _error(f"this daemon has no such command; it has: {known}")
        try:
            result = command(arguments)
            if inspect.isawaitable(result):
                result = await result
            following = result if isinstance(result, Following) else None
            if following is not None:
                result = following.result
                if len(self.followers) >= MAX_FOLLOWERS:
                    raise CommandError(_TOO_MANY)
            return json.dumps({"ok": True, "result": result}).encode(), following
        except CommandError as error:
            return _error(str(error))
        except Exception:  # noqa: BLE001  a bug in one command must not silence the others
            self.log.failure("control command {command} failed", command=name)
            return _error("internal error; the daemon's log has the details")


class _Connection(LineOnlyReceiver):
    """One request, one answer, which may go on."""

    delimiter = b"\n"
    MAX_LENGTH = MAX_REQUEST

    def __init__(self, service: ControlService) -> None:
        self._service = service
        self._asked = False
        self._follower: Follower[Any] | None = None

    def lineReceived(self, line: bytes) -> None:
        if self._asked:
            return
        self._asked = True
        answering = Deferred.fromCoroutine(self._service.answer(line))
        detach(answering.addCallback(self._send), self._service.log, "answering on control socket")

    def lineLengthExceeded(self, line: bytes) -> None:
        if self._follower is not None:
            self._follower.hang_up()
        elif not self._asked:
            self._asked = True
            self._send(_error(f"a request has at most {MAX_REQUEST} bytes"))

    def _send(self, answer: tuple[bytes, Following[Any] | None]) -> None:
        if self.transport is None:
            return
        line, following = answer
        self.sendLine(line)
        if following is None:
            self.transport.loseConnection()
        else:
            self._follower = Follower(following, self.transport)
            self._service.followers.add(self._follower)

    def connectionLost(self, reason: Failure | None = None) -> None:
        self.transport = None
        if self._follower is not None:
            self._follower.stop()
            self._service.followers.discard(self._follower)


class _Factory(ServerFactory):
    noisy = False

    def __init__(self, service: ControlService) -> None:
        self._service = service

    def buildProtocol(self, addr: IAddress | None) -> _Connection:
        return _Connection(self._service)


def _error(text: str) -> tuple[bytes, None]:
    return json.dumps({"ok": False, "error": text}).encode(), None


def _remove_stale(path: Path) -> None:
    """Remove what a daemon that was killed has left; never the socket of one that runs."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise ControlSocketFault(
                f"{path}: there is a file where the control socket belongs. "
                "Move it away, or change control_socket."
            )
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except FileNotFoundError:
            return
        except TimeoutError:  # its queue is full: it is busy, but there
            pass
    raise ControlSocketFault(
        f"{path}: another daemon that runs holds this control socket. "
        "Stop it first, or give this one another control_socket and state_directory."
    )
