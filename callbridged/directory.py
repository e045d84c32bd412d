"""The user backend as mechanisms see it: nobody learns from it who exists."""

from __future__ import annotations

from collections.abc import Callable

from callbridged.backends import IAccounts, IDecoySource, IUserBackend
from callbridged.scram_keys import ITERATIONS, Decoys, ScramKeys


class Directory:
    """Users of a backend, and decoys in the place of users who do not exist.

    Names that are ``reserved`` are nobody's: the backend is asked all the same, so that it takes
    as long, and what it says does not count.
    """

    def __init__(
        self,
        backend: IUserBackend,
        decoy_key: bytes,
        reserved: Callable[[str], bool] = lambda username: False,
    ) -> None:
        """``decoy_key`` is for a backend that has none of its own."""
        self._backend = backend
        self._decoy_key = decoy_key
        self.reserved = reserved

    @property
    def mechanisms(self) -> frozenset[str]:
        """What the backend has an answer for now, as `IUserBackend.mechanisms`."""
        return self._backend.mechanisms

    @property
    def knows_accounts(self) -> bool:
        """True where `fingerprint` can be asked."""
        return bool(IAccounts.providedBy(self._backend))

    async def scram_keys(self, username: str, scheme: str) -> ScramKeys:
        """Answer the keys of a user; of one who does not exist, such that no proof fits.

        Raises what the backend raises.
        """
        keys = await self._backend.scram_keys(username, scheme)
        decoy = self._decoy(username, scheme)  # in any case: it takes its time
        return decoy if keys is None or self.reserved(username) else keys

    async def check_password(self, username: str, password: str) -> bool:
        """True where there is such a user, and this is the password. Raises as the backend."""
        right = await self._backend.check_password(username, password)
        return right and not self.reserved(username)

    async def fingerprint(self, username: str) -> bytes | None:
        """Answer what changes with the user's password; None: there is no such user, or nobody
        can say. Raises as the backend."""
        accounts = IAccounts(self._backend, None)
        if accounts is None or self.reserved(username):
            return None
        found: bytes | None = await accounts.fingerprint(username)
        return found

    def _decoy(self, username: str, scheme: str) -> ScramKeys:
        source = IDecoySource(self._backend, None)
        key = (source and source.decoy_key) or self._decoy_key
        iterations = source.iterations if source else ITERATIONS
        return Decoys(key).keys(username, scheme, iterations)
