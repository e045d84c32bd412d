"""One XMPP server, checked: steps 5 to 11, once, by the code that the daemon's links use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.words.xish.domish import Element

from bridgewire import naming, tls
from bridgewire.steps import Reason, Step, StepFailure
from callbridged.check.report import Outcome, Walk
from callbridged.check.running import Running
from callbridged.check.trace import Trace
from callbridged.links.clocks import ask_skew, describe_skew
from callbridged.links.connect import connect
from callbridged.links.discovery import Target
from callbridged.links.dns import is_literal
from callbridged.links.link_interface import ActiveLink, AddressLookup, LinkSettings
from callbridged.links.refusals import (
    LOST_REGISTERED,
    LOST_REGISTERING,
    LOST_SECURING,
    SLOW_REGISTERING,
    SLOW_SECURING,
)
from callbridged.links.registration import Registration
from daemonkit.tasks import cancel

#: Seconds that a server may take to hang up, once there is nothing more to learn from it.
FAREWELL = 1.0


class Probe:
    """Dials once, registers, and leaves: the inputs of a link, without the link.

    Where a Call Bridge of this name has a link already the server refuses a second one (conflict),
    but only after it has seen that the secret is right. So a link that is up is not disturbed.
    ``running`` says whether that link is this host's.
    """

    def __init__(
        self,
        reactor: Any,
        resolver: AddressLookup,
        settings: LinkSettings,
        target: Target,
        trace: Trace,
        running: Running,
        answered: Mapping[str, str],
    ) -> None:
        """``answered``: name -> which name server has answered it."""
        self.addresses: Sequence[str] = ()
        self._reactor = reactor
        self._resolver = resolver
        self._settings = settings
        self._target = target
        self._trace = trace
        self._running = running
        self._answered = answered
        self._outcomes: list[Outcome] = []
        self._warnings: list[str] = []
        self._over: Deferred[None] = Deferred()
        self._gone: Deferred[None] = Deferred()
        self._registration = Registration(
            reactor, settings, target, self, _Nobody(), self._reached, check=True
        )
        self._state = Step.TLS
        self._ended = 0.0

    async def walk(self) -> Walk:
        """Answer what was found at each step. Never raises for what goes wrong on the way."""
        began = self._reactor.seconds()
        try:
            self.addresses = await self._resolver.addresses(self._target.host)
            self._note(Step.ADDRESS, self._found(), began)
            began = self._reactor.seconds()
            await self._register()
        except StepFailure as failure:
            if self._outcomes and self._outcomes[-1].step is failure.step:
                self._outcomes.pop()  # it was begun, and that was all
            ended = self._ended or self._reactor.seconds()
            self._outcomes.append(Outcome.failed(failure, ended - began))
        return Walk(str(self._target), self._outcomes, self._warnings)

    async def _register(self) -> None:
        stream = self._registration.stream
        self._trace.follow(str(self._target), stream)
        factory = TLSMemoryBIOFactory(
            self._settings.tls,
            True,
            Factory.forProtocol(lambda: stream),
            clock=self._reactor,
        )
        timeout = self._settings.connect_timeout
        await connect(self._reactor, self.addresses, self._target.port, factory, timeout)
        overdue = self._reactor.callLater(timeout, self.overdue)
        try:
            await self._over
        finally:
            cancel(overdue)
            stream.finish()
            farewell = self._reactor.callLater(FAREWELL, stream.abort)
            await self._gone
            cancel(farewell)
            self._registration.withdraw()  # or it would be watched as if it were a link

    def _reached(self, step: Step, text: str, seconds: float) -> None:
        transport = self._registration.stream.transport
        certificate = tls.peer_certificate(transport)
        if step is Step.TLS:
            asked = bool(transport.getHandle().get_client_ca_list())
            text += ", it asks for our certificate" if asked else ", it asks for no certificate"
        elif step is Step.CERTIFICATE and certificate is not None:
            text += (
                f", issued by {naming.subject(certificate.issuer)}, {self._validity(certificate)}"
            )
        self._outcomes.append(Outcome(step, text, seconds))
        if step is Step.ACTIVE:
            self._end(None)

    def _validity(self, certificate: x509.Certificate) -> str:
        end = certificate.not_valid_after_utc
        days = naming.days_left(certificate, datetime.now(UTC))
        if days < naming.EXPIRES_SOON:
            self._warnings.append(
                f"The certificate of {self._target} expires in {days} days, on {end:%Y-%m-%d}. "
                "Renew it on that server, in time."
            )
        return f"until {end:%Y-%m-%d} ({days} days)"

    def _found(self) -> str:
        host = self._target.host
        if is_literal(host):
            return f"{host} is an address itself"
        who = self._answered.get(host, "this system's resolver")
        return f"{', '.join(self.addresses)}, says {who}"

    def _note(self, step: Step, text: str, began: float) -> None:
        self._outcomes.append(Outcome(step, text, self._reactor.seconds() - began))

    def _end(self, failure: StepFailure | None) -> None:
        if self._over.called:
            return
        self._ended = self._reactor.seconds()
        if failure is None:
            self._over.callback(None)
        else:
            self._over.errback(failure)

    # What happens to the connection (`callbridged.links.link_interface.LinkInputs`)

    def connected(self) -> None:
        """TCP is up; TLS has begun."""

    def secured(self) -> None:
        self._state = Step.REGISTER
        self._registration.open()

    def accepted(self) -> None:
        self._state = Step.ACTIVE
        asked = Deferred.fromCoroutine(self._compare_clocks())
        asked.addBoth(lambda _: self._registration.activate())

    async def _compare_clocks(self) -> None:
        self._warn_of_clock(await ask_skew(self._registration, self._settings.ping_timeout))

    def _warn_of_clock(self, skew: float | None) -> None:
        warning = describe_skew(str(self._target), skew)
        if warning:
            self._warnings.append(warning)

    def failed(self, failure: StepFailure) -> None:
        target = str(self._target)
        if failure.reason is Reason.CONFLICT and self._running.may_hold(target):
            text = "the secret is right; a link of this name is up there, and was left alone"
            self._outcomes.append(Outcome(Step.REGISTERED, text))
            self._warn_of_clock(self._running.clock_skew(target))
            self._end(None)
        else:
            self._end(failure)

    def closed(self) -> None:
        self.lost(None)

    def lost(self, why: StepFailure | None) -> None:
        lost = {Step.TLS: LOST_SECURING, Step.REGISTER: LOST_REGISTERING}
        self._end(why or lost.get(self._state, LOST_REGISTERED))
        if not self._gone.called:
            self._gone.callback(None)

    def overdue(self) -> None:
        """It took too long."""
        self._end(SLOW_SECURING if self._state is Step.TLS else SLOW_REGISTERING)

    def start(self) -> None: ...
    def postpone(self) -> None: ...
    def resolved(self, addresses: Sequence[str]) -> None: ...
    def retry(self) -> None: ...
    def stop(self) -> None: ...
    def drained(self) -> None: ...


class _Nobody:
    """Takes no logins (`callbridged.links.link_interface.LinkDelegate`)."""

    def link_registered(self, link: ActiveLink) -> Deferred[None]:
        return succeed(None)

    link_announces = link_draining = link_registered

    def link_received(self, link: ActiveLink, element: Element) -> None: ...
    def link_answered(self, link: ActiveLink, seconds: float) -> None: ...
    def link_failed(self, target: Target | None, failure: StepFailure) -> None: ...
    def link_lost(self, link: ActiveLink) -> None: ...
