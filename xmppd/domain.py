"""An XMPP domain that this server serves: its name, who answers its logins, its certificate."""

from __future__ import annotations

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
from xmppd.login import Logins


@dataclass(frozen=True)
class Contexts:
    """How a domain speaks TLS: with Call Bridges and other components, with clients over TCP, and
    with clients over WebSocket, who are not asked for a certificate.
    """

    identity: Identity
    link: tls.Connections
    client: tls.Connections
    websocket: tls.Connections


@dataclass(frozen=True, eq=False)
class Domain:
    """One domain. ``name`` is in U-labels, as XMPP has it. ``contexts`` None: no TLS, for tests."""

    name: str
    logins: Logins
    contexts: Contexts | None = field(default=None, repr=False)

    def client_certificate(self, transport: Any) -> x509.Certificate | None:
        """Answer the certificate of a client that this domain's own ``client_ca`` vouches for.

        A client that named another domain in its TLS handshake (SNI) has shown it to that one.
        """
        verified_by = self.contexts.client if self.contexts else None
        return tls.peer_certificate(transport, verified_by)


def load_contexts(config: Config) -> dict[str, Contexts]:
    """Read the certificates of all domains, in the order of the configuration, the first in front.

    A peer that names a domain in TLS (SNI) gets that one's, whichever it was begun with.

    Raises:
        CertificateFault: with all that is wrong with the files.
    """
    faults: list[str] = []
    loaded: dict[str, Contexts] = {}
    for domain in config.domains:
        try:
            identity = load_identity(domain.certificate, domain.private_key)
            callbridge_ca = load_authorities(config.tls.callbridge_ca)
            client_ca = load_authorities(domain.client_ca) if domain.client_ca else ()
            loaded[domain.name] = Contexts(
                identity,
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
