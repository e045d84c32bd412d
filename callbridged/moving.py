"""Links that move: to another server address, domain or name, while logins go on.

Links by the new settings are made while the former ones go on, which dial again where they are
lost. When the new ones are up the former ones end, with time for the logins under way: so settings
that cannot connect do no harm.

Where both lead to one server, under one name, it would refuse the newer link (conflict). So the
former links announce a word that the new ones show, as in `callbridged.renewal`. To a server that
does not know this the former links give way when it has said conflict.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.defer import TimeoutError as GaveUp
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from bridgewire.steps import Reason, Step, StepFailure
from callbridged.dialer import AddressLookup
from callbridged.discovery import Discovery, Found
from callbridged.events import LINKS_MOVE, LINKS_MOVED, LINKS_NOT_MOVED, LINKS_STAY
from callbridged.link_interface import LinkDelegate, LinkSettings
from callbridged.links import Links
from callbridged.renewal import TOKEN_BYTES, Renewed
from daemonkit.hosts import HostPort
from daemonkit.units import format_duration

#: Seconds that servers get to hear of links to come; one that is frozen does not keep us.
ANNOUNCE_TIMEOUT = 2.0


_BACK = (
    "Or go back to the former settings, in callbridged.ini or, where they were not changed there, "
    "by `callbridgectl config reset`."
)


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


class MovingLinks(Service):
    """The links by the settings of today, and the former ones until those are up."""

    log = Logger()

    def __init__(
        self, reactor: Any, plan: Plan, delegate: LinkDelegate, random: Random | None = None
    ) -> None:
        """``reactor`` provides IReactorTCP and IReactorTime."""
        #: Is called whenever a link may be in another state.
        self.watcher: Callable[[], None] = lambda: None
        #: Fires when the first attempt at a link has succeeded or failed.
        self.first_attempt: Deferred[None] = Deferred()
        self._reactor = reactor
        self._delegate = delegate
        self._random = random
        self._current = self._make(plan)
        self._former: _Generation | None = None
        self._leaving: dict[_Generation, Deferred[None]] = {}
        self._moving_since: float | None = None
        self._told: set[tuple[Step, Reason]] = set()

    def startService(self) -> None:
        super().startService()
        self._current.links.startService()

    def stopService(self) -> Deferred[Any]:
        """Close all links, with time for the logins under way; fires when all are closed."""
        super().stopService()
        self._drop(self._current)
        self._drop_former()
        return DeferredList(list(self._leaving.values()))

    def reconfigure(self, plan: Plan, *, at_once: bool = False) -> None:
        """Take new settings. With another destination the links move.

        ``at_once``: former links end now, and not when the new ones are up.
        """
        current, former = self._current, self._former
        if plan.destination == current.plan.destination or not self.running:
            current.take(plan)
        elif former is not None and plan.destination == former.plan.destination:
            self._go_back(former, plan)
        else:
            self._move(plan, at_once)
        if at_once:
            self._drop_former()

    @property
    def settings(self) -> LinkSettings:
        """Those of today."""
        return self._current.plan.settings

    @property
    def moving(self) -> bool:
        """True until the links by the settings of today are up, if there were others before."""
        return self._moving_since is not None

    @property
    def registered(self) -> int:
        """How many links are registered, and not about to end."""
        former = self._former
        return self._current.links.registered + (former.links.registered if former else 0)

    def status(self) -> list[dict[str, object]]:
        """``links`` of ``callbridgectl status --json``: those by the settings of today."""
        return self._current.links.status()

    def former(self) -> list[dict[str, object]]:
        """``former`` there: links by other settings, with whose these are; mostly none."""
        return [entry for one in self._older() for entry in one.status()]

    def warnings(self) -> list[str]:
        """Answer what deserves a look though links are up."""
        found = [text for one in (self._current, *self._older()) for text in one.links.warnings()]
        failure, former = self._failure, self._former
        if failure is not None and former is not None:
            found.append(
                f"The links have not moved to {self._current.plan} yet, and those of {former.plan} "
                f"go on: {failure.step}, {failure.reason}. {failure.remedy}".rstrip()
                + f" {_BACK}"
            )
        return list(dict.fromkeys(found))

    def renew(self) -> Deferred[list[Renewed]]:
        """As of `Links`: those by the settings of today."""
        return self._current.links.renew()

    def hurry(self) -> None:
        """Let no link wait for its next attempt: what was wrong may have been mended."""
        for one in (self._current, *self._older()):
            one.links.hurry()

    # How links move

    def _move(self, plan: Plan, at_once: bool) -> None:
        before = self._current
        if before.links.proven:
            self._drop_former()
            self._former = before
        else:  # it is no loss
            self._drop(before)
        token = secrets.token_hex(TOKEN_BYTES)
        known = DeferredList([one.links.retire(token) for one in self._older()])
        self._moving_since = self._reactor.seconds()
        self._told.clear()
        how = "go on until a new one is up"
        if at_once or self._former is None:
            how = "end now"
        former = self._former or before
        self.log.info(LINKS_MOVE, former=str(former.plan), to=str(plan), how=how)
        self._current = self._make(plan, _Later(self._reactor, plan.discovery, known), token)
        self._current.links.startService()

    def _go_back(self, former: _Generation, plan: Plan) -> None:
        self._drop(self._current)
        self._current, self._former = former, None
        self._moving_since = None
        former.links.retire("")
        former.take(plan)
        self.log.info(LINKS_STAY, to=str(plan))

    def _look(self) -> None:
        """Links are in other states: has it moved, or why not?"""
        self._see()
        self.watcher()

    def _see(self) -> None:
        current, former, failure = self._current, self._former, self._failure
        if self._moving_since is None:
            return
        if current.settled:
            duration = format_duration(self._reactor.seconds() - self._moving_since)
            self.log.info(LINKS_MOVED, to=str(current.plan), duration=duration)
            self._moving_since = None
            self._drop_former()
        elif former is None or failure is None:
            return
        elif former.is_in_the_way_of(current):
            self._drop_former()
        elif (failure.step, failure.reason) not in self._told:
            self._told.add((failure.step, failure.reason))
            fields = {"former": str(former.plan), "to": str(current.plan)}
            self.log.warn(LINKS_NOT_MOVED, step=failure.step, reason=failure.reason, **fields)

    @property
    def _failure(self) -> StepFailure | None:
        """Why it has not moved yet; None while it has not failed either."""
        links = self._current.links
        if not self.moving:
            return None
        failures = (link.failure for link in links.held)
        return next((one for one in failures if one), links.discovery_error)

    # The links of other settings

    def _older(self) -> Iterator[_Generation]:
        if self._former is not None:
            yield self._former
        yield from self._leaving

    def _drop_former(self) -> None:
        former, self._former = self._former, None
        if former is not None:
            self._drop(former)

    def _drop(self, generation: _Generation) -> None:
        stopped: Deferred[None] = Deferred()
        self._leaving[generation] = stopped
        closed = generation.links.stopService()
        closed.addCallback(lambda _: self._gone(generation))

    def _gone(self, generation: _Generation) -> None:
        self._leaving.pop(generation).callback(None)
        if self._former is None and not self._leaving:
            self._current.links.token = ""
        self._current.links.hurry()  # it may be what these have waited for

    def _make(self, plan: Plan, discovery: Discovery | None = None, token: str = "") -> _Generation:
        links = Links(
            self._reactor,
            discovery or plan.discovery,
            plan.resolver,
            plan.settings,
            self._delegate,
            limit=plan.limit,
            token=token,
            on_change=self._look,
            random=self._random,
        )
        links.first_attempt.addCallback(self._attempted)
        return _Generation(plan, links)

    def _attempted(self, _: None) -> None:
        if not self.first_attempt.called:
            self.first_attempt.callback(None)


@dataclass(eq=False)
class _Generation:
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

    def is_in_the_way_of(self, other: _Generation) -> bool:
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


class _Later:
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
