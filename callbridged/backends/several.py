"""The user backends of a Call Bridge as one: asked in order, and none holds up the others.

Who is let in by one of them is let in. The next is asked where one has said no, cannot look, or
takes its time. So there is no "no" before all have answered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from twisted.application.service import IService, MultiService
from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import alsoProvides, implementer, noLongerProvides

from bridgewire.steps import Reason, Step, StepFailure
from callbridged.attempt import waiting as waiting_for
from callbridged.backends import (
    AccountRefused,
    BackendFault,
    BackendUnavailable,
    BrokenAccount,
    IAccounts,
    IDecoySource,
    IMechanismsChange,
    IUserBackend,
)
from callbridged.backends.breaker import Breaker
from callbridged.backends.race import Asked, Member, Race
from callbridged.events import BACKEND_REMOVED, BACKEND_SKIPPED
from callbridged.scram_keys import ITERATIONS, ScramKeys
from daemonkit.tasks import detach

T = TypeVar("T")


@implementer(IUserBackend, IDecoySource, IMechanismsChange)
class SeveralBackends(MultiService):
    """Provides `IAccounts` besides where one of them does.

    They may be replaced by others at any time. One that is no longer wanted is stopped when the
    questions that may still go to it are over.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, backends: Sequence[tuple[str, IUserBackend]]) -> None:
        """``backends``: at least one, each with its name."""
        super().__init__()
        self.changed: Callable[[], None] = lambda: None
        #: Hears of each question: who was asked, how it ended, and after how many seconds.
        self.asked: Asked = lambda *_: None
        #: Called when one of them cannot look that could, or the other way round.
        self.watcher: Callable[[], None] = lambda: None
        self._clock = clock
        self._members: list[Member] = []
        self._with_accounts: list[Member] = []
        members = [Member(name, one, Breaker(clock)) for name, one in backends]
        for one in members:
            self._take_in(one)
        self._use(members)

    def backend(self, name: str) -> IUserBackend:
        """Answer the one that is called so. Raises LookupError."""
        return {one.name: one.backend for one in self._members}[name]

    def status(self) -> list[dict[str, object]]:
        """Answer ``users`` of ``callbridgectl status --json``: and why one cannot look."""
        return [{"backend": one.name, "last_error": _error(one)} for one in self._members]

    def replace(self, backends: Sequence[tuple[str, IUserBackend]]) -> None:
        """Ask these from now on. Those that are among them already go on as they are.

        Raises:
            BackendFault: one of them cannot be started. Then nothing has changed.
        """
        known = {id(one.backend): one for one in self._members}
        members = [
            known.get(id(one)) or Member(name, one, Breaker(self._clock)) for name, one in backends
        ]
        taken_in = []
        for one in members:
            if one in self._members:
                continue
            taken_in.append(one)
            try:
                self._take_in(one)
            except Exception:  # noqa: BLE001 - logged whole; the others go on
                self.log.failure("Error in starting the user backend {name}", name=one.name)
                for member in taken_in:
                    self._close(member)
                raise BackendFault(
                    f"The user backend {one.name} has a defect, and cannot be started. The log has "
                    "its traceback."
                ) from None
        before = self.mechanisms
        self._use(members)
        if self.mechanisms != before:
            self.changed()

    @property
    def mechanisms(self) -> frozenset[str]:
        """What all of them have an answer for.

        A client chooses one of these for a user of any of them, and mostly the strongest.
        """
        return frozenset.intersection(*(one.backend.mechanisms for one in self._members))

    @property
    def iterations(self) -> int:
        """Those of the first backend that can say."""
        return next((one.iterations for one in self._decoy_sources()), ITERATIONS)

    @property
    def decoy_key(self) -> bytes | None:
        """That of the first backend that has one."""
        return next((one.decoy_key for one in self._decoy_sources() if one.decoy_key), None)

    async def scram_keys(self, username: str, mechanism: str) -> ScramKeys | None:
        """Answer the keys of the first that has some. Raises BackendUnavailable."""
        return await self._ask(self._members, lambda one: one.scram_keys(username, mechanism))

    async def check_password(self, username: str, password: str) -> bool | str:
        """Answer what the first says that lets the user in.

        Raises BackendUnavailable, and AccountRefused if one does.
        """
        answer: bool | str | None = await self._ask(
            self._members, lambda one: one.check_password(username, password)
        )
        return answer or False

    async def fingerprint(self, username: str) -> bytes | None:
        """Answer that of the first that has such a user. Raises BackendUnavailable."""
        return await self._ask(
            self._with_accounts, lambda one: IAccounts(one).fingerprint(username)
        )

    def _take_in(self, member: Member) -> None:
        backend = member.backend
        if IMechanismsChange.providedBy(backend):
            IMechanismsChange(backend).changed = self._changed
        if IService.providedBy(backend):
            IService(backend).setServiceParent(self)

    def _use(self, members: list[Member]) -> None:
        for member in members:
            member.users += 1
        before, self._members = self._members, members
        self._with_accounts = [one for one in members if IAccounts.providedBy(one.backend)]
        if self._with_accounts:
            alsoProvides(self, IAccounts)
        else:
            noLongerProvides(self, IAccounts)
        self._let_go(before)

    def _let_go(self, members: Sequence[Member]) -> None:
        for member in members:
            member.users -= 1
            if not member.users:
                self.log.info(BACKEND_REMOVED, backend=member.name)
                self._close(member)

    def _close(self, member: Member) -> None:
        service = IService(member.backend, None)
        if service is not None and service.parent is self:
            closing = maybeDeferred(service.disownServiceParent)
            detach(closing, self.log, f"stopping the user backend {member.name}")

    def _changed(self) -> None:
        self.changed()

    def _decoy_sources(self) -> list[IDecoySource]:
        sources = (IDecoySource(one.backend, None) for one in self._members)
        return [one for one in sources if one is not None]

    async def _ask(
        self, members: Sequence[Member], question: Callable[[Any], Awaitable[T | None]]
    ) -> T | None:
        """Answer the first answer that is not empty; None where all of them are.

        Raises BackendUnavailable where one cannot look and the others have none.
        """
        race: Race[T] = Race(self._clock, self.asked)
        unavailable: dict[str, str] = {}
        waiting = deque(members)
        answer: T | None = None
        for member in members:
            member.users += 1
        try:
            while not answer and (waiting or race.running):
                patience = None
                if waiting:
                    member = waiting.popleft()
                    race.start(member, question)
                    patience = member.breaker.patience if waiting else None
                with waiting_for("backend"):
                    outcomes = await race.outcomes(patience)
                for member, outcome in outcomes:
                    if isinstance(outcome, Failure):
                        why = unavailable[member.name] = self._why_not(member.name, outcome)
                        self._note(member, "" if outcome.check(BrokenAccount) else why)
                    else:
                        self._note(member, "")
                        answer = answer or outcome
        finally:
            race.cancel()
            self._let_go(members)
        if not answer and unavailable:
            reasons = "; ".join(f"{name}: {why}" for name, why in unavailable.items())
            raise BackendUnavailable(reasons)
        for name, why in unavailable.items():
            self.log.warn(BACKEND_SKIPPED, backend=name, why=why)
        return answer

    def _note(self, member: Member, trouble: str) -> None:
        before, member.trouble = member.trouble, trouble
        if bool(before) != bool(trouble):
            self.watcher()

    def _why_not(self, name: str, failure: Failure) -> str:
        """Answer why there is no answer. Raises AccountRefused: that is one, for all of them."""
        if failure.check(AccountRefused):
            failure.raiseException()
        if not failure.check(BackendUnavailable):
            self.log.failure("Error in the user backend {name}", failure=failure, name=name)
            return "it has a defect, the log has its traceback"
        return str(failure.value)


def _error(member: Member) -> dict[str, str] | None:
    if not member.trouble:
        return None
    text = f"{member.name}: {member.trouble}"
    return StepFailure(Step.LOGIN, Reason.LINK_LOST, text).as_json()
