"""Does what one link's table says: looks up, dials, waits, and keeps what status shows."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from cryptography import x509
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.defer import TimeoutError as GaveUp
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from bridgewire.naming import describe
from bridgewire.steps import Reason, Step, StepFailure
from callbridged.links.connect import connect
from callbridged.links.discovery import Target
from callbridged.links.dns import is_literal
from callbridged.links.link import LinkMachine
from callbridged.links.link_interface import LinkInputs, LinkOwner, LinkSettings, State
from callbridged.links.progress import Progress
from callbridged.links.registration import Registration
from callbridged.links.retry import Memory
from daemonkit.tasks import cancel
from daemonkit.units import format_duration

T = TypeVar("T")

#: Seconds that logins under way get when a link is closed on purpose.
DRAIN_TIMEOUT = 10.0


class Link:
    """One link to one target: what its table does to the world (`LinkActions`)."""

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        owner: LinkOwner,
        target: Target,
        memory: Memory,
        token: str = "",
    ) -> None:
        """``reactor`` provides IReactorTCP and IReactorTime.

        ``token``: shown to the server, to take the place of another link; empty: there is none.
        """
        self.target = target
        self.memory = memory
        self.state = State.WAITING
        self.since = datetime.now(UTC)
        self.stopping = False
        #: It is registered, and the server knows what for.
        self.ready = False
        self.progress = Progress()
        self._accepted: str | None = None
        self._token = token
        self._successor = ""
        self._reactor = reactor
        self._owner = owner
        self._registration: Registration | None = None
        self._under_way: Deferred[None] | None = None
        self._draining: Deferred[None] | None = None
        self._clock_call: IDelayedCall | None = None
        self._retry_call: IDelayedCall | None = None
        self._first_try = True
        self.machine: LinkInputs = LinkMachine(self)

    # What its owner calls

    def start(self) -> None:
        """Begin, unless the target has just failed: then when its time is over."""
        if self.memory.backoff.remaining() > 0:
            self.machine.postpone()
        else:
            self.machine.start()

    def begin(self) -> None:
        """Begin, if it is still wanted by now."""
        if not self.stopping:
            self.start()

    def announce(self, successor: str) -> Deferred[None]:
        """Let the server know what a link will show that is to take the place of this one.

        Fires when it does; at once where this one is not registered. Does not fail.
        """
        self._successor = successor
        return self._connection.announce(successor) if self.registered else succeed(None)

    def stop(self) -> None:
        """End it, with time for the logins under way; the owner is told when it has finished."""
        self.stopping = True
        self.machine.stop()

    def hurry(self) -> None:
        """If it waits for its next attempt, make that now: what was wrong may have been mended."""
        if self._retry_call is not None and self._retry_call.active():
            self._retry_call.reset(0)

    @property
    def registered(self) -> bool:
        """True while it can be used, draining included."""
        return self.state is State.REGISTERED

    @property
    def address(self) -> str | None:
        """Where it led to when it was connected last."""
        return self._registration.address if self._registration else None

    @property
    def clock_skew(self) -> float | None:
        """By how many seconds the server's clock is ahead; None where nobody knows."""
        up = self._registration if self.registered else None
        return None if up is None else up.clocks.skew

    @property
    def failure(self) -> StepFailure | None:
        """Why it did not work the last time; None while it works or has not failed yet."""
        return self.memory.journal.last

    @property
    def outdated(self) -> bool:
        """True where the secret that the server has accepted is not the one of the settings."""
        return self._accepted is not None and self._accepted != self._owner.settings.secret

    @property
    def _settings(self) -> LinkSettings:
        """Those of today, with the secret that the server has accepted.

        For another one there is a successor: so a wrong one does no harm to what works.
        """
        settings = self._owner.settings
        return settings if self._accepted is None else replace(settings, secret=self._accepted)

    def status(self) -> dict[str, object]:
        """One entry of ``links`` in ``callbridgectl status --json``."""
        connected = self.state in (State.SECURING, State.REGISTERING, State.REGISTERED)
        registration = self._registration if connected else None
        last = self.failure
        return {
            "target": str(self.target),
            "address": registration.address if registration else None,
            "state": str(self.state),
            "since": self.since.isoformat(timespec="seconds"),
            "tls": registration.tls if registration else None,
            "last_error": last.as_json() if last else None,
            "certificate": _shown(registration.certificate if registration else None),
            "clock_skew": None if self.clock_skew is None else round(self.clock_skew),
            "secret_in_use": ("former" if self.outdated else "current")
            if self.registered
            else None,
            "ready": self.ready,
            "steps": self.progress.as_json(),
        }

    # LinkActions: what the table does

    def show(self, state: State) -> None:
        self.state = state
        self.since = datetime.now(UTC)
        self._owner.changed()

    def resolve(self) -> None:
        self.progress.begin()
        self._run(Step.ADDRESS, self._look_up(), self.machine.resolved)

    async def _look_up(self) -> Sequence[str]:
        if not self._first_try:
            await self._owner.rediscover()
        started = self._reactor.seconds()
        host = self.target.host
        addresses = await self._owner.resolver.addresses(host)
        if is_literal(host):
            self._reached(Step.ADDRESS, f"{host} is an address itself")
        else:
            seconds = self._reactor.seconds() - started
            self._reached(Step.ADDRESS, f"{host} has {', '.join(addresses)}", seconds)
        return addresses

    def dial(self, addresses: Sequence[str]) -> None:
        self._run(Step.CONNECT, self._connect(addresses), lambda _: None)

    async def _connect(self, addresses: Sequence[str]) -> None:
        settings = self._settings
        self._registration = registration = Registration(
            self._reactor,
            settings,
            self.target,
            self.machine,
            self._owner.delegate,
            self._reached,
            self._token or self._owner.token,
        )
        factory = TLSMemoryBIOFactory(
            settings.tls,
            True,
            Factory.forProtocol(lambda: registration.stream),
            clock=self._reactor,
        )
        await connect(self._reactor, addresses, self.target.port, factory, settings.connect_timeout)

    def abandon(self) -> None:
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.cancel()

    def start_clock(self) -> None:
        self._clock_call = self._reactor.callLater(
            self._owner.settings.connect_timeout, self.machine.overdue
        )

    def stop_clock(self) -> None:
        cancel(self._clock_call)

    def register(self) -> None:
        self._connection.open()

    def activate(self) -> None:
        self.memory.backoff.registered()
        self.memory.journal.recovered()
        self._accepted = self._connection.settings.secret
        self._connection.successor = self._successor
        self._connection.activate().addCallback(self._is_ready, self._connection)

    def _is_ready(self, _: object, registration: Registration) -> None:
        if self.registered and registration is self._registration:
            self.ready = True
            self._token = ""  # it has taken the place
            self._owner.changed()

    def withdraw(self) -> None:
        self.ready = False
        draining, self._draining = self._draining, None
        if draining is not None:
            draining.cancel()
        self._connection.withdraw()

    def drain(self) -> None:
        draining = self._draining = self._connection.drain()
        draining.addTimeout(DRAIN_TIMEOUT, self._reactor)
        draining.addBoth(self._drained)

    def _drained(self, result: object) -> None:
        if isinstance(result, Failure) and not result.check(GaveUp, CancelledError):
            self.log.failure("Error in whoever uses the links", result)
        if self._draining is not None:
            self.machine.drained()

    def hang_up(self) -> None:
        self._connection.stream.finish()

    def cut(self) -> None:
        self._connection.stream.abort()

    def note(self, failure: StepFailure) -> None:
        another = False
        if failure.reason is Reason.AUTHENTICATION_FAILURE and failure.step is Step.REGISTER:
            another, self._accepted = self.outdated, None
        self.memory.journal.failed(failure)
        self._owner.delegate.link_failed(self.target, failure)
        if not another:  # a secret that was refused says nothing about the one of the settings
            self.memory.backoff.failed(failure)
        self.show(State.WAITING)

    def wait(self) -> None:
        self._first_try = False
        self._retry_call = self._reactor.callLater(
            self.memory.backoff.remaining(), self.machine.retry
        )

    def stop_waiting(self) -> None:
        cancel(self._retry_call)

    def finish(self) -> None:
        self._owner.finished(self)

    # Helpers

    @property
    def _connection(self) -> Registration:
        assert self._registration is not None  # noqa: S101  the table has dialled
        return self._registration

    def _reached(self, step: Step, text: str, seconds: float | None = None) -> None:
        self.progress.passed(step, text, seconds)
        if seconds is not None:
            text += f" ({format_duration(seconds)})"
        self.memory.journal.step(step, text)
        self._owner.reached(step, str(self.target), text)

    def _run(
        self, step: Step, work: Coroutine[Deferred[Any], Any, T], then: Callable[[T], None]
    ) -> None:
        """Do what takes time; its failure is an input, and what was abandoned is silent."""

        def done(result: T) -> None:
            if self._under_way is running:  # what is cancelled may still come to its end
                then(result)

        def failed(failure: Failure) -> None:
            if self._under_way is not running or failure.check(CancelledError):
                return
            if not isinstance(failure.value, StepFailure):
                self.log.failure("Error in step {step}", failure, step=step)
                why = StepFailure(step, Reason.PROTOCOL_ERROR, "An internal error.", "See the log.")
                self.machine.failed(why)
            else:
                self.machine.failed(failure.value)

        running: Deferred[Any] = Deferred.fromCoroutine(work)
        self._under_way = running
        running.addCallbacks(done, failed)


def _shown(certificate: x509.Certificate | None) -> dict[str, str] | None:
    """What status says of the certificate that the server has shown."""
    if certificate is None:
        return None
    return {
        "text": describe(certificate),
        "not_before": certificate.not_valid_before_utc.isoformat(),
        "not_after": certificate.not_valid_after_utc.isoformat(),
    }
