"""Users behind a web hook: each login is a question to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.application.service import MultiService
from twisted.logger import Logger
from zope.interface import implementer

from callbridged.attempt import ATTEMPT, seconds_left
from callbridged.backends import IAccounts, IDecoySource, IUserBackend
from callbridged.backends.addresses import Addresses
from callbridged.backends.http.client import HookClient
from callbridged.backends.http.messages import (
    BadAnswer,
    Question,
    read_account_answer,
    read_keys_answer,
    read_password_answer,
)
from callbridged.backends.http.settings import HookSettings
from callbridged.scram_keys import ScramKeys
from daemonkit.tasks import detach
from daemonkit.workers import Workers

T = TypeVar("T")

#: Lookups of the hook's address at once.
LOOKUPS = 2


@implementer(IUserBackend, IDecoySource)
class HttpBackend(MultiService):
    """Asks for every login; what the hook answers counts for that login alone."""

    log = Logger()
    #: One for each process, since hooks have none to share (`callbridged.logins.login`).
    decoy_key = None

    def __init__(self, clock: Any, settings: HookSettings, client: HookClient) -> None:
        super().__init__()
        self.mechanisms = settings.mechanisms
        self.iterations = settings.iterations
        self._clock = clock
        self._timeout = settings.timeout
        self._client = client

    def stopService(self) -> None:
        detach(self._client.close(), self.log, "closing the connections to a web hook")
        super().stopService()

    async def scram_keys(self, username: str, mechanism: str) -> ScramKeys | None:
        """Ask for the keys of a user. Raises BackendUnavailable."""
        question = self._question("scram-keys", username, mechanism)
        return await self._ask(question, lambda body: read_keys_answer(body, mechanism))

    async def check_password(self, username: str, password: str) -> bool | str:
        """Ask whether it is the user's password. Raises BackendUnavailable and AccountRefused."""
        question = self._question("check-password", username, password=password)
        return await self._ask(question, read_password_answer)

    def _question(
        self,
        method: str,
        username: str,
        mechanism: str | None = None,
        password: str | None = None,
    ) -> Question:
        attempt = ATTEMPT.get()
        peer = attempt.peer if attempt else None
        if attempt and mechanism is None:
            mechanism = attempt.mechanism.removesuffix("-PLUS")
        return Question(method, username, mechanism, peer, password)

    async def _ask(self, question: Question, read: Callable[[bytes], T]) -> T:
        body = await self._client.ask(question, seconds_left(self._clock, self._timeout))
        try:
            return read(body)
        except BadAnswer as why:
            raise self._client.explanations.bad_answer(question.method, why) from None


@implementer(IAccounts)
class HttpBackendWithAccounts(HttpBackend):
    """One whose hook can also say who is a user."""

    async def fingerprint(self, username: str) -> bytes | None:
        """Ask for what changes with the user's password. Raises BackendUnavailable."""
        return await self._ask(self._question("account", username), read_account_answer)


def open_backend(reactor: Any, settings: HookSettings) -> HttpBackend:
    """Answer the backend; nothing is asked before the first login. Raises CertificateFault."""
    workers = Workers(reactor, LOOKUPS, f"addresses for http:{settings.name}")
    client = HookClient(reactor, settings, Addresses(settings.url.host, workers))
    kind = HttpBackendWithAccounts if settings.accounts else HttpBackend
    backend = kind(reactor, settings, client)
    workers.setServiceParent(backend)
    return backend
