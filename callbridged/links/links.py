"""How many links, and to which targets."""

from __future__ import annotations

from collections.abc import Callable
from random import Random, SystemRandom
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.interfaces import IDelayedCall

from bridgewire.steps import Step, StepFailure
from callbridged.links.clocks import describe_skew
from callbridged.links.dialer import Link
from callbridged.links.discovery import Candidate, Discovery, Target, wanted
from callbridged.links.link_interface import AddressLookup, LinkDelegate, LinkSettings
from callbridged.links.renewal import Renewals, Renewed
from callbridged.links.retry import Backoff, Journal, Memory
from callbridged.links.targets import Targets
from daemonkit.tasks import cancel


class Links(Service):
    """Holds links to as many targets as wanted, for as long as it runs.

    Asks where the XMPP servers are when it starts, before every repeated attempt of a link, and
    when the answer's time to live is over (`Targets`).
    """

    def __init__(
        self,
        reactor: Any,
        discovery: Discovery,
        resolver: AddressLookup,
        settings: LinkSettings,
        delegate: LinkDelegate,
        *,
        limit: int | None = None,
        token: str = "",
        on_change: Callable[[], None] | None = None,
        on_step: Callable[[Step, str, str], None] | None = None,
        random: Random | None = None,
    ) -> None:
        """``limit``: how many links to hold, None for all.

        ``token``: see `callbridged.links.dialer.LinkOwner`. ``on_change`` hears that something may
        have changed, when nobody is in the middle of it.

        ``reactor`` provides IReactorTCP and IReactorTime. ``on_step(step, target, text)`` hears
        of each step that succeeds; ``target`` is the XMPP domain for steps before there is one.
        """
        #: Fires when the first attempt at a link has succeeded or failed.
        self.first_attempt: Deferred[None] = Deferred()
        self.settings = settings
        self.delegate = delegate
        self.limit = limit
        self.token = token
        #: A link was registered at least once.
        self.proven = False
        self._successor = ""
        self._on_change = on_change
        self._reactor = reactor
        self.resolver = resolver
        self._on_step = on_step
        self._random = random or SystemRandom()
        self._targets = Targets(
            reactor,
            discovery,
            self._new_memory(settings.domain),
            reached=lambda step, text: self.reached(step, self.settings.domain, text),
            failed=lambda failure: self.delegate.link_failed(None, failure),
            changed=self.changed,
        )
        self._links: dict[Target, Link] = {}
        self._leaving: set[Link] = set()
        self._renewals = Renewals(self._new_successor, self._replace)
        self._memories: dict[Target, Memory] = {}
        self._waiters: list[Deferred[None]] = []
        self._update_call: IDelayedCall | None = None
        self._stopped: Deferred[None] | None = None

    def startService(self) -> None:
        super().startService()
        self._targets.start()

    def stopService(self) -> Deferred[None]:
        """Close all links, with time for the logins under way; fires when all are closed."""
        super().stopService()
        cancel(self._update_call)
        self._targets.stop()
        self._renewals.stop()
        for link in list(self._links.values()):
            link.stop()
        if not self._all:
            return succeed(None)
        self._stopped = Deferred()
        return self._stopped

    def reconfigure(
        self,
        settings: LinkSettings,
        discovery: Discovery,
        resolver: AddressLookup,
        limit: int | None,
    ) -> None:
        """Take new settings: links that are up stay, all new ones are made with these.

        With another secret those that are up are renewed. Links that wait for their next attempt
        do not wait any longer.
        """
        self.settings = settings
        self.limit = limit
        self.resolver = resolver
        for memory in (self._targets.memory, *self._memories.values()):
            memory.backoff.set(settings.retry_initial, settings.retry_max)
        if self.running:
            self.hurry()
        self._targets.use(discovery)

    def retire(self, successor: str) -> Deferred[Any]:
        """Go on, until others take the place of these: they will show ``successor``.

        Fires when each server knows. Empty: nobody will, and these are as they were before.
        """
        self._successor = successor
        self._renewals.retired = bool(successor)
        for target, memory in self._memories.items():
            memory.journal.subject = self._subject(target)
        self.changed()
        known = [link.announce(successor) for link in self._all]
        return DeferredList(known, consumeErrors=True)

    def hurry(self) -> None:
        """Let no link wait for its next attempt: what was wrong may have been mended."""
        for link in self._all:
            link.hurry()

    def renew(self) -> Deferred[list[Renewed]]:
        """Let each link that is up give way to a newer one, one after another, without a gap.

        The others make their next attempt at once. Fires when each has been replaced, or its
        successor has failed; that one tries again, and until then the older link goes on.
        """
        self.hurry()
        renewed = self._renewals.ask(link for link in self._links.values() if link.registered)
        self.changed()
        return renewed

    def status(self) -> list[dict[str, object]]:
        """``links`` of ``callbridgectl status --json``; with no target known, one entry says why.

        ``address``, ``tls`` and ``last_error`` are None where there is none.
        """
        if self._links:
            place = {target: index for index, target in enumerate(self._targets.known)}
            links = sorted(
                self._links.values(), key=lambda link: place.get(link.target, len(place))
            )
            return [self._status(link) for link in links]
        return [] if self._targets.known or not self.running else [self._targets.status()]

    def _status(self, link: Link) -> dict[str, object]:
        """A link with what is said of its successor; its failure, where it has none of its own."""
        found = self._targets.progress.as_json()
        status = {**link.status(), "steps": [*found, *link.progress.as_json()]}
        newer = self._renewals.successors.get(link.target)
        if newer is None:
            return {**status, "newer": None, "newer_steps": []}
        failure = newer.status()["last_error"]
        return {
            **status,
            "last_error": status["last_error"] or failure,
            "newer": str(newer.state),
            "newer_steps": [*found, *newer.progress.as_json()],
        }

    def warnings(self) -> list[str]:
        """Answer what deserves a look though links are up."""
        links = self._links.values()
        skews = (describe_skew(str(one.target), one.clock_skew) for one in links)
        return [said for said in skews if said] + self._renewals.warnings(self._links)

    @property
    def discovery_error(self) -> StepFailure | None:
        """Why the last discovery failed; links to the targets of the one before it live on."""
        return self._targets.error

    @property
    def _attempted(self) -> bool:
        links = self._links.values()
        return any(one.registered or one.failure for one in links) or bool(self.discovery_error)

    @property
    def registered(self) -> int:
        """How many links are registered."""
        return sum(link.registered for link in self._links.values())

    @property
    def held(self) -> tuple[Link, ...]:
        """The links, without those that give way to another."""
        return tuple(self._links.values())

    # LinkOwner: what links call

    def rediscover(self) -> Deferred[None]:
        """Ask anew which targets there are; whoever comes while that goes on shares it."""
        waiter: Deferred[None] = Deferred()
        self._waiters.append(waiter)
        self._targets.ask()
        return waiter

    def reached(self, step: Step, target: str, text: str) -> None:
        self.proven |= step is Step.REGISTERED
        if self._on_step is not None:
            self._on_step(step, target, text)

    def changed(self) -> None:
        # Not at once: whoever calls is in the middle of something.
        if self.running and not (self._update_call and self._update_call.active()):
            self._update_call = self._reactor.callLater(0, self._update)

    def finished(self, link: Link) -> None:
        if self._links.get(link.target) is link:
            del self._links[link.target]
        elif link in self._leaving:
            self._leaving.remove(link)
            if link.target in self._links:
                self._links[link.target].hurry()  # it may be what that one has waited for
        else:
            self._renewals.finished(link)
        if self._stopped is not None and not self._all:
            stopped, self._stopped = self._stopped, None
            stopped.callback(None)
        self.changed()

    # Which links to hold

    def _update(self) -> None:
        for target in [known for known in self._memories if known not in self._links]:
            if target not in self._targets.known:
                del self._memories[target]
        for target in self._targets.known:
            self._memories.setdefault(target, self._new_memory(self._subject(target)))
        candidates = [self._candidate(target) for target in self._targets.known]
        chosen = wanted(candidates, self.limit)
        for target, link in list(self._links.items()):
            if target not in chosen and not link.stopping:
                link.stop()
        for target in chosen:
            if target not in self._links:
                # A link to it that is still closing is in the way: then when that has finished.
                memory = self._memories[target]
                link = Link(self._reactor, self, target, memory)
                self._links[target] = link
                link.announce(self._successor)
                link.start()
        self._renewals.update(self._links)
        if self._attempted and not self.first_attempt.called:
            self.first_attempt.callback(None)
        if not self._targets.asking:
            # Only now, so that a link whose target is gone does not try once more.
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                waiter.callback(None)
        if self._on_change is not None:
            self._on_change()

    def _candidate(self, target: Target) -> Candidate:
        link = self._links.get(target)
        registered = link is not None and link.registered and not link.stopping
        return Candidate(target, registered, self._memories[target].backoff.hopeful)

    @property
    def _all(self) -> tuple[Link, ...]:
        return (*self._links.values(), *self._leaving, *self._renewals.successors.values())

    def _new_successor(self, target: Target, token: str) -> Link:
        memory = self._new_memory(f"{target}, a newer link")
        return Link(self._reactor, self, target, memory, token)

    def _replace(self, link: Link, successor: Link) -> None:
        target = link.target
        self._links[target] = successor
        self._memories[target] = successor.memory
        successor.memory.journal.subject = self._subject(target)
        self._leaving.add(link)
        link.stop()

    def _subject(self, target: Target) -> str:
        return f"{target}, a former link" if self._successor else str(target)

    def _new_memory(self, subject: str) -> Memory:
        settings = self.settings
        clock = self._reactor
        return Memory(
            Backoff(clock, settings.retry_initial, settings.retry_max, self._random),
            Journal(clock, subject),
        )
