"""Links that move: to another server address, domain or name, while logins go on.

Links by the new settings are made while the former ones go on, which dial again where they are
lost. When the new ones are up the former ones end, with time for the logins under way: so settings
that cannot connect do no harm.

Where both lead to one server, under one name, it would refuse the newer link (conflict). So the
former links announce a word that the new ones show, as in `renewal`. To a server that does not know
this the former links give way when it has said conflict.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger

from bridgewire.steps import Reason, Step, StepFailure
from callbridged.events import LINKS_MOVE, LINKS_MOVED, LINKS_NOT_MOVED, LINKS_STAY
from callbridged.links.discovery import Discovery
from callbridged.links.generation import Generation, Later, Plan
from callbridged.links.link_interface import LinkDelegate, LinkSettings
from callbridged.links.links import Links
from callbridged.links.renewal import TOKEN_BYTES, Renewed
from daemonkit.units import format_duration

_BACK = (
    "Or go back to the former settings, in callbridged.ini or, where they were not changed there, "
    "by `callbridgectl config reset`."
)


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
        self._former: Generation | None = None
        self._leaving: dict[Generation, Deferred[None]] = {}
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
        self._current = self._make(plan, Later(self._reactor, plan.discovery, known), token)
        self._current.links.startService()

    def _go_back(self, former: Generation, plan: Plan) -> None:
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

    def _older(self) -> Iterator[Generation]:
        if self._former is not None:
            yield self._former
        yield from self._leaving

    def _drop_former(self) -> None:
        former, self._former = self._former, None
        if former is not None:
            self._drop(former)

    def _drop(self, generation: Generation) -> None:
        stopped: Deferred[None] = Deferred()
        self._leaving[generation] = stopped
        closed = generation.links.stopService()
        closed.addCallback(lambda _: self._gone(generation))

    def _gone(self, generation: Generation) -> None:
        self._leaving.pop(generation).callback(None)
        if self._former is None and not self._leaving:
            self._current.links.token = ""
        self._current.links.hurry()  # it may be what these have waited for

    def _make(self, plan: Plan, discovery: Discovery | None = None, token: str = "") -> Generation:
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
        return Generation(plan, links)

    def _attempted(self, _: None) -> None:
        if not self.first_attempt.called:
            self.first_attempt.callback(None)
