"""An XMPP domain that this server serves: its name, who answers its logins, its certificate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509

from bridgewire import tls
from bridgewire.identity import (
    CertificateFault,
    Identity,
    load_authorities,
    load_identity,
)
from bridgewire.sni import choose_by_name
from xmppd.config import Config
from xmppd.config_domains import ServedDomain
from xmppd.logins import Logins


@dataclass(frozen=True)
class Contexts:
    """How a domain speaks TLS: with Call Bridges and other components, with clients over TCP, and
    with clients over WebSocket, who are not asked for a certificate.
    """

    link: tls.Connections
    client: tls.Connections
    websocket: tls.Connections

    @property
    def identity(self) -> Identity:
        """What all three show."""
        return self.link.identity

    def replace(self, others: Contexts) -> None:
        """Let new connections be as those of ``others``. The ports go on with these objects."""
        self.link.replace(others.link)
        self.client.replace(others.client)
        self.websocket.replace(others.websocket)


@dataclass(frozen=True, eq=False)
class Domain:
    """One domain. ``name`` is in U-labels, as XMPP has it. ``contexts`` None: no TLS, for tests."""

    name: str
    logins: Logins
    contexts: Contexts | None = field(default=None, repr=False)

    def take(self, contexts: Contexts) -> None:
        """Let new connections be as ``contexts`` has them."""
        if self.contexts is not None:
            self.contexts.replace(contexts)

    def client_certificate(self, transport: Any) -> x509.Certificate | None:
        """Answer the certificate of a client that this domain's own ``client_ca`` vouches for.

        A client that named another domain in its TLS handshake (SNI) has shown it to that one.
        """
        verified_by = self.contexts.client if self.contexts else None
        return tls.peer_certificate(transport, verified_by)


def load_contexts(
    config: Config, kept: Mapping[str, Contexts] | None = None
) -> dict[str, Contexts]:
    """Read the certificates of all domains, in the order of the configuration, the first in front.

    A peer that names a domain in TLS (SNI) gets that one's, whichever it was begun with. The files
    of the domains in ``kept`` are not read: those have what they had.

    Raises:
        CertificateFault: with all that is wrong with the files.
    """
    faults: list[str] = []
    loaded: dict[str, Contexts] = {}
    for domain in config.domains:
        try:
            had = kept.get(domain.name) if kept else None
            identity, client_ca = _load(domain) if had is None else _of(had)
            callbridge_ca = load_authorities(config.tls.callbridge_ca)
            loaded[domain.name] = Contexts(
                link=tls.link_server(identity, callbridge_ca, config.tls.callbridge_certificate),
                client=tls.client_server(identity, client_ca),
                websocket=tls.client_server(identity, alpn=b"http/1.1"),
            )
        except CertificateFault as fault:
            faults += (one for one in fault.faults if one not in faults)
    if faults:
        raise CertificateFault(faults)
    for kind in ("link", "client", "websocket"):
        choose_by_name({name: getattr(contexts, kind) for name, contexts in loaded.items()})
    return loaded


def _load(domain: ServedDomain) -> tuple[Identity, tuple[x509.Certificate, ...]]:
    identity = load_identity(domain.certificate, domain.private_key)
    return identity, load_authorities(domain.client_ca) if domain.client_ca else ()


def _of(contexts: Contexts) -> tuple[Identity, tuple[x509.Certificate, ...]]:
    return contexts.identity, contexts.client.authorities
