"""Which XMPP servers there are, and in which order to try them (steps 3 and 4, RFC 2782)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from bridgewire.steps import Step
from callbridged.events import TOO_MANY_TARGETS
from callbridged.links.dns import SrvRecord, show_address

#: Where an XMPP server takes components, unless something says otherwise (step 3).
DEFAULT_PORT = 5223
SERVICE = "_xmpp-component._tcp"
#: More SRV targets than this are left out: a wrong zone must not make us dial the whole network.
MAX_TARGETS = 16


@dataclass(frozen=True)
class Target:
    """One XMPP server. Two with the same host and port are equal, whatever their priority."""

    host: str
    port: int
    priority: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return show_address(self.host, self.port)


@dataclass(frozen=True)
class Found:
    """What a discovery brought: targets in the order in which to try them.

    ``said``: the steps that led there, each in one line. ``seconds``: how long it took. ``ttl``:
    after how many seconds it is worth asking again, None for never.
    """

    targets: tuple[Target, ...]
    said: tuple[tuple[Step, str], ...]
    seconds: float = 0.0
    ttl: int | None = None


@dataclass(frozen=True)
class Candidate:
    """A target, as `wanted` looks at it.

    ``hopeful``: it has not failed since it was last registered, or was never tried.
    """

    target: Target
    registered: bool = False
    hopeful: bool = True


class Discovery(Protocol):
    """Finds the targets."""

    async def find(self) -> Found:
        """Answer at least one target, or raise StepFailure."""


class SrvLookup(Protocol):
    """Of `callbridged.links.dns.Resolver`, what is needed here."""

    async def srv(self, name: str) -> list[SrvRecord]:
        """Answer the SRV records of ``name``, or raise StepFailure."""


class FixedAddress:
    """The server address of the settings: that host alone."""

    def __init__(self, host: str, port: int | None = None) -> None:
        """``port`` None: 5223."""
        target = Target(host, port or DEFAULT_PORT)
        text = f"server_address is {host}, port {target.port}"
        if port is None:
            text += " by default"
        self._found = Found((target,), ((Step.PORT, text),))

    async def find(self) -> Found:
        return self._found


class SrvDiscovery:
    """The SRV records of ``_xmpp-component._tcp.<domain>``, asked anew each time."""

    log = Logger()

    def __init__(
        self, clock: IReactorTime, resolver: SrvLookup, domain: str, random: Random
    ) -> None:
        self._clock = clock
        self._resolver = resolver
        self._name = f"{SERVICE}.{domain.rstrip('.')}"
        self._random = random

    async def find(self) -> Found:
        started = self._clock.seconds()
        records = await self._resolver.srv(self._name)
        seconds = self._clock.seconds() - started
        targets = order(records, self._random)
        if len(targets) > MAX_TARGETS:
            self.log.warn(
                TOO_MANY_TARGETS,
                name=self._name,
                count=len(targets),
                limit=MAX_TARGETS,
            )
        shown = sorted(records, key=lambda r: (r.priority, -r.weight, r.target, r.port))
        return Found(
            tuple(targets[:MAX_TARGETS]),
            (
                (Step.PORT, "no server_address is set, so SRV records name servers and ports"),
                (Step.SRV, f"{self._name} has {', '.join(map(str, shown[:MAX_TARGETS]))}"),
            ),
            seconds,
            min(record.ttl for record in records),
        )


def order(records: Iterable[SrvRecord], random: Random) -> list[Target]:
    """Put targets into the order of RFC 2782: by priority, then at random by weight.

    A weight of 0 has a small chance only. Of two records for the same host and port the first
    counts.
    """
    ordered: dict[Target, None] = {}
    by_priority: dict[int, list[SrvRecord]] = {}
    for record in records:
        by_priority.setdefault(record.priority, []).append(record)
    for _, group in sorted(by_priority.items()):
        # Those with weight 0 stand first, so that only a drawn 0 chooses one of them.
        remaining = sorted(group, key=lambda record: record.weight > 0)
        while remaining:
            drawn = random.randint(0, sum(record.weight for record in remaining))
            reached = 0
            for record in remaining:
                reached += record.weight
                if reached >= drawn:
                    break
            remaining.remove(record)
            ordered.setdefault(Target(record.target, record.port, record.priority))
    return list(ordered)


def settle(known: Sequence[Target], found: Sequence[Target]) -> list[Target]:
    """Answer ``found`` with the random order that we had, as far as priorities allow.

    Without this every new answer would draw lots again, and a Call Bridge that holds one link
    would wander between servers of one priority. New ones come after the known ones.
    """
    place = {target: index for index, target in enumerate(known)}
    return sorted(found, key=lambda target: (target.priority, place.get(target, len(place))))


def wanted(candidates: Iterable[Candidate], limit: int | None) -> list[Target]:
    """Answer which targets to hold a link to, best first; ``limit`` None means all.

    ``candidates`` come in their settled order. They are ranked by priority, then those that are
    registered first. Every one is wanted up to the limit-th that counts, and one counts while it
    is registered or still hopeful: so a target that is down brings in the next one, stays wanted
    itself, and when it is back makes the last one superfluous.
    """
    ranked = sorted(candidates, key=lambda one: (one.target.priority, not one.registered))
    chosen: list[Target] = []
    counted = 0
    for candidate in ranked:
        if limit is not None and counted >= limit:
            break
        chosen.append(candidate.target)
        counted += candidate.registered or candidate.hopeful
    return chosen
