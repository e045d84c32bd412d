"""A backend that answers late, as a directory far away would. Shows how a backend is added.

``slow:100`` knows every user, with the password ``wonderland``, after 100 milliseconds.
``slow:100:/path/of/users`` then also does the work of the file backend: 10,000 rounds of a hash.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.task import deferLater
from twisted.plugin import IPlugin
from zope.interface import implementer

from callbridged.backends import IUserBackend, IUserBackendFactory
from callbridged.backends.file import FileBackend
from callbridged.scram_keys import ScramKeys


@implementer(IUserBackend)
class SlowBackend:
    """Waits, and then asks the file, if there is one."""

    mechanisms = FileBackend.mechanisms

    def __init__(self, seconds: float, backend: FileBackend | None, reactor: Any) -> None:
        self._seconds = seconds
        self._backend = backend
        self._reactor = reactor

    async def scram_keys(self, username: str, mechanism: str) -> ScramKeys | None:
        await deferLater(self._reactor, self._seconds)
        return await self._backend.scram_keys(username, mechanism) if self._backend else None

    async def check_password(self, username: str, password: str) -> bool:
        await deferLater(self._reactor, self._seconds)
        if self._backend:
            return await self._backend.check_password(username, password)
        return password == "wonderland"


@implementer(IPlugin, IUserBackendFactory)
class SlowBackendFactory:
    """``slow:MILLISECONDS[:PATH]``"""

    prefix = "slow"
    description = "answers some milliseconds late; for benchmarks"

    def open(self, argument: str, reactor: Any) -> SlowBackend:
        """Answer the backend for ``MILLISECONDS[:PATH]``."""
        milliseconds, _, path = argument.partition(":")
        file = FileBackend(Path(path), reactor) if path else None
        return SlowBackend(int(milliseconds) / 1000, file, reactor)


slow = SlowBackendFactory()
