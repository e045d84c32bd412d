"""A backend that knows its accounts."""

from __future__ import annotations

from collections.abc import Mapping

from zope.interface import implementer

from callbridged.backends import IAccounts
from callbridged.scram_keys import ScramKeys
from tests.callbridged.people import ITERATIONS, PASSWORDS, MemoryBackend


@implementer(IAccounts)
class Accounts(MemoryBackend):
    """Can say who is a user; ``passwords`` may be others than the usual."""

    passwords: Mapping[str, str] = PASSWORDS

    async def fingerprint(self, username: str) -> bytes | None:
        await self._look(username)
        password = self.passwords.get(username)
        return None if password is None else password.encode()

    async def check_password(self, username: str, password: str) -> bool:
        await self._look(username)
        return self.passwords.get(username) == password

    async def scram_keys(self, username: str, mechanism: str) -> ScramKeys | None:
        if self.passwords is PASSWORDS:
            return await super().scram_keys(username, mechanism)
        await self._look(username)
        password = self.passwords.get(username)
        return None if password is None else ScramKeys.derive(mechanism, password, ITERATIONS)
