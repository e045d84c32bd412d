"""Which parts make up the daemon, and how they are joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from random import SystemRandom
from typing import Any

from twisted.application.service import MultiService, Service
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from bridgewire import tls
from bridgewire.certificates import load_authorities, load_identity
from bridgewire.steps import Step
from callbridged.backends import IAccounts
from callbridged.backends.several import SeveralBackends
from callbridged.config import Config
from callbridged.control import commands
from callbridged.decoy_key import load_decoy_key
from callbridged.discovery import Discovery, FixedAddress, SrvDiscovery
from callbridged.dns import Resolver
from callbridged.guessing import Guessing
from callbridged.guests import Guests
from callbridged.link_interface import LinkSettings, State
from callbridged.links import Links
from callbridged.login import LoginService
from callbridged.relay import Relay
from callbridged.token_store import TokenStore
from callbridged.tokens import Tokens
from callbridged.user_certificates import UserCertificates
from daemonkit.control import ControlService
from daemonkit.notify import notify
from daemonkit.pulse import Pulse

#: Questions to the DNS at once. Password checks have the reactor's threads for themselves.
DNS_THREADS = 8

_NO_ACCOUNTS = (
    "none of the user backends ({}) can say who is a user without a password, so {} has no effect. "
    "Remove it, or let the backend provide IAccounts."
)


class Beginning(Service):
    """Starts first: says what is about to run, and what of it deserves a look (step 2)."""

    log = Logger()

    def __init__(self, config: Config, warnings: Sequence[str]) -> None:
        self._config = config
        self._warnings = warnings

    def startService(self) -> None:
        super().startService()
        callbridge = self._config.callbridge
        self.log.info(
            "step {number} ({step}), {domain}: this is Call Bridge {name}, XMPP servers are found "
            "by {how}, users are in {backend}",
            number=Step.CONFIGURATION.number,
            step=Step.CONFIGURATION,
            domain=callbridge.domain,
            name=callbridge.name,
            how="server_address" if callbridge.server_address else "SRV",
            backend=_names(self._config),
        )
        for warning in self._warnings:
            self.log.warn("{warning}", warning=warning)


class Readiness(Service):
    """Starts last and stops first: tells systemd."""

    def startService(self) -> None:
        super().startService()
        notify("READY=1")

    def stopService(self) -> None:
        super().stopService()
        notify("STOPPING=1")


def _names(config: Config) -> str:
    return ", ".join(one.name for one in config.users.backends)


def link_settings(config: Config) -> tuple[LinkSettings, tuple[str, ...]]:
    """Answer what links are made with, and warnings about the certificate files.

    Raises:
        CertificateFault: for files that cannot be used.
    """
    identity = load_identity(config.tls.certificate, config.tls.private_key)
    authorities = load_authorities(config.tls.xmpp_ca)
    settings = LinkSettings(
        name=config.callbridge.name,
        domain=config.callbridge.domain,
        secret=config.callbridge.secret,
        # A server may hold several domains: the domain, not the host, says which is meant.
        tls=tls.link_client(identity, authorities, config.callbridge.domain),
        verify=config.tls.verify,
        connect_timeout=config.link.connect_timeout,
        retry_initial=config.link.retry_initial,
        retry_max=config.link.retry_max,
        ping_interval=config.link.ping_interval,
        ping_timeout=config.link.ping_timeout,
    )
    return settings, identity.warnings


def find_servers(reactor: Any, config: Config, resolver: Resolver) -> Discovery:
    """Answer how the XMPP servers are found: by the address that is set, or by SRV."""
    address = config.callbridge.server_address
    if address is not None:
        return FixedAddress(address.host, address.port)
    return SrvDiscovery(reactor, resolver, config.callbridge.domain, SystemRandom())


def _started_pool(reactor: Any, threads: int, name: str) -> ThreadPool:
    pool = ThreadPool(0, threads, name)
    reactor.callWhenRunning(pool.start)
    reactor.addSystemEventTrigger("during", "shutdown", pool.stop)
    return pool


def make_service(reactor: Any, config: Config) -> MultiService:
    """Answer the daemon as one service. Raises CertificateFault and BackendFault."""
    callbridge = config.callbridge
    settings, identity_warnings = link_settings(config)
    pool = _started_pool(reactor, DNS_THREADS, "dns")
    resolver = Resolver(reactor, config.dns.nameservers, config.dns.timeout, pool=pool)
    discovery = find_servers(reactor, config, resolver)
    opened = [(one.name, one.open(reactor)) for one in config.users.backends]
    backend = SeveralBackends(reactor, opened)
    warnings = [*config.warnings, *identity_warnings]
    certificates = None
    if config.tls.user_ca is not None:
        certificates = UserCertificates(load_authorities(config.tls.user_ca))
        if not IAccounts.providedBy(backend):
            warnings.append(_NO_ACCOUNTS.format(_names(config), "[tls] user_ca"))
    guests = None
    if config.guest.enabled:
        guest = config.guest
        guests = Guests(
            reactor,
            guest.access_code,
            guest.max_guests,
            guest.lifetime,
            guest.max_guests_per_network,
        )
    tokens = None
    if config.tokens.enabled and IAccounts.providedBy(backend):
        # One thread: what is written waits for what is written before it in any case.
        in_thread = partial(deferToThreadPool, reactor, _started_pool(reactor, 1, "tokens"))
        store = TokenStore(callbridge.state_directory)
        tokens = Tokens(reactor, store, config.tokens.lifetime, in_thread)
    guessing = None
    if config.failed_logins is not None:
        guessing = Guessing(reactor, config.failed_logins)
    logins = LoginService(
        reactor,
        backend,
        callbridge.domain,
        decoy_key=load_decoy_key(callbridge.state_directory),
        certificates=certificates,
        guests=guests,
        tokens=tokens,
        guessing=guessing,
    )
    relay = Relay(reactor, logins, guests)
    backend.changed = relay.offer_again
    links = Links(reactor, discovery, resolver, settings, relay, limit=callbridge.links)
    daemon = MultiService()
    Beginning(config, warnings).setServiceParent(daemon)
    backend.setServiceParent(daemon)
    if tokens is not None:
        tokens.setServiceParent(daemon)
    links.setServiceParent(daemon)
    control = ControlService(
        reactor, callbridge.control_socket, commands(config, links, logins, relay, guests, guessing)
    )
    control.setServiceParent(daemon)
    Pulse(reactor, lambda: status_line(callbridge.name, links.status())).setServiceParent(daemon)
    Readiness().setServiceParent(daemon)
    return daemon


def status_line(name: str, links: Sequence[Mapping[str, Any]]) -> str:
    """Answer what ``systemctl status`` shows, from ``links`` of callbridgectl's status."""
    up = [str(link["target"]) for link in links if link["state"] == State.REGISTERED]
    down = [link for link in links if link["state"] != State.REGISTERED]
    said = [f"connected to {', '.join(up)} (secure), registered as {name}"] if up else []
    for link in down:
        error = link["last_error"]
        why = f", {error['step']}: {error['reason']}" if error else ""
        said.append(f"{link['target'] or 'no XMPP server'} {link['state']}{why}")
    return "; ".join(said)
