"""One client's stream: tells the table what came, and does what the table says."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.words.xish.domish import Element

from bridgewire import tls
from bridgewire.jid import JID, InvalidFormat, parse_host, parse_jid
from bridgewire.limits import AFTER_LOGIN, BEFORE_LOGIN
from bridgewire.login import LoginReply
from bridgewire.namespaces import CLIENT, CSI, MANAGEMENT, SASL, SASL2, TLS
from bridgewire.parser import StreamFault
from bridgewire.steps import StepFailure
from daemonkit.feed import Feed
from daemonkit.logging.event import Event
from daemonkit.login_record import LoginRecord
from xmppd.clients import binding
from xmppd.clients.authentication import Authentication
from xmppd.clients.features import Fact, Offer, make_offer, stream_features, with_fact
from xmppd.clients.management import failed
from xmppd.clients.session import ClientSession, Origin
from xmppd.clients.stream_interface import Stream
from xmppd.clients.table import ClientInputs, ClientMachine
from xmppd.events import CLIENT_STREAM_ENDED, CLIENT_TLS_FAILED
from xmppd.failed_logins import FailedLogins

if TYPE_CHECKING:
    from xmppd.clients.connected import Clients


class ClientStream:
    """One client."""

    log = Logger()
    #: Set by `Clients.begin`, as soon as there is one.
    stream: Stream

    def __init__(self, clients: Clients, host: str, time: float) -> None:
        """``time``: to log in, in seconds."""
        self._all = clients
        self._time = time
        self.peer = host
        self._counted = True
        self._facts: frozenset[Fact] = frozenset()
        self._timer: IDelayedCall | None = None
        self._session: ClientSession | None = None
        self._transport = ""
        self.domain = next(iter(clients.domains.values()))
        self.jid = parse_jid(self.domain.name)
        #: The address in the 'from' of the stream's header.
        self.claimed: JID | None = None
        self.offer_made = Offer()
        self.bindings: dict[str, bytes] = {}
        self.certificate: bytes | None = None
        self.authentication = Authentication(self)
        self.machine: ClientInputs = ClientMachine(self)

    @property
    def failed_logins(self) -> FailedLogins:
        """Who has to wait before they may log in."""
        return self._all.failed_logins

    @property
    def login_records(self) -> Feed[LoginRecord]:
        """What operators see of logins that have ended."""
        return self._all.login_records

    @property
    def origin(self) -> Origin:
        """Where the client is, and how it is connected."""
        return Origin(self.peer, self._transport, tls.version(self.stream.transport))

    # StreamOwner: what the client does

    def connected(self) -> None:
        self._all.open.add(self)
        # What the port is for: without TLS from the first byte it comes by STARTTLS.
        in_tls = tls.version(self.stream.transport) is not None
        self._transport = self.stream.transport_name
        if self._transport == "TLS" and not in_tls:
            self._transport = "STARTTLS"
        self._all.by_transport[self._transport] += 1
        self._timer = self._all.clock.callLater(self._time, self._login_timed_out)

    def secured(self) -> None:
        self._facts = with_fact(self._facts, Fact.SECURED)
        if self.stream.end_to_end_tls:
            self.bindings = tls.channel_bindings(self.stream.transport)
        self.machine.secured()

    def header(self, root: Element) -> None:
        to = root.getAttribute("to")
        domain = self._all.domains.get(parse_host(to)) if to else None
        claimed = _claimed(root.getAttribute("from"))
        if root.defaultUri != CLIENT:
            self.machine.refused("invalid-namespace", "the default namespace is jabber:client")
        elif not to:
            self.machine.refused("improper-addressing", "say which domain in 'to'")
        elif domain is None or (self._authenticated and domain is not self.domain):
            self.machine.refused("host-unknown", f"{to!r:.200} is not served here")
        elif not str(root.getAttribute("version", "")).startswith("1."):
            self.machine.refused("unsupported-version", "version 1.0 is spoken here")
        elif claimed is not None and claimed.host != domain.name:
            self.machine.refused("invalid-from", "'from' is an address of another domain")
        else:
            self.domain = domain
            self.claimed = claimed
            self.certificate = self._client_certificate()
            self.machine.greeted()

    def _client_certificate(self) -> bytes | None:
        """The client's certificate in DER, if the stream's domain is the one that verified it."""
        if not self.stream.end_to_end_tls:
            return None
        certificate = self.domain.client_certificate(self.stream.transport)
        return None if certificate is None else certificate.public_bytes(serialization.Encoding.DER)

    def element(self, element: Element) -> None:
        uri, name = element.uri, element.name
        if self._session is not None and uri == CLIENT:
            self.machine.stanza(element)
        elif uri in (MANAGEMENT, CSI):
            self.machine.manage(element)
        elif (uri, name) == (TLS, "starttls"):
            self.machine.starttls()
        elif self.authentication.begins(element):
            self.machine.auth(element)
        elif uri == self.authentication.profile.namespace and name == "response":
            self.machine.response(element)
        elif uri in (SASL, SASL2) and name == "abort":
            self.machine.abort(element)
        elif binding.is_request(element):
            self.machine.bind(element)
        else:
            self.machine.stanza(element)

    def footer(self) -> None:
        self.machine.ended()

    def fault(self, fault: StreamFault) -> None:
        unread = fault.condition == "resource-constraint"
        if unread and self._session is not None and self._session.resumable:
            self.stream.abort()  # more likely the network does not get it there: the session waits
            return
        self.machine.refused(fault.condition, fault.text, fault.application)

    def lost(self, reason: Failure) -> None:
        if reason.check(SSL.Error) and not self._authenticated:
            self.report(CLIENT_TLS_FAILED, tls.failure(reason, tls.CLIENT_PORT))
        self.machine.lost()
        self._stop_timer()
        self._leave_unauthenticated()
        self._all.open.discard(self)
        self._all.by_transport[self._transport] -= 1
        self._all.connections.leave(self.peer)

    def _leave_unauthenticated(self) -> None:
        if self._counted:
            self._counted = False
            self._all.unauthenticated.leave(self.peer)

    @property
    def _authenticated(self) -> bool:
        return Fact.AUTHENTICATED in self._facts

    def _login_timed_out(self) -> None:
        self._timer = None
        self.machine.refused("connection-timeout", "no login in time")

    # ClientActions: what the table does

    def offer(self) -> None:
        self.stream.send_header(
            from_=self.domain.name, stream_id=secrets.token_hex(8), version="1.0"
        )
        served = self.domain.logins.mechanisms
        self.offer_made = make_offer(served, frozenset(self.bindings), self.certificate is not None)
        self._send_features()

    def _send_features(self) -> None:
        self.stream.send(stream_features(self._facts, self.offer_made))

    def begin_tls(self) -> None:
        self.stream.send(Element((TLS, "proceed")))
        self.stream.restart(BEFORE_LOGIN)
        self.stream.transport.startTLS(self._all.tls_context(self.domain))

    def relay(self, element: Element) -> None:
        self.authentication.relay(element)

    def challenge(self, element: Element) -> None:
        self.stream.send(element)

    def welcome(self, element: Element) -> None:
        self.authentication.done()
        self._facts = with_fact(self._facts, Fact.AUTHENTICATED)
        self.stream.send(element)
        self.stream.restart(AFTER_LOGIN)

    def welcome_inline(self, reply: LoginReply) -> None:
        self.authentication.done()
        self._facts = with_fact(self._facts, Fact.AUTHENTICATED)
        self.stream.set_limits(AFTER_LOGIN)
        inline = self.authentication.inline
        outcome = []
        session = None
        if inline.resume is not None:
            session, answer = binding.resume(self._all, self, inline.resume)
            outcome.append(answer)
        resumed = session is not None
        if inline.bind is not None and not resumed:
            session, answer = binding.bind_inline(self._all, self, inline.bind, inline.agent)
            outcome.append(answer)
        jid = self.jid if session is None else session.jid
        success = self.authentication.success(reply, jid.full())
        for answer in outcome:
            success.addChild(answer)
        self.stream.send(success)
        if session is not None:
            self._begin(session)
        if session is not None and resumed:
            session.resend()
        else:
            self._send_features()

    def nothing_to_abort(self, element: Element) -> None:
        self.stream.send(self.authentication.nothing_to_abort(element))

    def reject(self, element: Element) -> None:
        answer, why_ended = self.authentication.rejected(element)
        self.stream.send(answer)
        if why_ended:
            self.stream.fail("policy-violation", why_ended)

    def bind(self, iq: Element) -> None:
        session, answer = binding.bind(self._all, self, iq)
        self.stream.send(answer)
        if session is not None:
            self._begin(session)

    def manage_unbound(self, element: Element) -> None:
        if (element.uri, element.name) != (MANAGEMENT, "resume"):
            self.stream.send(failed("unexpected-request"))
            return
        session, answer = binding.resume(self._all, self, element)
        self.stream.send(answer)
        if session is not None:
            self._begin(session)
            session.resend()

    def manage(self, element: Element) -> None:
        self._guarded(element, manage=True)

    def handle(self, element: Element) -> None:
        self._guarded(element, manage=False)

    def _guarded(self, element: Element, *, manage: bool) -> None:
        if self._session is None:
            return
        try:
            if manage:
                self._session.manage(element)
            else:
                self._session.receive(element)
        except StreamFault as fault:
            self.fault(fault)

    def leave(self) -> None:
        self.authentication.give_up()
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def lose(self) -> None:
        self.authentication.give_up()
        session, self._session = self._session, None
        if session is not None:
            session.lost()

    def refuse(self, condition: str, text: str, application: Element | None = None) -> None:
        self._all.ended[condition] += 1
        if condition != "system-shutdown":
            jid = self.jid if self._authenticated else None
            self.log.warn(
                CLIENT_STREAM_ENDED,
                who=f"{jid.full()} " if jid else "",
                user=jid.user if jid else "",
                session=jid.full() if jid and jid.resource else "",
                peer=self.peer,
                condition=condition,
                text=text,
            )
        self.stream.fail(condition, text, application)

    # Sessions

    def superseded(self) -> None:
        """Another stream has taken this one's session over (XEP-0198 section 5)."""
        self._session = None
        self.machine.refused("conflict", "the session goes on over another stream")

    def _begin(self, session: ClientSession) -> None:
        self._session = session
        self.jid = session.jid
        self._facts = with_fact(self._facts, Fact.BOUND)
        if session.managed:
            self._facts = with_fact(self._facts, Fact.MANAGED)
        self._stop_timer()
        self._leave_unauthenticated()
        self.authentication.settled()
        self.bindings = {}  # nobody logs in on this stream any more
        self.machine.established()

    def report(self, event: Event, failure: StepFailure, **fields: object) -> None:
        """Log a failure that is about this client."""
        self.log.warn(event, peer=self.peer, **failure.log_fields(), **fields)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _claimed(sender: str | None) -> JID | None:
    """Answer the user's address in a header's 'from'; None where it says none."""
    try:
        claimed = parse_jid(sender) if sender else None
    except InvalidFormat:
        return None
    return claimed if claimed is not None and claimed.user else None
