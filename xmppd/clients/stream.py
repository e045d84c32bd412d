"""One client's stream: tells the table what came, and does what the table says."""

from __future__ import annotations

import secrets
from copy import copy
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from OpenSSL import SSL
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.words.protocols.jabber.error import StanzaError
from twisted.words.protocols.jabber.xmlstream import toResponse
from twisted.words.protocols.jabber.xmpp_stringprep import resourceprep
from twisted.words.xish.domish import Element

from bridgewire import tls
from bridgewire.jid import JID, InvalidFormat, parse_host, parse_jid
from bridgewire.login import LoginReply
from bridgewire.namespaces import BIND, CLIENT, SASL, TLS
from bridgewire.parser import AFTER_LOGIN, BEFORE_LOGIN, StreamFault
from bridgewire.sasl import failure_condition, sasl_failure
from bridgewire.steps import Reason, Step, StepFailure
from daemonkit.tasks import detach
from xmppd.clients.features import Fact, stream_features
from xmppd.clients.stream_interface import Stream
from xmppd.clients.table import ClientInputs, ClientMachine
from xmppd.login import Login
from xmppd.sessions import SessionInfo

if TYPE_CHECKING:
    from xmppd.clients.connected import Clients

#: Failed logins on one stream, after which it is closed.
MAX_FAILURES = 3
_LOGIN = "login from {peer}: {failure}"


class ClientStream:
    """One client."""

    log = Logger()
    #: Set by `Clients.begin`, as soon as there is one.
    stream: Stream

    def __init__(self, clients: Clients, host: str) -> None:
        self._all = clients
        self._peer = host
        self._counted = True
        self._facts: set[Fact] = set()
        self._timer: IDelayedCall | None = None
        self._login: Login | None = None
        self._failures = 0
        self._bound = False
        self._since = datetime.now(UTC)
        self._mechanism = self._callbridge = ""
        self.domain = next(iter(clients.domains.values()))
        self.jid = parse_jid(self.domain.name)
        self.priority: int | None = None
        self.machine: ClientInputs = ClientMachine(self)

    # StreamOwner: what the client does

    def connected(self) -> None:
        self._all.open.add(self)
        self._timer = self._all.clock.callLater(self._all.login_timeout, self._login_timed_out)

    def secured(self) -> None:
        self._facts.add(Fact.SECURED)
        self.machine.secured()

    def header(self, root: Element) -> None:
        to = root.getAttribute("to")
        domain = self._all.domains.get(parse_host(to)) if to else None
        if root.defaultUri != CLIENT:
            self.machine.refused("invalid-namespace", "the default namespace is jabber:client")
        elif not to:
            self.machine.refused("improper-addressing", "say which domain in 'to'")
        elif domain is None or (self._authenticated and domain is not self.domain):
            self.machine.refused("host-unknown", f"{to!r:.200} is not served here")
        elif not str(root.getAttribute("version", "")).startswith("1."):
            self.machine.refused("unsupported-version", "version 1.0 is spoken here")
        else:
            self.domain = domain
            self.machine.greeted()

    def element(self, element: Element) -> None:
        match (element.uri, element.name):
            case (str(uri), "starttls") if uri == TLS:
                self.machine.starttls()
            case (str(uri), "auth") if uri == SASL:
                self.machine.auth(element)
            case (str(uri), "response") if uri == SASL:
                self.machine.response(element)
            case (str(uri), "abort") if uri == SASL:
                self.machine.abort(element)
            case _ if not self._bound and _binds(element):
                self.machine.bind(element)
            case _:
                self.machine.stanza(element)

    def footer(self) -> None:
        self.machine.ended()

    def fault(self, fault: StreamFault) -> None:
        self.machine.refused(fault.condition, fault.text)

    def lost(self, reason: Failure) -> None:
        if reason.check(SSL.Error) and not self._authenticated:
            self._report("TLS with {peer}: {failure}", tls.failure(reason, tls.CLIENT_PORT))
        self.machine.lost()
        self._stop_timer()
        self._leave_unauthenticated()
        self._all.open.discard(self)

    def _leave_unauthenticated(self) -> None:
        if self._counted:
            self._counted = False
            self._all.unauthenticated.leave(self._peer)

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
        self.stream.send(stream_features(frozenset(self._facts), self.domain.logins.mechanisms))

    def begin_tls(self) -> None:
        self.stream.send(Element((TLS, "proceed")))
        self.stream.restart(BEFORE_LOGIN)
        self.stream.transport.startTLS(self._all.tls_context(self.domain))

    def relay(self, element: Element) -> None:
        if self._login is None:
            self._login = Login(self.domain.logins, self._peer)
        detach(self._relay(self._login, element), self.log, "relaying a login")

    async def _relay(self, login: Login, element: Element) -> None:
        try:
            reply = await login.relay(element)
        except StepFailure as failure:
            self._report(_LOGIN, failure)
            self.machine.rejected(sasl_failure("temporary-auth-failure"))
        else:
            self._answer(reply, login)

    def _answer(self, reply: LoginReply, login: Login) -> None:
        if reply.element.name == "challenge":
            self.machine.challenged(reply.element)
        elif reply.element.name == "success":
            try:
                self.jid = self._own_address(reply.username or "")
            except InvalidFormat:
                text = f"a Call Bridge let in {reply.username!r:.100}, which is no username"
                self._report(_LOGIN, StepFailure(Step.LOGIN, Reason.PROTOCOL_ERROR, text))
                self.machine.rejected(sasl_failure("temporary-auth-failure"))
            else:
                self.log.info(
                    "step {number} ({step}): {user} from {peer} is in by {mechanism}, "
                    "answered by {callbridge}",
                    number=Step.LOGIN.number,
                    step=Step.LOGIN,
                    user=self.jid.full(),
                    peer=self._peer,
                    mechanism=login.mechanism,
                    callbridge=login.answered_by,
                )
                self._mechanism, self._callbridge = login.mechanism, login.answered_by
                self.machine.accepted(reply.element)
        else:
            if failure_condition(reply.element) == "temporary-auth-failure":
                text = f"{login.answered_by} could not look the user up; its log says why."
                self._report(_LOGIN, StepFailure(Step.LOGIN, Reason.LINK_LOST, text))
            self.machine.rejected(reply.element)

    def _own_address(self, username: str) -> JID:
        if not username or "@" in username or "/" in username:
            raise InvalidFormat("no localpart")
        return parse_jid(f"{username}@{self.domain.name}")

    def challenge(self, element: Element) -> None:
        self.stream.send(element)

    def welcome(self, element: Element) -> None:
        self._login = None
        self._facts.add(Fact.AUTHENTICATED)
        self.stream.send(element)
        self.stream.restart(AFTER_LOGIN)

    def reject(self, element: Element) -> None:
        self._login = None
        self.stream.send(element)
        self._failures += 1
        if self._failures >= MAX_FAILURES:
            self.stream.fail("policy-violation", "too many failed logins")

    def give_up(self) -> None:
        if self._login is not None:
            self._login.give_up()
            self._login = None

    def bind(self, iq: Element) -> None:
        wanted = str(next(iq.elements(BIND, "bind")).firstChildElement() or "").strip()
        self.jid = copy(self.jid)  # not parsed anew: names are prepared at some expense
        self.jid.resource = _prepare_resource(wanted) or secrets.token_hex(8)
        self._stop_timer()
        self._leave_unauthenticated()
        self._bound = True
        self._all.sessions.bind(self)
        result = toResponse(iq, "result")
        bind = result.addElement((BIND, "bind"))
        bind.addElement((BIND, "jid"), content=self.jid.full())
        self.stream.send(result)

    def handle(self, element: Element) -> None:
        if element.uri != CLIENT or element.name not in ("message", "presence", "iq"):
            self.machine.refused("unsupported-stanza-type", "message, presence and iq are stanzas")
            return
        if element.getAttribute("from") not in (None, self.jid.full(), self.jid.userhost()):
            self.machine.refused("invalid-from", "that is not your address")
            return
        element["from"] = self.jid.full()
        if element.name == "iq" and not _is_good_iq(element):
            self.deliver(StanzaError("bad-request", type="modify").toResponse(element))
        elif element.hasAttribute("to"):
            self._all.route(element)
        elif element.name == "message":
            element["to"] = self.jid.userhost()
            self._all.route(element)
        elif element.name == "iq":
            self._all.route(element)  # no 'to': the server answers for the account
        else:
            self._take_presence(element)

    def _take_presence(self, presence: Element) -> None:
        kind = presence.getAttribute("type")
        if kind == "unavailable":
            self.priority = None
        elif kind is None:
            text = next((str(child) for child in presence.elements(CLIENT, "priority")), "0")
            try:
                self.priority = max(-128, min(127, int(text)))
            except ValueError:
                self.priority = 0

    def leave(self) -> None:
        self.give_up()
        if self._bound:
            self._bound = False
            self._all.sessions.unbind(self)

    def refuse(self, condition: str, text: str) -> None:
        if condition != "system-shutdown":
            self._all.quiet.warn(
                self.log,
                (self._peer, condition),
                "client {user}from {peer}: stream ended with {condition}: {text}",
                user=f"{self.jid.full()} " if self._authenticated else "",
                peer=self._peer,
                condition=condition,
                text=text,
            )
        self.stream.fail(condition, text)

    # Session: what the server does

    def deliver(self, stanza: Element) -> None:
        """Send a stanza to the client."""
        self.stream.send(stanza)

    def end(self, condition: str, text: str) -> None:
        """End the session now, with a stream error."""
        if self._bound:
            self._bound = False
            self._all.sessions.unbind(self)
        self.machine.refused(condition, text)

    def info(self) -> SessionInfo:
        """Answer what operators are told of it."""
        return SessionInfo(
            jid=self.jid.full(),
            since=self._since,
            peer=self._peer,
            transport="TLS",
            tls=tls.version(self.stream.transport),
            mechanism=self._mechanism,
            callbridge=self._callbridge,
            away=False,
            active=True,
            resumable=False,
        )

    def _report(self, text: str, failure: StepFailure) -> None:
        key = (failure.step, failure.reason, failure.text)
        self._all.quiet.warn(self.log, key, text, peer=self._peer, failure=str(failure))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _binds(element: Element) -> bool:
    return bool(
        element.name == "iq"
        and element.getAttribute("type") == "set"
        and next(element.elements(BIND, "bind"), None) is not None
    )


def _prepare_resource(wanted: str) -> str | None:
    """Answer the resource that a client wants in its normal form; None where it cannot be one."""
    if not 0 < len(wanted.encode()) <= 1023:
        return None
    try:
        prepared: str = resourceprep.prepare(wanted)
    except UnicodeError:
        return None
    return prepared or None


def _is_good_iq(iq: Element) -> bool:
    """RFC 6120 section 8.2.3: an id, a known type, and one child for a request."""
    kind = iq.getAttribute("type")
    if not iq.getAttribute("id") or kind not in ("get", "set", "result", "error"):
        return False
    return kind in ("result", "error") or len(list(iq.elements())) == 1
