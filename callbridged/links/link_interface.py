"""The words around a link: its settings, its states, its inputs, who has it and who uses it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from twisted.internet.defer import Deferred
from twisted.words.xish.domish import Element

from bridgewire.certificates import Policy
from bridgewire.steps import Step, StepFailure
from bridgewire.tls import Connections
from callbridged.links.discovery import Target

if TYPE_CHECKING:
    from callbridged.links.dialer import Link


class State(StrEnum):
    """What status shows."""

    RESOLVING = "resolving"
    CONNECTING = "connecting"
    SECURING = "securing"
    REGISTERING = "registering"
    REGISTERED = "registered"
    WAITING = "waiting"


class LinkInputs(Protocol):
    """What can happen to a link."""

    def start(self) -> None:
        """Try at once."""

    def postpone(self) -> None:
        """Try when the time of the last failure is over."""

    def resolved(self, addresses: Sequence[str]) -> None:
        """The server's host name has these addresses, at least one."""

    def connected(self) -> None:
        """TCP is up."""

    def secured(self) -> None:
        """TLS is up, and the server's certificate is the right one."""

    def accepted(self) -> None:
        """The server confirmed the registration."""

    def failed(self, failure: StepFailure) -> None:
        """A step failed."""

    def closed(self) -> None:
        """The server closed its stream without a word."""

    def lost(self, why: StepFailure | None) -> None:
        """The connection is gone; None: without a reason of its own."""

    def overdue(self) -> None:
        """The server took too long over TLS and registration."""

    def retry(self) -> None:
        """The wait is over."""

    def stop(self) -> None:
        """The link is wanted no more."""

    def drained(self) -> None:
        """No login is under way over this link, or none may take longer."""


class LinkActions(Protocol):
    """What the table may do to the world. None of these fails, and none asks."""

    def show(self, state: State) -> None:
        """Let status show this."""

    def resolve(self) -> None:
        """Look the server up: SRV if this is not the first try, then its addresses."""

    def dial(self, addresses: Sequence[str]) -> None:
        """Connect to one of the addresses."""

    def abandon(self) -> None:
        """Give up what ``resolve`` or ``dial`` began."""

    def start_clock(self) -> None:
        """Give the server ``connect_timeout`` until it is ``overdue``."""

    def stop_clock(self) -> None:
        """It was in time, or it does not matter any more."""

    def register(self) -> None:
        """Open the stream and prove who we are."""

    def activate(self) -> None:
        """Watch the link, and offer it to those who use it."""

    def withdraw(self) -> None:
        """Those who use the link may do so no longer."""

    def drain(self) -> None:
        """Take no new logins; say ``drained`` when those under way are done."""

    def hang_up(self) -> None:
        """Close the connection politely."""

    def cut(self) -> None:
        """Drop the connection without a word: nobody is there to hear it."""

    def note(self, failure: StepFailure) -> None:
        """Remember, show and report why it did not work, or works no more."""

    def wait(self) -> None:
        """Say ``retry`` when it is time to try again."""

    def stop_waiting(self) -> None:
        """Do not."""

    def finish(self) -> None:
        """The link is over, and its connection closed."""


@dataclass(frozen=True)
class LinkSettings:
    """What every link of this Call Bridge is made with. Durations in seconds."""

    name: str
    domain: str
    secret: str = field(repr=False)
    tls: Connections = field(repr=False)
    verify: Policy = "domain+host"
    connect_timeout: float = 10.0
    retry_initial: float = 1.0
    retry_max: float = 60.0
    ping_interval: float = 15.0
    ping_timeout: float = 5.0

    @property
    def component(self) -> str:
        """The component's address, ``<name>.<domain>``."""
        return f"{self.name}.{self.domain}"


class ActiveLink(Protocol):
    """A registered link, as those who use it see it."""

    def __hash__(self) -> int:
        """Links are told apart by identity."""

    @property
    def component(self) -> str:
        """Our address on this link, ``<name>.<domain>``."""

    @property
    def domain(self) -> str:
        """The server's address on this link: the XMPP domain."""

    @property
    def target(self) -> Target:
        """Which server it leads to."""

    @property
    def successor(self) -> str:
        """What a link that is to take the place of this one will show; empty: there is none."""

    def send(self, element: Element) -> None:
        """Send a stanza; nothing happens where the link is closing."""

    def request(self, iq: Element, timeout: float) -> Deferred[Element]:
        """Send an IQ get or set and answer its result; fails as `bridgewire.iq.Requests` says."""


class LinkDelegate(Protocol):
    """Whoever uses registered links: the login service."""

    def link_registered(self, link: ActiveLink) -> Deferred[None]:
        """``link`` can be used from now on.

        The answer fires once its server knows what for; it does not fail.
        """

    def link_announces(self, link: ActiveLink) -> Deferred[None]:
        """``link`` has a ``successor``.

        The answer fires once its server knows; it does not fail.
        """

    def link_received(self, link: ActiveLink, element: Element) -> None:
        """A stanza came that the link does not answer itself; its ``from`` is unchecked."""

    def link_answered(self, link: ActiveLink, seconds: float) -> None:
        """The server has answered a ping after so many seconds."""

    def link_failed(self, target: Target | None, failure: StepFailure) -> None:
        """An attempt at a link has failed, or one was lost; None: no server is known yet."""

    def link_draining(self, link: ActiveLink) -> Deferred[None]:
        """Take no new logins over ``link``; the answer fires once none is under way.

        It is cancelled where that takes too long or the link is lost.
        """

    def link_lost(self, link: ActiveLink) -> None:
        """``link`` can be used no longer. Called once for each one that was registered."""


class AddressLookup(Protocol):
    """Of `callbridged.links.dns.Resolver`, what is needed here."""

    async def addresses(self, host: str) -> list[str]:
        """Answer at least one IP address, or raise StepFailure."""


class LinkOwner(Protocol):
    """Whoever decides which links there are."""

    settings: LinkSettings
    delegate: LinkDelegate
    resolver: AddressLookup
    #: Shown to servers by links without a token of their own, to take the place of former ones.
    token: str

    def rediscover(self) -> Deferred[None]:
        """Ask anew which targets there are; fires in the end, whatever came of it."""

    def reached(self, step: Step, target: str, text: str) -> None:
        """A step succeeded."""

    def changed(self) -> None:
        """A link is in another state."""

    def finished(self, link: Link) -> None:
        """The link is over and its connection closed."""
