"""One component's stream: tells the table what came, and does what the table says."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.words.xish.domish import Element

from bridgewire import naming, tls
from bridgewire.iq import Requests, ping
from bridgewire.jid import InvalidFormat, parse_jid
from bridgewire.keepalive import Keepalive, measured
from bridgewire.limits import BEFORE_LOGIN, COMPONENT_LINK
from bridgewire.namespaces import COMPONENT, CONTENT, ERRORS, STREAM_ERRORS, STREAMS
from bridgewire.parser import StreamFault
from bridgewire.steps import Reason, Step, StepFailure
from bridgewire.stream import XmlStream
from daemonkit.hosts import HostPort
from daemonkit.networks import plain_address
from xmppd.components.admission import Refusal, Refused
from xmppd.components.callbridge import CallBridgeLink
from xmppd.components.requests import CallBridgeRequests
from xmppd.components.table import ComponentInputs, ComponentMachine
from xmppd.events import (
    COMPONENT_LOST,
    COMPONENT_REFUSED,
    COMPONENT_REGISTERED,
    COMPONENT_REPLACED,
    STRANGER_REFUSED,
)
from xmppd.troubles import Trouble

if TYPE_CHECKING:
    from xmppd.components.connected import Components

_ON_ITS_HOST = "On its host, `callbridgectl check` and the log of callbridged say more."
_SILENT = "A port scan does that, and a health check; a Call Bridge only over a very slow network."


@dataclass(frozen=True)
class Times:
    """How long a component may take, in seconds."""

    registration_timeout: float
    ping_interval: float
    ping_timeout: float


class ComponentStream:
    """One component.

    ``since`` is when it registered, None while it is not. ``name``, ``domain`` and ``host`` (the
    two joined) are empty until its header came; ``proof``, the mark of its secret, until its
    handshake.
    """

    log = Logger()

    def __init__(self, components: Components, address: str) -> None:
        self._all = components
        self._address = address
        self._counted = True
        self._timer: IDelayedCall | None = None
        self._stream_id = secrets.token_hex(16)
        self._checks = False
        self._succeeds = False
        self.proof = b""
        self.name = ""
        self.domain = ""
        self.host = ""
        self.peer = ""
        self.certificate = ""
        self.since: datetime | None = None
        self.machine: ComponentInputs = ComponentMachine(self)
        clock = components.clock
        self.stream = XmlStream(self, COMPONENT, initiating=False, limits=BEFORE_LOGIN, clock=clock)
        self._requests = Requests(clock, self.stream.send)
        self._keepalive = Keepalive(clock, components.times.ping_interval, self.ping, self._silent)
        self.callbridge = CallBridgeLink(self._requests, self._current_callbridge)
        self._callbridge_requests = CallBridgeRequests(
            components, self.callbridge, self.stream.send, self._report
        )

    # StreamOwner: what the peer does

    def connected(self) -> None:
        self._all.open.add(self)
        peer = self.stream.transport.getPeer()
        known = hasattr(peer, "port")
        self.peer = str(HostPort(plain_address(peer.host), peer.port)) if known else str(peer)
        timeout = self._all.times.registration_timeout
        self._timer = self._all.clock.callLater(timeout, self._registration_timed_out)

    def secured(self) -> None:
        certificate = tls.peer_certificate(self.stream.transport)
        self.certificate = naming.describe(certificate) if certificate else ""

    def header(self, root: Element) -> None:
        certificate = tls.peer_certificate(self.stream.transport)
        try:
            name, domain = self._all.admission.check_header(root, certificate)
        except Refused as refused:
            self.machine.refused(refused.refusal)
        else:
            self.machine.greeted(name, domain)

    def element(self, element: Element) -> None:
        if (element.uri, element.name) == (STREAMS, "error"):
            self._refuse("undefined-condition", Reason.PROTOCOL_ERROR, _its_error(element))
        elif self.since is not None:
            self._stanza(element)
        elif (element.uri, element.name) == (COMPONENT, "handshake"):
            self._handshake(element)
        else:
            text = "it sent a stanza before the handshake"
            self._refuse("not-authorized", Reason.PROTOCOL_ERROR, text)

    def footer(self) -> None:
        self.machine.ended()

    def fault(self, fault: StreamFault) -> None:
        limit = fault.condition in ("policy-violation", "resource-constraint")
        reason = Reason.RESOURCE_LIMIT if limit else Reason.PROTOCOL_ERROR
        self._refuse(fault.condition, reason, fault.text)

    def lost(self, reason: Failure) -> None:
        if not self.name:
            failure = tls.failure(reason, tls.XMPPD)
            if failure.reason is not Reason.LINK_LOST:  # that is a mere knock at the port
                self._report(failure)
        self.machine.lost()
        self._stop_timer()
        self._keepalive.stop()
        self._requests.lost()
        self._leave_unauthenticated()
        self._all.open.discard(self)

    def _leave_unauthenticated(self) -> None:
        if self._counted:
            self._counted = False
            self._all.unauthenticated.leave(self._address)

    # Checks before the table hears of it

    def _handshake(self, element: Element) -> None:
        if self.proof:
            self._refuse("not-authorized", Reason.PROTOCOL_ERROR, "it sent a second handshake")
            return
        try:
            self.proof = self._all.admission.check_digest(
                self.domain, self.name, self._stream_id, str(element)
            )
        except Refused as refused:
            self.machine.refused(refused.refusal)
            return
        self._checks = element.getAttribute("check") == "true"
        older = self._all.registered.get(self.host)
        if older is not None:
            token = str(element.getAttribute("successor", ""))
            self._succeeds = older.callbridge.yields_to(token)
        if older is None or self._succeeds:
            self.machine.proved()
        else:
            self.machine.contested()

    def _stanza(self, element: Element) -> None:
        self._keepalive.heard()
        try:
            sender = parse_jid(element.getAttribute("from", "")).host
        except InvalidFormat:
            sender = None
        if element.uri not in CONTENT or element.name not in ("message", "presence", "iq"):
            text = f"it sent {element.name!r:.50}, which is no stanza"
            self._refuse("unsupported-stanza-type", Reason.PROTOCOL_ERROR, text)
        elif sender != self.host:
            text = f"it sent a stanza from {element.getAttribute('from')!r:.100}"
            self._refuse("invalid-from", Reason.PROTOCOL_ERROR, text)
        else:
            self.machine.stanza(element)

    def _registration_timed_out(self) -> None:
        self._timer = None
        text = "it did not register in time"
        self._refuse("connection-timeout", Reason.TIMEOUT, text, _SILENT)

    def _silent(self) -> None:
        self.machine.silent()

    def _refuse(self, condition: str, reason: Reason, text: str, remedy: str = "") -> None:
        step = Step.REGISTER if self.since is None else Step.ACTIVE
        self.machine.refused(Refusal(condition, StepFailure(step, reason, text, remedy)))

    # ComponentActions: what the table does

    def greet(self, name: str, domain: str) -> None:
        self.name = name
        self.domain = self.callbridge.domain = domain
        self.host = self.callbridge.host = f"{name}.{domain}"
        self.stream.send_header(from_=self.host, stream_id=self._stream_id)

    def ask_older(self) -> None:
        self._stop_timer()
        older = self._all.registered[self.host]
        older.ping().addCallbacks(
            lambda _: self.machine.older_alive(), lambda _: self._older_gone(older)
        )

    def _older_gone(self, older: ComponentStream) -> None:
        if self._all.registered.get(self.host, older) is older:
            self.machine.older_dead()
        elif not self.stream.closing:  # somebody else was quicker, and is asked in turn
            self.ask_older()

    def admit(self) -> None:
        self._stop_timer()
        self._leave_unauthenticated()
        older = self._all.registered.get(self.host)
        self._all.registered[self.host] = self
        self._all.troubles.pop(self.host, None)
        self.since = datetime.now(UTC)
        self.stream.set_limits(COMPONENT_LINK)
        self.stream.send(Element((COMPONENT, "handshake")))
        self._keepalive.start()
        self.log.info(
            COMPONENT_REGISTERED,
            step=Step.REGISTERED,
            callbridge=self.host,
            domain=self.domain,
            peer=self.peer,
            certificate=self.certificate or "none",
        )
        self._all.secret_used(self.domain, self.name, self.proof)
        if older is not None and not self._succeeds:
            # Last: others may be waiting for its end, and ask us then.
            older.machine.dismissed("conflict", "a newer link took over; this one did not answer")

    def pass_on(self, element: Element) -> None:
        to_server = element.getAttribute("to") == self.domain
        if not to_server or element.name != "iq":
            self._all.route(element)
        elif element.getAttribute("type") in ("result", "error"):
            self._requests.answer(element)
        elif not self._callbridge_requests.take(element):
            self._all.route(element)

    def withdraw(self, reason: Reason, why: str) -> None:
        self.since = None
        holder = self._all.registered.get(self.host)
        if holder is self:
            self._all.step_back(self.host)
        self._keepalive.stop()
        fields = {
            "step": Step.ACTIVE,
            "callbridge": self.host,
            "domain": self.domain,
            "peer": self.peer,
            "reason": reason,
            "why": why,
        }
        if holder is not self and reason is Reason.LINK_LOST:
            self.log.info(COMPONENT_REPLACED, **fields)
        else:
            remedy = _ON_ITS_HOST if reason in (Reason.LINK_LOST, Reason.TIMEOUT) else ""
            self._remember(StepFailure(Step.ACTIVE, reason, f"The link is down: {why}.", remedy))
            self.log.warn(COMPONENT_LOST, **fields)
        self.callbridge.withdraw()
        self._all.changed(self.domain, self.callbridge)
        self._requests.lost()

    def refuse(self, refusal: Refusal) -> None:
        self._stop_timer()
        self._report(refusal.failure)
        application, failure = None, refusal.failure
        if failure.step is Step.CERTIFICATE or failure.reason is Reason.SECRET_EXPIRED:
            application = Element((ERRORS, str(failure.reason)))
        self.stream.fail(refusal.condition, refusal.failure.text, application)

    def refuse_conflict(self) -> None:
        text = f"{self.host} is registered already, by a link that is alive."
        remedy = "Give each Call Bridge a name of its own."
        self.refuse(Refusal("conflict", StepFailure(Step.REGISTER, Reason.CONFLICT, text, remedy)))

    def dismiss(self, condition: str, text: str) -> None:
        self._stop_timer()
        self.stream.fail(condition, text)

    def cut(self) -> None:
        self.stream.abort()

    # What others ask of it

    def ping(self) -> Deferred[Element]:
        """Ask whether it is alive; fails after ``ping_timeout``."""
        request = ping(self.domain, self.host)
        answer = self._requests.request(request, self._all.times.ping_timeout)
        return measured(self._all.clock, answer, self._all.round_trip)

    @property
    def congested(self) -> bool:
        """True where it reads too slowly to be sent more; logins still go, until the limit."""
        return self.stream.unsent > COMPONENT_LINK.unsent_bytes // 2

    def deliver(self, stanza: Element) -> None:
        """Send a stanza to it."""
        self.stream.send(stanza)

    def _current_callbridge(self) -> CallBridgeLink | None:
        """The link of this Call Bridge that is up now, perhaps a later one."""
        stream = self._all.registered.get(self.host)
        return None if stream is None else stream.callbridge

    def _remember(self, failure: StepFailure) -> None:
        """Let the status show it, unless it is a check that goes away as it should."""
        if not self._checks:
            self._all.failed(self.host, Trouble.now(failure, self.peer))

    def _report(self, failure: StepFailure) -> None:
        self._remember(failure)
        self.log.warn(
            COMPONENT_REFUSED if self.host else STRANGER_REFUSED,
            callbridge=self.host,
            peer=self.peer,
            address=self._address,
            **failure.log_fields(),
        )

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _its_error(element: Element) -> str:
    conditions = [one.name[:50] for one in element.elements() if one.uri == STREAM_ERRORS]
    return f"it ended the stream with the error {', '.join(conditions[:2]) or 'without a name'}"
