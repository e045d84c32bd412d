"""callbridged's metrics: what is counted, what is looked at when it is scraped, and is it of use?

The names of series and labels are explained in docs/metrics.md. What a peer says is never a label,
unless it is one of a few words that are known. XMPP servers are there for as long as they are
known, and no more of them than `callbridged.links.discovery.MAX_TARGETS`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client import Counter as CounterMetric
from prometheus_client.metrics_core import Metric
from twisted.internet.interfaces import IReactorTime

from bridgewire.naming import first_end
from bridgewire.sasl import CONDITIONS, MECHANISMS
from callbridged.alarms.alarm import Kind
from callbridged.alarms.service import Alarms
from callbridged.backends.race import How
from callbridged.bridge import Bridge
from callbridged.links.discovery import MAX_TARGETS
from callbridged.links.link_interface import State
from daemonkit.login_record import LoginRecord
from daemonkit.metrics import common
from daemonkit.metrics.logins import BUCKETS, LoginMetrics
from daemonkit.metrics.process import Process
from daemonkit.metrics.series import (
    OTHER,
    AtScrape,
    counter,
    counters,
    gauge,
    gauges,
    new_registry,
)
from daemonkit.reload import Reload

PREFIX = "callbridged"
#: User backends with series of their own, over all reloads; more share one.
MAX_BACKENDS = 20

_OUTCOMES = {*CONDITIONS, "success", "timeout", "link-lost", "resource-constraint"}
_PARTS = "whole; callbridge, its own part; backend, for user backends; client, for its messages."


def make_metrics(
    clock: IReactorTime, bridge: Bridge, reload: Reload[Any], alarms: Alarms
) -> CollectorRegistry:
    """Answer all series of a Call Bridge. From now on its logins are counted."""
    registry = new_registry()
    LoginMetrics(
        registry,
        PREFIX,
        bridge.logins.records.feed,
        mechanisms=MECHANISMS,
        outcomes=_OUTCOMES,
        parts=parts_of,
        about=_PARTS,
    )
    round_trip = Histogram(
        "callbridged_keepalive_round_trip_seconds",
        "How long XMPP servers took to answer a ping. Only who is silent is asked.",
        buckets=BUCKETS,
        registry=registry,
    )
    bridge.relay.counts.round_trip = round_trip.observe
    bridge.users.asked = Questions(registry).count
    for name, look in (
        ("build", common.BuildInfo(PREFIX)),
        ("process", Process(clock)),
        ("reload", lambda: common.of_reload(PREFIX, reload)),
        ("certificates", lambda: common.of_certificates(PREFIX, expiries(bridge))),
        ("links", lambda: of_links(bridge)),
        ("logins", lambda: of_logins(bridge)),
        ("alarms", lambda: of_alarms(alarms)),
    ):
        registry.register(AtScrape(name, look))
    return registry


def parts_of(record: LoginRecord) -> Mapping[str, float]:
    """Answer where the time of a login went, in seconds; parts that did not occur are left out."""
    waited = record.waited or {}
    own = max(0.0, record.seconds - sum(waited.values()))
    return {"whole": record.seconds, "callbridge": own, **waited}


class Questions:
    """What user backends are asked."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._names: set[str] = set()
        self._questions = CounterMetric(
            "callbridged_backend_questions",
            "Questions to a user backend, by how they ended.",
            ("backend", "outcome"),
            registry=registry,
        )
        self._seconds = Histogram(
            "callbridged_backend_duration_seconds",
            "How long a user backend took to answer a question, or not to.",
            ("backend",),
            buckets=BUCKETS,
            registry=registry,
        )

    def count(self, backend: str, how: How, seconds: float) -> None:
        """One more, as `callbridged.backends.several.SeveralBackends.asked`."""
        if backend not in self._names and len(self._names) >= MAX_BACKENDS:
            backend = OTHER
        self._names.add(backend)
        self._questions.labels(backend, how).inc()
        self._seconds.labels(backend).observe(seconds)


def of_links(bridge: Bridge) -> Iterable[Metric]:
    """The links by the settings of today, and what has happened to links."""
    status = bridge.links.status()[:MAX_TARGETS]
    links = [one for one in status if one["target"]]
    states = Counter(str(one["state"]) for one in links)
    yield gauges(
        "callbridged_links",
        "Links to XMPP servers, by state.",
        "state",
        {str(state): states[state] for state in State},
    )
    yield gauges(
        "callbridged_link_up",
        "1 where the link to an XMPP server is registered, else 0.",
        "target",
        {str(one["target"]): int(one["state"] == State.REGISTERED) for one in links},
    )
    failures: dict[tuple[str, ...], float] = {
        (str(one["target"]), str(error["step"]), str(error["reason"])): 1.0
        for one in status
        if isinstance(error := one["last_error"], dict)
    }
    yield gauges(
        "callbridged_link_failure",
        "1 for why a link is down, or could not be renewed; no target: no server is known.",
        ("target", "step", "reason"),
        failures,
    )
    former = [one for one in bridge.links.former() if one["state"] == State.REGISTERED]
    yield gauge(
        "callbridged_former_links",
        "Links by former settings, which are up until those by the settings of today are.",
        len(former),
    )
    skews = {str(one["target"]): one["clock_skew"] for one in links}
    yield gauges(
        "callbridged_link_clock_skew_seconds",
        "By how much the clock of an XMPP server is ahead, at the beginning of its link.",
        "target",
        {target: skew for target, skew in skews.items() if isinstance(skew, int | float)},
    )
    counts = bridge.relay.counts
    yield counter("callbridged_registrations", "Links that were registered.", counts.registrations)
    yield counter(
        "callbridged_reconnects",
        "Links that were registered again after they had been lost.",
        counts.reconnects,
    )
    yield counters(
        "callbridged_link_failures",
        "Links that were lost, and attempts at one that failed.",
        ("step", "reason"),
        counts.failures,
    )


def of_logins(bridge: Bridge) -> Iterable[Metric]:
    """Logins under way, who could answer them, and who was refused."""
    logins, guests, guessing = bridge.logins, bridge.guests, bridge.guessing
    yield gauge(
        "callbridged_outstanding_logins", "Logins that are under way.", logins.outstanding()
    )
    yield gauge(
        "callbridged_draining", "1 while no new logins are taken, else 0.", int(logins.draining)
    )
    yield gauge(
        "callbridged_guests", "Guests that are there.", 0 if guests is None else len(guests)
    )
    yield gauges(
        "callbridged_backend_up",
        "1 where a user backend has answered when it was asked last, or was not asked yet, else 0.",
        "backend",
        {
            str(one["backend"]): int(one["last_error"] is None)
            for one in bridge.users.status()[:MAX_BACKENDS]
        },
    )
    yield counters(
        "callbridged_refused",
        "Logins that were refused, by the limit that was reached.",
        "limit",
        {
            "capacity": logins.refused,
            "failed_logins": 0 if guessing is None else guessing.refused,
            "max_guests": 0 if guests is None else guests.refused,
            "max_guests_per_network": 0 if guests is None else guests.refused_by_network,
        },
    )


def of_alarms(alarms: Alarms) -> Iterable[Metric]:
    """The alarms that are raised now."""
    kinds = Counter(one.kind for one in alarms.active)
    yield gauges(
        "callbridged_alarms", "Alarms now.", "kind", {str(kind): kinds[kind] for kind in Kind}
    )


def expiries(bridge: Bridge) -> Iterable[common.Expiry]:
    """Answer until when the certificates in use are good."""
    domain = bridge.config.callbridge.domain
    link = bridge.links.settings.tls
    shown = {f"{section}_certificate": port for section, port in bridge.ports.items()}
    for role, connections in {"certificate": link, **shown}.items():
        yield common.Expiry(role, domain, first_end(connections.identity.chain))
    yield common.Expiry("xmpp_ca", domain, first_end(link.authorities))
    if bridge.certificates is not None:
        yield common.Expiry("user_ca", domain, first_end(bridge.certificates.authorities))


def not_ready(bridge: Bridge) -> list[str]:
    """Answer why logins cannot be answered now, a sentence for each reason; empty: they can."""
    reasons = []
    if not bridge.links.registered:
        reasons.append(
            "No XMPP server has a link. `callbridgectl status` says why, and what to do."
        )
    if bridge.logins.draining:
        reasons.append("It drains: no new logins are taken. `callbridgectl resume` ends that.")
    users = bridge.users.status()
    if all(one["last_error"] is not None for one in users):
        names = ", ".join(str(one["backend"]) for one in users)
        reasons.append(f"No user backend could answer when it was asked last: {names}.")
    return reasons
