"""``slow:MILLISECONDS:PATH``: the file backend, answering late. Shows how a backend is added."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.task import deferLater
from twisted.plugin import IPlugin
from zope.interface import implementer

from callbridged.backends import IUserBackend, IUserBackendFactory, ScramKeys
from callbridged.backends.file import FileBackend


@implementer(IUserBackend)
class SlowBackend:
    """Waits, as for a directory far away, and then asks the file."""

    mechanisms = FileBackend.mechanisms

    def __init__(self, seconds: float, backend: FileBackend, reactor: Any) -> None:
        self._seconds = seconds
        self._backend = backend
        self._reactor = reactor

    async def scram_keys(self, username: str, mechanism: str) -> ScramKeys | None:
        await deferLater(self._reactor, self._seconds)
        return await self._backend.scram_keys(username, mechanism)

    async def check_password(self, username: str, password: str) -> bool:
        await deferLater(self._reactor, self._seconds)
        return await self._backend.check_password(username, password)


@implementer(IPlugin, IUserBackendFactory)
class SlowBackendFactory:
    """``slow:100:/path/of/users``"""

    prefix = "slow"
    description = "the file backend, some milliseconds late; for benchmarks"

    def open(self, argument: str, reactor: Any) -> SlowBackend:
        """Answer the backend for ``MILLISECONDS:PATH``."""
        milliseconds, _, path = argument.partition(":")
        return SlowBackend(int(milliseconds) / 1000, FileBackend(Path(path), reactor), reactor)


slow = SlowBackendFactory()
