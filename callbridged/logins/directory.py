"""The user backend as mechanisms see it: nobody learns from it who exists."""

from __future__ import annotations

from dataclasses import replace

from bridgewire.username import parse_username
from callbridged.backends import BackendUnavailable, IAccounts, IDecoySource, IUserBackend
from callbridged.logins.guests import ACCOUNT, Guests
from callbridged.scram_keys import ITERATIONS, Decoys, ScramKeys


class Directory:
    """Users of a backend, the guests' account, and decoys in the place of who does not exist.

    The backend is never asked for names that are the guests': it is not to see the access code, and
    nobody is to lock its users out by guessing at them.
    """

    def __init__(
        self, backend: IUserBackend, decoy_key: bytes, guests: Guests | None = None
    ) -> None:
        """``decoy_key`` is for a backend that has none of its own."""
        self._backend = backend
        self._decoy_key = decoy_key
        self._guests = guests

    @property
    def mechanisms(self) -> frozenset[str]:
        """What there is an answer for now, as `IUserBackend.mechanisms`."""
        of_backend: frozenset[str] = self._backend.mechanisms
        if self._guests is None or self._guests.anonymous:
            return of_backend
        return of_backend | {"PLAIN"}

    @property
    def knows_accounts(self) -> bool:
        """True where `fingerprint` can be asked."""
        return bool(IAccounts.providedBy(self._backend))

    async def scram_keys(self, username: str, scheme: str) -> ScramKeys:
        """Answer the keys of a user; of one who does not exist, such that no proof fits.

        Raises what the backend raises.
        """
        if self._guests is not None and self._guests.reserves(username):
            keys = self._guests.scram_keys(username, scheme)
        else:
            keys = await self._backend.scram_keys(username, scheme)
        decoy = self._decoy(username, scheme)  # in any case: it takes its time
        if keys is None:
            return decoy
        if keys.username is None:
            return keys
        return replace(keys, username=self._let_in(username, keys.username))

    async def check_password(self, username: str, password: str) -> str | None:
        """Answer whom to let in where this is the password of ``username``, else None.

        Raises as the backend.
        """
        if self._guests is not None and self._guests.reserves(username):
            return username if self._guests.check_password(username, password) else None
        if "PLAIN" not in self._backend.mechanisms:  # it is offered to guests alone
            return None
        answer = await self._backend.check_password(username, password)
        return self._let_in(username, answer) if answer else None

    async def fingerprint(self, username: str) -> bytes | None:
        """Answer what changes with the user's password; None: there is no such user, or nobody
        can say. Raises as the backend."""
        if self._guests is not None and self._guests.reserves(username):
            return None
        accounts = IAccounts(self._backend, None)
        found: bytes | None = None if accounts is None else await accounts.fingerprint(username)
        return found

    def why_not(self, username: str) -> str:
        """Answer what the log should say of a user who is not let in, mostly nothing."""
        if self._guests is not None and self._guests.reserves(username) and username != ACCOUNT:
            return "names like this are kept for guests while [guest] has enabled = yes"
        return ""

    def _let_in(self, username: str, answer: object) -> str:
        """Answer the localpart of a user whom the backend has let in. Raises BackendUnavailable."""
        if answer is True:
            return username
        try:
            name = parse_username(answer) if isinstance(answer, str) else ""
        except ValueError:
            name = ""
        if not name or (self._guests is not None and self._guests.reserves(name)):
            raise BackendUnavailable(
                f"it maps {username!r:.80} to {answer!r:.80}, which is no user"
            )
        return name

    def _decoy(self, username: str, scheme: str) -> ScramKeys:
        source = IDecoySource(self._backend, None)
        key = (source and source.decoy_key) or self._decoy_key
        iterations = source.iterations if source else ITERATIONS
        return Decoys(key).keys(username, scheme, iterations)
