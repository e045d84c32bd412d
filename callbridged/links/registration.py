"""One connection to an XMPP server: what comes over the wire, told to the link's table.

TLS from the first byte, then XEP-0114 as ``<name>.<domain>`` (steps 6 to 11).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from cryptography import x509
from OpenSSL import SSL
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.words.xish.domish import Element

from bridgewire import tls
from bridgewire.certificates import check_server_names, names
from bridgewire.handshake import component_digest
from bridgewire.iq import RequestError, RequestFailed, Requests, ping
from bridgewire.keepalive import Keepalive, measured
from bridgewire.limits import BEFORE_LOGIN, SERVER_LINK
from bridgewire.namespaces import COMPONENT, PING, STREAMS
from bridgewire.parser import StreamFault
from bridgewire.steps import Step, StepFailure
from bridgewire.stream import XmlStream
from callbridged.links.clocks import ClockWatch
from callbridged.links.discovery import Target
from callbridged.links.dns import show_address
from callbridged.links.link_interface import ActiveLink, LinkDelegate, LinkInputs, LinkSettings
from callbridged.links.refusals import broken, silent, stream_error
from daemonkit.tasks import detach


class StepReport(Protocol):
    """Who wants to hear of each step that succeeded, with the real values in ``text``."""

    def __call__(self, step: Step, text: str, seconds: float, /) -> None: ...


class Registration:
    """One connection and its registration; drives an `XmlStream` as its owner."""

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        settings: LinkSettings,
        target: Target,
        inputs: LinkInputs,
        delegate: LinkDelegate,
        report: StepReport,
        token: str = "",
        check: bool = False,
    ) -> None:
        """``token``: shown to the server, as the successor of another link; empty: it is none.

        ``check``: the server is told that this link is made to see whether it can be.
        """
        self.settings = settings
        self.target = target
        #: Of this link, see `ActiveLink`.
        self.successor = ""
        self._token = token
        self._check = check
        self.address: str | None = None
        self.tls: str | None = None
        #: What the server has shown.
        self.certificate: x509.Certificate | None = None
        self._clock = clock
        self._inputs = inputs
        self._delegate = delegate
        self._report = report
        self._began = clock.seconds()
        self._step = Step.REGISTER
        self._take: Callable[[Element], None] = self._take_handshake
        self.stream = XmlStream(self, COMPONENT, initiating=True, limits=BEFORE_LOGIN, clock=clock)
        self._requests = Requests(clock, self.stream.send)
        self._keepalive = Keepalive(clock, settings.ping_interval, self._ping, self._dead)
        self.clocks = ClockWatch(clock, self, settings.ping_interval, settings.ping_timeout)

    # What those who use a registered link call

    @property
    def component(self) -> str:
        """Our address on this link."""
        return self.settings.component

    @property
    def domain(self) -> str:
        """The server's address on this link."""
        return self.settings.domain

    def send(self, element: Element) -> None:
        """Send a stanza; nothing happens where the link is closing."""
        self.stream.send(element)

    def request(self, iq: Element, timeout: float) -> Deferred[Element]:
        """Send an IQ get or set and answer its result; fails as `bridgewire.iq.Requests` says."""
        return self._requests.request(iq, timeout)

    # StreamOwner: what the server does

    def connected(self) -> None:
        peer = self.stream.transport.getPeer()
        self.address = show_address(peer.host, peer.port)
        self._tell(Step.CONNECT, f"connected to {self.address}")
        self._inputs.connected()

    def secured(self) -> None:
        transport = self.stream.transport
        self.tls = tls.version(transport)
        cipher = transport.getHandle().get_cipher_name()
        self._tell(Step.TLS, f"{self.tls}, {cipher}")
        certificate = tls.peer_certificate(transport)
        assert certificate is not None  # noqa: S101  no handshake succeeds without one
        self.certificate = certificate
        domain, host = self.settings.domain, self.target.host
        try:
            check_server_names(certificate, domain, host, self.settings.verify)
        except StepFailure as failure:
            self._inputs.failed(failure)
            return
        required = domain if self.settings.verify == "domain" else f"{domain} and {host}"
        self._tell(Step.CERTIFICATE, f"good for {required}; it carries {names(certificate)}")
        self._inputs.secured()

    def header(self, root: Element) -> None:
        stream_id = root.getAttribute("id")
        if root.defaultUri != COMPONENT:
            self.fault(StreamFault("invalid-namespace", "it opened no component stream"))
        elif not stream_id:
            # Not answered before it has explained itself: an error has no need of an id.
            self._take = self._take_error_only
        else:
            proof = Element((COMPONENT, "handshake"))
            if self._token:
                proof["successor"] = self._token
            if self._check:
                proof["check"] = "true"
            proof.addContent(component_digest(stream_id, self.settings.secret))
            self.stream.send(proof)
            self._tell(Step.REGISTER, f"asked to be registered as {self.component}")

    def element(self, element: Element) -> None:
        if (element.uri, element.name) == (STREAMS, "error"):
            settings = self.settings
            self._inputs.failed(stream_error(element, self._step, settings.name, settings.domain))
        else:
            self._take(element)

    def footer(self) -> None:
        self._inputs.closed()

    def fault(self, fault: StreamFault) -> None:
        self.stream.fail(fault.condition, fault.text)
        self._inputs.failed(broken(self._step, fault.condition, fault.text))

    def lost(self, reason: Failure) -> None:
        # TLS 1.3 tells us that the server refused our certificate after the handshake.
        late = self._step is Step.REGISTER and _says_why(reason)
        self._inputs.lost(tls.failure(reason) if self.tls is None or late else None)

    def _take_handshake(self, element: Element) -> None:
        if (element.uri, element.name) == (COMPONENT, "handshake"):
            self._step = Step.ACTIVE
            self._take = self._take_stanza
            self.stream.set_limits(SERVER_LINK)
            self._tell(Step.REGISTERED, f"the server accepted {self.component}")
            self._inputs.accepted()
        else:
            self.fault(StreamFault("not-authorized", f"<{element.name[:50]}/> came too early"))

    def _take_error_only(self, element: Element) -> None:
        self.fault(StreamFault("bad-format", "its header has no id"))

    def _take_stanza(self, element: Element) -> None:
        self._keepalive.heard()
        kind = element.getAttribute("type")
        if element.name == "iq" and kind in ("result", "error"):
            self._requests.answer(element)
        elif element.name == "iq" and kind == "get" and _is_ping(element):
            answer = Element((None, "iq"))
            answer["type"] = "result"
            answer["from"] = self.component
            answer["to"] = element.getAttribute("from", self.domain)
            answer["id"] = element.getAttribute("id", "")
            self.send(answer)
        else:
            self._delegate.link_received(self, element)

    # What the link's table does

    def open(self) -> None:
        """Send the stream header."""
        self._began = self._clock.seconds()
        self.stream.send_header(to=self.component)

    def activate(self) -> Deferred[None]:
        """Watch the link from now on, and offer it to the delegate; fires as that says."""
        self._keepalive.start()
        self._began = self._clock.seconds()
        detach(self._ping().addCallbacks(self._pinged, self._not_pinged), self.log, "A first ping")
        registered = self._guarded(self._delegate.link_registered)
        self.clocks.start()
        return registered

    def announce(self, successor: str) -> Deferred[None]:
        """Let the server know of a successor; fires when it does."""
        self.successor = successor
        return self._guarded(self._delegate.link_announces)

    def drain(self) -> Deferred[None]:
        """Let the delegate come to an end; fires when it has."""
        return self._guarded(self._delegate.link_draining)

    def withdraw(self) -> None:
        """Take the link from the delegate."""
        self._keepalive.stop()
        self.clocks.stop()
        self._guarded(self._delegate.link_lost)
        self._requests.lost()

    # Watching

    def _ping(self) -> Deferred[Element]:
        answer = self.request(ping(self.component, self.domain), self.settings.ping_timeout)
        return measured(self._clock, answer, self._answered)

    def _answered(self, seconds: float) -> None:
        self._guarded(lambda link: self._delegate.link_answered(link, seconds))

    def _pinged(self, _: object) -> None:
        settings = self.settings
        self._tell(
            Step.ACTIVE,
            f"the server answered a ping; from now on one after {settings.ping_interval:g} s of "
            f"silence, and {settings.ping_timeout:g} s to answer it",
        )

    def _not_pinged(self, failure: Failure) -> None:
        if failure.check(RequestFailed):  # it is there, and that is what counts
            self._pinged(None)
        else:
            failure.trap(RequestError)  # the keepalive asks again

    def _dead(self) -> None:
        self._inputs.failed(silent(self.settings.ping_interval, self.settings.ping_timeout))
        self.stream.abort()

    # Helpers

    def _tell(self, step: Step, text: str) -> None:
        """Report a step and how long it took since the last one."""
        now = self._clock.seconds()
        self._report(step, text, now - self._began)
        self._began = now

    def _guarded(self, what: Callable[[ActiveLink], Deferred[None] | None]) -> Deferred[None]:
        """Outputs of a table do not fail, whatever the delegate does."""
        try:
            return what(self) or succeed(None)
        except Exception:  # noqa: BLE001 - logged whole
            self.log.failure("Error in whoever uses the links")
            return succeed(None)


def _is_ping(iq: Element) -> bool:
    child = next(iter(iq.elements()), None)
    return child is not None and (child.uri, child.name) == (PING, "ping")


def _says_why(reason: Failure) -> bool:
    """True where TLS has something to say; it names the step better than our state can."""
    if not reason.check(SSL.Error):
        return False
    return not reason.check(SSL.SysCallError, SSL.ZeroReturnError)
