"""The parts of a running Call Bridge, how they are joined, and how they follow a configuration."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import SystemRandom
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from bridgewire import tls
from bridgewire.certificates import load_authorities, load_identity
from callbridged.backends import IAccounts
from callbridged.backends.several import SeveralBackends
from callbridged.config import Config
from callbridged.links.discovery import Discovery, FixedAddress, SrvDiscovery
from callbridged.links.dns import Resolver
from callbridged.links.generation import Plan
from callbridged.links.link_interface import LinkSettings
from callbridged.links.moving import MovingLinks
from callbridged.logins.decoy_key import load_decoy_key
from callbridged.logins.guessing import Guessing
from callbridged.logins.guests import Guests
from callbridged.logins.login import LoginService
from callbridged.logins.relay import Relay
from callbridged.logins.token_store import TokenStore
from callbridged.logins.tokens import Tokens
from callbridged.logins.user_certificates import UserCertificates

#: Questions to the DNS at once. Password checks have the reactor's threads for themselves.
DNS_THREADS = 8

_NO_ACCOUNTS = (
    "none of the user backends ({}) can say who is a user without a password, so {} has no effect. "
    "Remove it, or let the backend provide IAccounts."
)


class Bridge(MultiService):
    """The parts, without what operators see of them.

    ``guests``, ``tokens``, ``guessing``: None until they are enabled; the first two stay when they
    no longer are, for those who are there. ``certificates``: what users' are looked at with, None
    where they have none. ``warnings``: for the log.
    """

    def __init__(self, reactor: Any, config: Config) -> None:
        """Raises CertificateFault and BackendFault."""
        super().__init__()
        self.config = config
        settings, warnings = link_settings(config)
        certificates = user_certificates(config)
        self.guests: Guests | None = None
        self.tokens: Tokens | None = None
        self.guessing: Guessing | None = None
        #: TLS of our own ports, by the section of their settings; a reload replaces what they show.
        self.ports: dict[str, tls.Connections] = {}
        #: Told of the configuration that is in use after a reload.
        self.followers: list[Callable[[Config], None]] = []
        self._reactor = reactor
        self._dns_threads = _started_pool(reactor, DNS_THREADS, "dns")
        opened = [(one.name, one.open(reactor)) for one in config.users.backends]
        self.users = SeveralBackends(reactor, opened)
        self.logins = LoginService(
            reactor,
            self.users,
            config.callbridge.domain,
            decoy_key=load_decoy_key(config.callbridge.state_directory),
        )
        self.relay = Relay(self.logins)
        self.users.changed = self.relay.offer_again
        self.users.setServiceParent(self)
        self.configure(config, certificates)
        self.links = MovingLinks(reactor, self._plan(config, settings), self.relay)
        self.links.setServiceParent(self)
        self.warnings = (*config.warnings, *warnings, *self.ineffective())

    def configure(self, config: Config, certificates: UserCertificates | None) -> None:
        """Let logins follow ``config`` from now on, links and backends apart.

        ``certificates``: out of its ``user_ca``.
        """
        self.config = config
        self.certificates = certificates
        self._configure_guests()
        self._configure_tokens()
        limits = config.failed_logins
        if limits is None:
            self.guessing = None
        elif self.guessing is None:
            self.guessing = Guessing(self._reactor, limits)
        else:
            self.guessing.reconfigure(limits)
        self.logins.reconfigure(
            certificates,
            self.guests if config.guest.enabled else None,
            self.tokens if config.tokens.enabled and IAccounts.providedBy(self.users) else None,
            self.guessing,
        )

    def reconnect(self, config: Config, settings: LinkSettings, at_once: bool = False) -> None:
        """Make links as ``config`` and ``settings`` say from now on.

        Those that are up stay, or move: then until the new ones are up, or end ``at_once``.
        """
        self.links.reconfigure(self._plan(config, settings), at_once=at_once)

    def _plan(self, config: Config, settings: LinkSettings) -> Plan:
        resolver, callbridge = self.resolver(config), config.callbridge
        discovery = find_servers(self._reactor, config, resolver)
        return Plan(settings, discovery, resolver, callbridge.server_address, callbridge.links)

    def resolver(self, config: Config) -> Resolver:
        """Answer what asks the DNS as ``[dns]`` says."""
        dns = config.dns
        return Resolver(self._reactor, dns.nameservers, dns.timeout, pool=self._dns_threads)

    def ineffective(self) -> list[str]:
        """Answer warnings about what is set and has no effect."""
        if self.config.tls.user_ca is None or IAccounts.providedBy(self.users):
            return []
        names = ", ".join(one.name for one in self.config.users.backends)
        return [_NO_ACCOUNTS.format(names, "[tls] user_ca")]

    def _configure_guests(self) -> None:
        guest = self.config.guest
        if not guest.enabled:
            return
        if self.guests is None:
            self.guests = self.relay.guests = Guests(self._reactor)
        self.guests.reconfigure(
            guest.access_code, guest.max_guests, guest.lifetime, guest.max_guests_per_network
        )

    def _configure_tokens(self) -> None:
        tokens = self.config.tokens
        if self.tokens is None and tokens.enabled and IAccounts.providedBy(self.users):
            # One thread: what is written waits for what is written before it in any case.
            pool = _started_pool(self._reactor, 1, "tokens")
            store = TokenStore(self.config.callbridge.state_directory)
            in_thread = partial(deferToThreadPool, self._reactor, pool)
            self.tokens = Tokens(store, tokens.lifetime, in_thread)
            self.tokens.setServiceParent(self)
        if self.tokens is not None:
            self.tokens.lifetime = tokens.lifetime


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


def user_certificates(config: Config) -> UserCertificates | None:
    """Answer what users' certificates are looked at with; None where they have none.

    Raises:
        CertificateFault: for a file that cannot be used.
    """
    user_ca = config.tls.user_ca
    return None if user_ca is None else UserCertificates(load_authorities(user_ca))


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
