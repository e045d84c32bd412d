"""The components that are connected: who may register, and what they send and get."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.words.xish.domish import Element

from bridgewire import certificates, tls
from bridgewire.handshake import component_digest, digests_match
from bridgewire.iq import Requests, ping
from bridgewire.jid import InvalidFormat, parse_jid
from bridgewire.keepalive import Keepalive
from bridgewire.login import LoginReply, LoginRequest, Serve, WireFault
from bridgewire.namespaces import COMPONENT, ERRORS, LOGIN
from bridgewire.parser import BEFORE_LOGIN, COMPONENT_LINK, StreamFault
from bridgewire.steps import Reason, Step, StepFailure
from bridgewire.stream import XmlStream
from daemonkit.quiet import Quiet
from xmppd.component import ComponentInputs, ComponentMachine, Refusal

#: Streams that have not registered yet, over all peers.
MAX_UNREGISTERED = 256


@dataclass(frozen=True)
class ComponentSettings:
    """Times in seconds; ``secret`` answers the secret of a name, or None for an unknown one."""

    domain: str
    registration_timeout: float
    ping_interval: float
    ping_timeout: float
    secret: Callable[[str], str | None]


class Components:
    """All component streams. ``registered`` maps a name without its domain part to its stream."""

    def __init__(
        self,
        clock: IReactorTime,
        settings: ComponentSettings,
        route: Callable[[Element], None],
        changed: Callable[[ComponentStream], None],
    ) -> None:
        """``route`` takes stanzas; ``changed`` hears when a stream registers, offers or goes."""
        self.clock = clock
        self.settings = settings
        self.route = route
        self.changed = changed
        self.registered: dict[str, ComponentStream] = {}
        self.open: set[ComponentStream] = set()
        self.quiet = Quiet(clock)

    def accept(self) -> XmlStream | None:
        """Answer the protocol for a new connection, or None when too many wait to register."""
        if len(self.open) - len(self.registered) >= MAX_UNREGISTERED:
            return None
        return ComponentStream(self).stream

    def dismiss(self, name: str, text: str) -> bool:
        """Close the link that holds ``name``; True if there was one."""
        held = self.registered.get(name)
        if held is not None:
            held.machine.dismissed("not-authorized", text)
        return held is not None

    def close(self) -> None:
        """Close all streams: the server stops."""
        for stream in list(self.open):
            stream.machine.dismissed("system-shutdown", "xmppd is shutting down")


class ComponentStream:
    """One component's stream: tells the table what came, and does what the table says."""

    log = Logger()

    def __init__(self, components: Components) -> None:
        self._all = components
        self._settings = components.settings
        self._timer: IDelayedCall | None = None
        self._stream_id = secrets.token_hex(16)
        self.name = ""
        self.host = ""
        self.peer = ""
        self.certificate = ""
        self.since: datetime | None = None
        self.offer: Serve | None = None
        self.outstanding = 0
        self.machine: ComponentInputs = ComponentMachine(self)
        self.stream = XmlStream(
            self, COMPONENT, initiating=False, limits=BEFORE_LOGIN, clock=components.clock
        )
        self._requests = Requests(components.clock, self.stream.send)
        self._keepalive = Keepalive(
            components.clock, self._settings.ping_interval, self.ping, self._silent
        )

    # StreamOwner: what the peer does

    def connected(self) -> None:
        self._all.open.add(self)
        peer = self.stream.transport.getPeer()
        self.peer = f"{peer.host}:{peer.port}" if hasattr(peer, "port") else str(peer)
        self._timer = self._all.clock.callLater(
            self._settings.registration_timeout, self._registration_timed_out
        )

    def secured(self) -> None:
        certificate = tls.peer_certificate(self.stream.transport)
        self.certificate = certificates.describe(certificate) if certificate else ""

    def header(self, root: Element) -> None:
        try:
            name = self._check_header(root)
        except _Refused as refused:
            self.machine.refused(refused.refusal)
        else:
            self.machine.greeted(name)

    def element(self, element: Element) -> None:
        if self.since is not None:
            self._keepalive.heard()
            if self._from_own_domain(element):
                self.machine.stanza(element)
            else:
                self._refuse(
                    "invalid-from",
                    Reason.PROTOCOL_ERROR,
                    f"it sent a stanza from {element.getAttribute('from')!r:.100}",
                    step=Step.ACTIVE,
                )
        elif (element.uri, element.name) == (COMPONENT, "handshake") and self.name:
            self._check_digest(str(element))
        else:
            self._refuse(
                "not-authorized", Reason.PROTOCOL_ERROR, "it sent a stanza before the handshake"
            )

    def footer(self) -> None:
        self.machine.ended()

    def fault(self, fault: StreamFault) -> None:
        over = fault.condition == "policy-violation"
        reason = Reason.RESOURCE_LIMIT if over else Reason.PROTOCOL_ERROR
        step = Step.ACTIVE if self.since else Step.REGISTER
        self._refuse(fault.condition, reason, fault.text, step=step)

    def lost(self, reason: Failure) -> None:
        if not self.name:
            failure = tls.failure(reason, tls.XMPPD)
            if failure.reason is not Reason.LINK_LOST:  # a mere knock at the port
                self._report(failure)
        self.machine.lost()
        self._stop_timer()
        self._keepalive.stop()
        self._requests.lost()
        self._all.open.discard(self)

    # Checks before the table hears of it

    def _check_header(self, root: Element) -> str:
        settings = self._settings
        if root.defaultUri != COMPONENT:
            raise _Refused("invalid-namespace", Reason.PROTOCOL_ERROR, "it is no component stream")
        to = root.getAttribute("to")
        if not to:
            raise _Refused("improper-addressing", Reason.PROTOCOL_ERROR, "it named no component")
        name, _, domain = str(to).lower().partition(".")
        if domain != settings.domain or settings.secret(name) is None:
            raise _Refused(
                "host-unknown",
                Reason.HOST_UNKNOWN,
                f"no Call Bridge or component {to!r:.200} is known here",
                f"Run `xmppctl callbridge add {name:.63}` if it ought to be.",
            )
        certificate = tls.peer_certificate(self.stream.transport)
        if certificate is not None:
            try:
                certificates.check_callbridge_name(certificate, f"{name}.{domain}")
            except StepFailure as failure:
                raise _Refused("not-authorized", failure=failure) from None
        return name

    def _check_digest(self, offered: str) -> None:
        secret = self._settings.secret(self.name)
        expected = component_digest(self._stream_id, secret or secrets.token_hex())
        if secret is None or not digests_match(offered, expected):
            self._refuse(
                "not-authorized",
                Reason.AUTHENTICATION_FAILURE,
                f"wrong secret for {self.host}",
                "Compare its secret_file with `xmppctl callbridge list --show-secrets`.",
            )
        elif self.name in self._all.registered:
            self.machine.contested()
        else:
            self.machine.proved()

    def _from_own_domain(self, element: Element) -> bool:
        try:
            return bool(parse_jid(element.getAttribute("from", "")).host == self.host)
        except InvalidFormat:
            return False

    def _registration_timed_out(self) -> None:
        self._timer = None
        self._refuse("connection-timeout", Reason.TIMEOUT, "it did not register in time")

    def _silent(self) -> None:
        self.machine.silent()

    def _refuse(
        self,
        condition: str,
        reason: Reason,
        text: str,
        remedy: str = "",
        step: Step = Step.REGISTER,
    ) -> None:
        self.machine.refused(Refusal(condition, StepFailure(step, reason, text, remedy)))

    # ComponentActions: what the table does

    def greet(self, name: str) -> None:
        self.name = name
        self.host = f"{name}.{self._settings.domain}"
        self.stream.send_header(from_=self.host, stream_id=self._stream_id)

    def ask_older(self) -> None:
        self._stop_timer()
        older = self._all.registered.get(self.name)
        if older is None:
            self.machine.older_dead()
        else:
            older.ping().addCallbacks(self._older_answered, lambda _: self.machine.older_dead())

    def _older_answered(self, _: Element) -> None:
        self.machine.older_alive()

    def admit(self) -> None:
        self._stop_timer()
        older = self._all.registered.get(self.name)
        if older is not None:
            older.machine.dismissed("conflict", "a newer link took over; this one did not answer")
        self.since = datetime.now(UTC)
        self.stream.set_limits(COMPONENT_LINK)
        self.stream.send(Element((COMPONENT, "handshake")))
        self._all.registered[self.name] = self
        self._keepalive.start()
        self.log.info(
            "{step}: {host} from {peer}, certificate: {certificate}",
            step=Step.REGISTERED,
            host=self.host,
            peer=self.peer,
            certificate=self.certificate or "none",
        )
        self._all.changed(self)

    def pass_on(self, element: Element) -> None:
        if element.getAttribute("to") != self._settings.domain or element.name != "iq":
            self._all.route(element)
        elif element.getAttribute("type") in ("result", "error"):
            self._requests.answer(element)
        elif element.getAttribute("type") == "set" and _is_offer(element.firstChildElement()):
            self._take_offer(element)
        else:
            self._all.route(element)

    def withdraw(self, why: str) -> None:
        self.since = None
        if self._all.registered.get(self.name) is self:
            del self._all.registered[self.name]
        self._keepalive.stop()
        self.offer = None
        self.log.warn(
            "{step}: link of {host} from {peer} is down: {why}",
            step=Step.ACTIVE,
            host=self.host,
            peer=self.peer,
            why=why,
        )
        self._all.changed(self)
        self._requests.lost()

    def refuse(self, refusal: Refusal) -> None:
        self._stop_timer()
        self._report(refusal.failure)
        marker = None
        if refusal.failure.reason is Reason.CERTIFICATE_NAME_MISMATCH:
            marker = Element((ERRORS, str(refusal.failure.reason)))
        self.stream.fail(refusal.condition, refusal.failure.text, marker)

    def refuse_conflict(self) -> None:
        text = f"{self.host} is registered already, by a link that is alive"
        remedy = "Give each Call Bridge a name of its own."
        self.refuse(Refusal("conflict", StepFailure(Step.REGISTER, Reason.CONFLICT, text, remedy)))

    def dismiss(self, condition: str, text: str) -> None:
        self._stop_timer()
        self.stream.fail(condition, text)

    def cut(self) -> None:
        self.stream.abort()

    # What others ask of a registered link

    @property
    def state(self) -> str:
        """``registered``, or ``draining`` where it takes no new logins."""
        return "draining" if self.offer is not None and self.offer.capacity == 0 else "registered"

    @property
    def mechanisms(self) -> frozenset[str]:
        """The SASL mechanisms that it offers to answer; none for an ordinary component."""
        return frozenset(self.offer.mechanisms) if self.offer else frozenset()

    @property
    def capacity(self) -> int:
        """How many logins it takes at once."""
        return self.offer.capacity if self.offer else 0

    def ping(self) -> Deferred[Element]:
        """Ask whether it is alive; fails after ``ping_timeout``."""
        return self._requests.request(
            ping(self._settings.domain, self.host), self._settings.ping_timeout
        )

    def deliver(self, stanza: Element) -> None:
        """Send a stanza to it."""
        self.stream.send(stanza)

    def ask(self, request: LoginRequest, timeout: float) -> Deferred[LoginReply]:
        """Relay one SASL message; fails with RequestError or WireFault."""
        iq = Element((None, "iq"))
        iq["type"] = "set"
        iq["from"] = self._settings.domain
        iq["to"] = self.host
        iq.addChild(request.to_element())

        def read(result: Element) -> LoginReply:
            reply = LoginReply.from_element(result.firstChildElement())
            if reply.session != request.session:
                raise WireFault("the answer is for another session")
            return reply

        answer: Deferred[Any] = self._requests.request(iq, timeout)
        return answer.addCallback(read)

    def _take_offer(self, iq: Element) -> None:
        answer = Element((None, "iq"))
        answer["id"] = iq.getAttribute("id", "")
        answer["from"], answer["to"] = self._settings.domain, iq["from"]
        try:
            self.offer = Serve.from_element(iq.firstChildElement())
        except WireFault as fault:
            self._report(StepFailure(Step.LOGIN, Reason.PROTOCOL_ERROR, f"bad offer: {fault}"))
            answer["type"] = "error"
            problem = answer.addElement((None, "error"))
            problem["type"] = "modify"
            problem.addElement(("urn:ietf:params:xml:ns:xmpp-stanzas", "bad-request"))
        else:
            answer["type"] = "result"
            self.log.info(
                "{step}: {host} answers logins by {mechanisms}, {capacity} at once",
                step=Step.LOGIN,
                host=self.host,
                mechanisms=", ".join(self.offer.mechanisms),
                capacity=self.offer.capacity,
            )
            self._all.changed(self)
        self.stream.send(answer)

    def _report(self, failure: StepFailure) -> None:
        who = self.host or "component link"
        key = (who, self.peer.rpartition(":")[0], failure.step, failure.reason)
        held_back = self._all.quiet.admit(key)
        if held_back is not None:
            self.log.warn(
                "{who} from {peer}: {failure}{more}",
                who=who,
                peer=self.peer,
                failure=str(failure),
                more=f" (and {held_back} more like this)" if held_back else "",
            )

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _is_offer(payload: Element | None) -> bool:
    return payload is not None and payload.uri == LOGIN


class _Refused(Exception):
    """A check that failed, on its way to the table."""

    def __init__(
        self,
        condition: str,
        reason: Reason = Reason.POLICY,
        text: str = "",
        remedy: str = "",
        failure: StepFailure | None = None,
    ) -> None:
        self.refusal = Refusal(
            condition, failure or StepFailure(Step.REGISTER, reason, text, remedy)
        )
