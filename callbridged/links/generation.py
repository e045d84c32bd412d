"""Links by one plan, and another plan's to come: what `moving` beside it moves from and to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as GaveUp
from twisted.internet.interfaces import IReactorTime

from bridgewire.steps import Reason
from callbridged.links.discovery import Discovery, Found
from callbridged.links.link_interface import AddressLookup, LinkSettings
from callbridged.links.links import Links
from daemonkit.hosts import HostPort

#: Seconds that servers get to hear of links to come; one that is frozen does not keep us.
ANNOUNCE_TIMEOUT = 2.0


@dataclass(frozen=True)
class Plan:
    """What links are made with. ``server_address`` None: SRV. ``limit``: as of `Links`."""

    settings: LinkSettings
    discovery: Discovery
    resolver: AddressLookup
    server_address: HostPort | None = None
    limit: int | None = None

    @property
    def destination(self) -> tuple[object, ...]:
        """Links with another one are other links; a change of the rest is for those there are."""
        return self.settings.name, self.settings.domain, self.server_address

    def __str__(self) -> str:
        where = f"at {self.server_address}" if self.server_address else "by SRV"
        return f"{self.settings.component} {where}"


@dataclass(eq=False)
class Generation:
    """Links with the plan by which they are made."""

    plan: Plan
    links: Links

    def take(self, plan: Plan) -> None:
        """Go on by another plan, with the same destination."""
        self.plan = plan
        self.links.reconfigure(plan.settings, plan.discovery, plan.resolver, plan.limit)

    def status(self) -> list[dict[str, object]]:
        """The links, with whose they are."""
        settings = self.plan.settings
        whose = {"callbridge": settings.name, "domain": settings.domain}
        return [{**entry, **whose} for entry in self.links.status()]

    @property
    def settled(self) -> bool:
        """True where a link is up, its server knows what for, and no other is still under way."""
        held = self.links.held
        return any(one.ready for one in held) and all(one.ready or one.failure for one in held)

    def is_in_the_way_of(self, other: Generation) -> bool:
        """True where a server refuses a link of ``other`` because of one of these.

        It is the same server if it has the same address.
        """
        if self.plan.settings.component != other.plan.settings.component:
            return False
        taken = {link.address for link in self.links.held if link.registered}
        return any(
            link.failure and link.failure.reason is Reason.CONFLICT and link.address in taken
            for link in other.links.held
        )


class Later:
    """A discovery that begins when servers know of links to come, or do not answer."""

    def __init__(self, clock: IReactorTime, discovery: Discovery, known: Deferred[Any]) -> None:
        self._clock = clock
        self._discovery = discovery
        self._known: Deferred[None] = Deferred()
        known.addCallback(lambda _: self._known.callback(None))

    async def find(self) -> Found:
        if not self._known.called:
            self._known.addTimeout(ANNOUNCE_TIMEOUT, self._clock)
            self._known.addErrback(lambda failure: failure.trap(GaveUp))
            await self._known
        return await self._discovery.find()
