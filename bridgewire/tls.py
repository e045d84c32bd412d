"""TLS settings of both ends, and what a finished handshake tells (step 7).

TLS 1.2 or newer, no renegotiation, no sessions to resume: a link is made rarely, and every
handshake proves both sides anew. All connections of one creator share one OpenSSL context, which
is most of the memory that they would cost. `Connections.replace` gives it another one, for the
connections that are still to come.

With TLS 1.3 a client is done before the server has looked at the client's certificate: until the
first byte from the server arrives, ``handshakeCompleted`` does not mean that the server is content.

A server with several certificates: `bridgewire.sni`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal
from weakref import WeakSet

import idna
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from OpenSSL import SSL
from OpenSSL.crypto import X509, X509StoreFlags
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
)
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from bridgewire.identity import CertificateFault, Identity, load_identity
from bridgewire.naming import is_for_servers
from bridgewire.tls_failures import Connection, failure, openssl_reasons, refuse_untrusted
from bridgewire.tls_handshake import ServerConnection
from bridgewire.tls_sides import ADMIN_PORT, CALLBRIDGE, CLIENT_PORT, XMPPD, Side

__all__ = [
    "ADMIN_PORT",
    "CALLBRIDGE",
    "CLIENT_PORT",
    "XMPPD",
    "ClientCertificate",
    "ClientConnections",
    "Connections",
    "Side",
    "channel_bindings",
    "client_server",
    "failure",
    "link_client",
    "link_server",
    "peer_certificate",
    "version",
    "web_client",
    "web_server",
]

#: What a server does about its client's certificate. One that is presented must always be good.
ClientCertificate = Literal["required", "optional", "none"]

_VERIFY = {
    "required": SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT,
    "optional": SSL.VERIFY_PEER,
    "none": SSL.VERIFY_NONE,
}

#: Forward secrecy and authenticated encryption only; those of TLS 1.3 are all of that kind.
_TLS12_CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20"


def link_client(
    identity: Identity,
    authorities: Sequence[x509.Certificate],
    server_name: str | None = None,
) -> Connections:
    """The Call Bridge's end of a link: shows ``identity``, verifies the server's chain.

    The names in the server's certificate are not looked at here, see
    ``certificates.check_server_names``. ``server_name`` (a domain name, not an IP address) is sent
    as SNI. Raises CertificateFault if OpenSSL does not take the identity.
    """
    context = _context(identity, authorities, "required")
    return Connections(identity, context, authorities, server_name)


def link_server(
    identity: Identity, authorities: Sequence[x509.Certificate], mode: ClientCertificate
) -> Connections:
    """The server's end of a link: shows ``identity``, and asks for a certificate as ``mode`` says.

    A certificate that is presented must chain to ``authorities``, in ``optional`` mode too. Its
    name is for ``certificates.check_callbridge_name``. Raises CertificateFault if OpenSSL does not
    take the identity.
    """
    return Connections(identity, _context(identity, authorities, mode), authorities)


def client_server(
    identity: Identity,
    authorities: Sequence[x509.Certificate] = (),
    *,
    alpn: bytes = b"xmpp-client",
) -> Connections:
    """The server's end towards XMPP clients: for ``startTLS``, and for TLS from the first byte.

    With ``authorities`` a client is asked for a certificate and may have none; one that it shows
    must chain to them. ``alpn``: the protocol that clients may ask for (XEP-0368); who asks for
    others only gets none. Raises CertificateFault if OpenSSL does not take the identity.
    """
    context = _context(identity, authorities, "optional" if authorities else "none")

    def choose(_: SSL.Connection, offered: list[bytes]) -> Any:
        return alpn if alpn in offered else SSL.NO_OVERLAPPING_PROTOCOLS

    context.set_alpn_select_callback(choose)
    return Connections(identity, context, authorities)


def web_server(certificate: Path | None, private_key: Path | None) -> Connections | None:
    """A web server's end: shows the certificate in these files, and asks for none.

    None where it has none: it is without TLS. Raises CertificateFault.
    """
    if certificate is None or private_key is None:
        return None
    identity = load_identity(certificate, private_key)
    if not is_for_servers(identity.certificate):
        warning = (
            f"{certificate} is not meant for a web page, and browsers refuse it: its extended key "
            "usage lacks serverAuth. Have it issued anew with that."
        )
        identity = replace(identity, warnings=(*identity.warnings, warning))
    return client_server(identity, alpn=b"http/1.1")


def web_client(
    identity: Identity | None,
    authorities: Sequence[x509.Certificate] | None,
    server_name: str | None = None,
) -> ClientConnections:
    """A client's end towards a web server: verifies the server's chain.

    ``identity``: what to show, where the server asks. ``authorities`` None: those of the system.
    The names are not looked at here, see ``certificates.check_host_name``. ``server_name`` as for
    `link_client`. Raises CertificateFault if OpenSSL does not take the identity.
    """
    return ClientConnections(_context(identity, authorities, "required"), server_name)


def version(transport: Any) -> str | None:
    """``TLSv1.3``; None if the transport is not under TLS, or no longer."""
    connection = _connection(transport)
    return connection.get_protocol_version_name() if connection else None


def peer_certificate(
    transport: Any, verified_by: Connections | None = None
) -> x509.Certificate | None:
    """The peer's own certificate, or None if it showed none. Valid after the handshake only.

    ``verified_by``: only if it was held against these authorities. A client chooses by SNI whose
    authorities verify its certificate, which then proves nothing to the others.
    """
    connection = _connection(transport)
    if connection is None:
        return None
    if verified_by is not None and not verified_by.trusts(connection.get_context()):
        return None
    return connection.get_peer_certificate(as_cryptography=True)


def channel_bindings(transport: Any) -> dict[str, bytes]:
    """The data that SASL can bind to this server's end of a TLS connection, by type.

    ``tls-exporter`` (RFC 9266) with TLS 1.3, where the keys are unique to the connection;
    ``tls-server-end-point`` (RFC 5929 section 4) always. Empty without TLS.
    """
    connection = _connection(transport)
    if connection is None:
        return {}
    bindings = {}
    if connection.get_protocol_version() == SSL.TLS1_3_VERSION:
        label = b"EXPORTER-Channel-Binding"
        bindings["tls-exporter"] = connection.export_keying_material(label, 32, b"")
    certificate = connection.get_certificate(as_cryptography=True)
    if certificate is not None and certificate.signature_hash_algorithm is not None:
        algorithm = certificate.signature_hash_algorithm
        if isinstance(algorithm, hashes.MD5 | hashes.SHA1):
            algorithm = hashes.SHA256()
        bindings["tls-server-end-point"] = certificate.fingerprint(algorithm)
    return bindings


def _connection(transport: Any) -> SSL.Connection | None:
    get_handle = getattr(transport, "getHandle", None)
    handle = get_handle() if get_handle else None
    return handle if isinstance(handle, SSL.Connection) else None


def _context(
    identity: Identity | None,
    authorities: Sequence[x509.Certificate] | None,
    mode: ClientCertificate,
) -> SSL.Context:
    """The context, complete: pyOpenSSL lets nobody change one that has made a connection.

    ``authorities`` None: those that the system trusts.
    """
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(
        SSL.OP_NO_COMPRESSION
        | SSL.OP_CIPHER_SERVER_PREFERENCE
        | SSL.OP_NO_RENEGOTIATION
        | SSL.OP_NO_TICKET
    )
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)  # an idle connection keeps no buffers
    context.set_cipher_list(_TLS12_CIPHERS)
    if identity is not None:
        _show(context, identity)
    if authorities is None:
        context.set_default_verify_paths()
    else:
        _trust(context, authorities)
    context.set_verify(_VERIFY[mode], refuse_untrusted)
    return context


def _show(context: SSL.Context, identity: Identity) -> None:
    try:
        context.use_certificate(identity.certificate)
        for intermediate in identity.intermediates:
            context.add_extra_chain_cert(intermediate)
        context.use_privatekey(identity.private_key)
        context.check_privatekey()
    except SSL.Error as error:
        raise CertificateFault(
            [
                f"{identity.certificate_path}: OpenSSL does not take this certificate with the key "
                f"{identity.private_key_path} ({openssl_reasons(error)}). Make them anew, with "
                "ECDSA P-256 or with RSA of 2048 bits or more, signed with SHA-256."
            ]
        ) from None


def _trust(context: SSL.Context, authorities: Sequence[x509.Certificate]) -> None:
    store = context.get_cert_store()
    assert store is not None  # noqa: S101  OpenSSL makes one with every context
    for authority in authorities:
        store.add_cert(X509.from_cryptography(authority))
        context.add_client_ca(authority)  # a server tells its clients whom it trusts
    # Who is in the file is trusted, be it a root, an intermediate, or the peer itself.
    store.set_flags(X509StoreFlags.PARTIAL_CHAIN)


@implementer(IOpenSSLClientConnectionCreator)
class ClientConnections:
    """Makes the connections of one ``context``, for the end that connects."""

    def __init__(self, context: SSL.Context, server_name: str | None = None) -> None:
        self.context = context
        self._server_name = _sni(server_name) if server_name else None

    def clientConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        connection = Connection(self.context)
        if self._server_name:
            connection.set_tlsext_host_name(self._server_name)
        return connection


@implementer(IOpenSSLServerConnectionCreator)
class Connections(ClientConnections):
    """Makes the connections of one ``context``, which show ``identity``, for either end."""

    def __init__(
        self,
        identity: Identity,
        context: SSL.Context,
        authorities: Sequence[x509.Certificate] = (),
        server_name: str | None = None,
    ) -> None:
        """``authorities``: those that the peers' certificates are held against."""
        super().__init__(context, server_name)
        self.identity = identity
        self.authorities = tuple(authorities)
        #: Contexts of connections that may still be up, with the same authorities.
        self._former: WeakSet[SSL.Context] = WeakSet()

    def replace(self, other: Connections) -> None:
        """Make connections as ``other`` does from now on; those that are up stay as they are."""
        if other.authorities == self.authorities:
            self._former.add(self.context)
        else:
            self._former.clear()
        self.context, self.identity = other.context, other.identity
        self.authorities = other.authorities

    def trusts(self, context: SSL.Context) -> bool:
        """True where connections of ``context`` hold certificates against `authorities`."""
        return context is self.context or context in self._former

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        return ServerConnection(self.context)


def _sni(name: str) -> bytes:
    name = name.rstrip(".")
    return name.encode("ascii") if name.isascii() else idna.encode(name, uts46=True)
