"""Takes a changed xmppd.ini, and changed certificates, into use while the server runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from bridgewire import tls
from bridgewire.identity import CertificateFault
from daemonkit.credentials import in_words
from daemonkit.hosts import parse_domain
from daemonkit.ini import Setting
from daemonkit.logging.events import WARNING
from daemonkit.logging.log import Log
from daemonkit.logging.service import reopen
from daemonkit.reload import Differences, ReloadFault, compare
from xmppd.components.stream import Times
from xmppd.config import Config
from xmppd.domain import Contexts, load_contexts
from xmppd.networks import Networks
from xmppd.proxies import TrustedProxies

if TYPE_CHECKING:
    from xmppd.service import Server

#: Keys by section. Names are in addresses and registrations, and sockets are there already.
_FIXED: Mapping[str, tuple[str, ...]] = {
    "xmppd": ("domain", "hostname", "state_directory", "control_socket"),
    "component": ("listen",),
    "client": ("listen", "direct_tls_listen", "websocket_listen"),
    "metrics": ("listen",),
}
#: What belongs to the first domain.
_OF_FIRST = ("certificate", "private_key", "client_ca")
#: What belongs to the WebSocket port, and was checked together with it.
_OF_WEBSOCKET = ("websocket_url", "sign_in_page")
#: What the metrics port is made with, if it is with TLS.
_OF_METRICS = ("certificate", "private_key")

log = Logger()


@dataclass(frozen=True)
class Fresh:
    """What was read: the configuration as it will be in use, and, if they are new, the contexts."""

    config: Config
    differences: Differences
    contexts: Mapping[str, Contexts]
    metrics_tls: tls.Connections | None
    log: Callable[[], None]


def read(load: Callable[[], Config], server: Server, daemon_log: Log | None = None) -> Fresh:
    """Read all files. Takes its time, and changes nothing.

    ``daemon_log``: what a changed ``[log]`` moves; None: it is none of ours.

    Raises:
        ConfigurationFault: the file cannot be used.
        ReloadFault: a certificate, or the log, cannot be used.
    """
    new = load()
    config, differences = settle(server.config, new)
    contexts: Mapping[str, Contexts] = {}
    shown = None
    faults: list[str] = []
    if differences.touches("tls", "domain"):
        kept = {
            name: domain.contexts
            for name, domain in server.domains.items()
            if domain.contexts is not None and name not in _kept_names(server.config, new)
        }
        try:
            contexts = load_contexts(config, kept)
        except CertificateFault as fault:
            faults += fault.faults
    if differences.touches("metrics"):
        try:
            shown = tls.web_server(config.metrics.certificate, config.metrics.private_key)
        except CertificateFault as fault:
            faults += fault.faults
    if faults:
        raise ReloadFault(faults)
    return Fresh(config, differences, contexts, shown, reopen(daemon_log, config.log))


def settle(old: Config, new: Config) -> tuple[Config, Differences]:
    """Answer what of ``new`` can be in use without a restart, with the rest of ``old``."""
    stays = _kept_names(old, new)
    fixed = dict(_FIXED)
    if old.xmppd.domain not in stays:
        fixed["tls"] = _OF_FIRST
    if old.client.websocket_listen != new.client.websocket_listen:
        fixed["client"] += _OF_WEBSOCKET
    if (old.metrics.certificate is None) != (new.metrics.certificate is None):
        fixed["metrics"] += _OF_METRICS

    def is_fixed(setting: Setting) -> bool:
        kind, _, name = setting.section.partition(" ")
        if name and kind in ("domain", "turn"):
            return parse_domain(name) not in stays
        return setting.key in fixed.get(setting.section, ())

    def settled(section: str) -> Any:
        kept = {key: getattr(getattr(old, section), key) for key in fixed.get(section, ())}
        return replace(getattr(new, section), **kept)

    differences = compare(old.settings, new.settings, is_fixed)
    further = {one.name: one for one in new.further_domains if one.name in stays}
    config = replace(
        new,
        **{
            section: settled(section)
            for section in ("xmppd", "tls", "component", "client", "metrics")
        },
        further_domains=tuple(further.get(one.name, one) for one in old.further_domains),
        external_services={
            name: new.external_services[name] if name in stays else had
            for name, had in old.external_services.items()
        },
        settings=differences.settings,
    )
    return config, differences


def apply(fresh: Fresh, server: Server) -> Differences:
    """Take it into use. Who is connected stays; limits count for those who come."""
    fresh.log()
    for name, contexts in fresh.contexts.items():
        server.domains[name].take(contexts)
    if server.metrics_tls is not None and fresh.metrics_tls is not None:
        server.metrics_tls.replace(fresh.metrics_tls)
    configure(server, fresh.config)
    read = [contexts.identity for contexts in fresh.contexts.values()]
    if fresh.metrics_tls is not None:
        read.append(fresh.metrics_tls.identity)
    about_files = [one for identity in read for one in identity.warnings]
    for warning in dict.fromkeys((*fresh.config.warnings, *about_files)):
        log.warn(WARNING, text=in_words(warning))
    return fresh.differences


def configure(server: Server, config: Config) -> None:
    """Let all parts of the server follow ``config``, certificates apart."""
    server.config = config
    for name, domain in server.domains.items():
        domain.logins.deadline = config.login.deadline
        domain.logins.max_waiting = config.login.max_waiting
        server.queries[name].external = config.external_services[name]
    server.sessions.limit = config.session.max_sessions_per_user
    server.components.times = times(config)
    unlimited = unlimited_networks(config)
    server.failed_logins.reconfigure(config.failed_logins, unlimited)
    clients, limits = server.clients, config.limits
    clients.login_timeout = config.client.login_timeout
    clients.resumption_timeout = config.session.resumption_timeout
    clients.connections.set_limits(
        limits.max_connections, limits.max_connections_per_address, unlimited
    )
    clients.unauthenticated.set_limits(
        limits.max_not_logged_in, limits.max_not_logged_in_per_address, unlimited
    )
    if server.site is not None:
        proxies = TrustedProxies(config.client.trusted_proxies)
        server.site.reconfigure(proxies, config.client, config.xmppd.hostname)


def times(config: Config) -> Times:
    """Answer those of component streams; one that is up keeps its interval."""
    return Times(
        registration_timeout=config.component.registration_timeout,
        ping_interval=config.component.ping_interval,
        ping_timeout=config.component.ping_timeout,
    )


def unlimited_networks(config: Config) -> Networks:
    """Answer the addresses that are not counted: a proxy's stands for many."""
    return Networks((*config.limits.unlimited_networks, *config.client.trusted_proxies))


def _kept_names(old: Config, new: Config) -> frozenset[str]:
    """The domains that both serve, and both as their first, or both as a further one."""
    first = {old.xmppd.domain} & {new.xmppd.domain}
    further = {one.name for one in old.further_domains} & {one.name for one in new.further_domains}
    return frozenset(first | further)
