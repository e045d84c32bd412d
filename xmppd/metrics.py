"""xmppd's metrics: what is counted, what is looked at when it is scraped, and is it of use?

The names of series and labels are explained in docs/metrics.md. What a peer says is never a label,
unless it is one of a few words that are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.metrics_core import Metric
from twisted.internet.interfaces import IReactorTime

from bridgewire.naming import first_end
from bridgewire.sasl import CONDITIONS, MECHANISMS
from daemonkit.login_record import LoginRecord
from daemonkit.metrics import common
from daemonkit.metrics.logins import BUCKETS, LoginMetrics
from daemonkit.metrics.process import Process
from daemonkit.metrics.series import AtScrape, counters, gauge, gauges, new_registry
from daemonkit.reload import Reload
from xmppd.components.registry import RegistryFault

if TYPE_CHECKING:
    from xmppd.service import Server

PREFIX = "xmppd"
#: Components with series of their own, in the order of their domains and names.
MAX_COMPONENTS = 200
#: Seconds for which the names in the registry are remembered.
_NAMES_KEPT = 10.0

_PARTS = (
    "whole; xmppd, its own part; pause, after failed logins; room, until a Call Bridge has some; "
    "link; callbridge, at the Call Bridge; client, for its messages."
)


def make_metrics(clock: IReactorTime, server: Server, reload: Reload[Any]) -> CollectorRegistry:
    """Answer all series of a server. From now on its logins are counted."""
    registry = new_registry()
    LoginMetrics(
        registry,
        PREFIX,
        server.clients.login_records,
        mechanisms=MECHANISMS,
        outcomes={*CONDITIONS, "success"},
        parts=parts_of,
        about=_PARTS,
    )
    round_trip = Histogram(
        "xmppd_keepalive_round_trip_seconds",
        "How long components took to answer a ping. Only who is silent is asked.",
        buckets=BUCKETS,
        registry=registry,
    )
    server.components.round_trip = round_trip.observe
    components = Components(clock, server)
    for name, look in (
        ("build", common.BuildInfo(PREFIX)),
        ("process", Process(clock)),
        ("reload", lambda: common.of_reload(PREFIX, reload)),
        ("certificates", lambda: common.of_certificates(PREFIX, expiries(server))),
        ("components", components.look),
        ("clients", lambda: of_clients(server)),
        ("refusals", lambda: of_refusals(server)),
    ):
        registry.register(AtScrape(name, look))
    return registry


def parts_of(record: LoginRecord) -> Mapping[str, float]:
    """Answer where the time of a login went, in seconds; parts that did not occur are left out."""
    waited = dict(record.waited or {})
    parts = {"whole": record.seconds, "xmppd": max(0.0, record.seconds - sum(waited.values()))}
    if record.link is not None:
        parts["link"] = record.link
        waited["callbridge"] = max(0.0, waited.get("callbridge", 0.0) - record.link)
    return {**parts, **waited}


def of_clients(server: Server) -> Iterable[Metric]:
    """Clients, sessions, and logins under way."""
    clients = server.clients
    domains = server.domains
    yield gauges(
        "xmppd_sessions",
        "Sessions, those included whose client is away and may come back.",
        "domain",
        {name: server.sessions.by_domain[name] for name in domains},
    )
    yield gauges(
        "xmppd_connections",
        "Client streams, by what they came over.",
        "transport",
        {one: clients.by_transport[one] for one in ("STARTTLS", "TLS", "WebSocket")},
    )
    yield gauge(
        "xmppd_connections_not_logged_in",
        "Client connections without a session yet, HTTP included.",
        len(clients.unauthenticated),
    )
    yield gauges(
        "xmppd_waiting_logins",
        "Logins under way.",
        "domain",
        {name: one.logins.waiting for name, one in domains.items()},
    )
    yield gauges(
        "xmppd_queued_logins",
        "Logins under way that wait since all Call Bridges are full.",
        "domain",
        {name: one.logins.queued for name, one in domains.items()},
    )
    yield counters(
        "xmppd_client_stream_errors",
        "Client streams that were ended with an error.",
        "condition",
        clients.ended,
    )


def of_refusals(server: Server) -> Iterable[Metric]:
    """Who was refused since there were too many, by the limit's setting."""
    clients, unregistered = server.clients, server.components.unauthenticated
    yield counters(
        "xmppd_refused",
        "Connections, logins and sessions that were refused, by the limit that was reached.",
        "limit",
        {
            "max_connections": clients.connections.refused,
            "max_connections_per_address": clients.connections.refused_by_address,
            "max_not_logged_in": clients.unauthenticated.refused,
            "max_not_logged_in_per_address": clients.unauthenticated.refused_by_address,
            "max_waiting": sum(one.logins.refused for one in server.domains.values()),
            "max_sessions_per_user": server.sessions.refused,
            "failed_logins": server.failed_logins.refused,
            "unregistered_components": unregistered.refused + unregistered.refused_by_address,
        },
    )


class Components:
    """Call Bridges and other components: those that are known, at most `MAX_COMPONENTS`."""

    def __init__(self, clock: IReactorTime, server: Server) -> None:
        self._clock = clock
        self._server = server
        self._names: list[str] = []
        self._read_at = -_NAMES_KEPT

    def look(self) -> Iterable[Metric]:
        """Who is there, and how many logins each has."""
        registered = self._server.components.registered
        known = self._known()
        yield gauges(
            "xmppd_component_up",
            "1 where a Call Bridge, or another component, of the registry is connected, else 0.",
            "component",
            {host: int(host in registered) for host in known},
        )
        bridges = {
            host: registered[host].callbridge
            for host in known
            if host in registered and registered[host].callbridge.mechanisms
        }
        yield gauges(
            "xmppd_callbridge_outstanding_logins",
            "Logins that a Call Bridge has under way.",
            "component",
            {host: one.outstanding for host, one in bridges.items()},
        )
        yield gauges(
            "xmppd_callbridge_capacity_logins",
            "Logins that a Call Bridge takes at once; 0: it drains.",
            "component",
            {host: one.capacity for host, one in bridges.items()},
        )
        yield gauges(
            "xmppd_callbridges_serving",
            "Call Bridges that take new logins of a domain.",
            "domain",
            {name: one.logins.serving_now for name, one in self._server.domains.items()},
        )
        yield counters(
            "xmppd_component_failures",
            "Links of components that failed, were refused or lost.",
            ("step", "reason"),
            self._server.components.failures,
        )

    def _known(self) -> list[str]:
        now = self._clock.seconds()
        if now - self._read_at >= _NAMES_KEPT:
            self._read_at = now
            with suppress(RegistryFault):  # the status says so; those that were known still are
                self._names = self._server.registry.hosts(MAX_COMPONENTS)
        return self._names


def expiries(server: Server) -> Iterable[common.Expiry]:
    """Answer until when the certificates in use are good."""
    for name, domain in server.domains.items():
        contexts = domain.contexts
        if contexts is None:
            continue
        yield common.Expiry("certificate", name, first_end(contexts.identity.chain))
        for role, authorities in (
            ("callbridge_ca", contexts.link.authorities),
            ("client_ca", contexts.client.authorities),
        ):
            if authorities:
                yield common.Expiry(role, name, first_end(authorities))
    if server.metrics_tls is not None:
        end = first_end(server.metrics_tls.identity.chain)
        yield common.Expiry("metrics_certificate", "", end)


def not_ready(server: Server, listening: bool) -> list[str]:
    """Answer why clients cannot log in now, a sentence for each reason; empty: they can."""
    if not listening:
        return ["xmppd is starting, or about to stop."]
    without = [name for name, one in server.domains.items() if not one.logins.serving_now]
    if len(without) < len(server.domains):
        return []
    return [
        f"No Call Bridge takes logins of {', '.join(without)}. `xmppctl status` says which there "
        "are, and what failed last."
    ]
