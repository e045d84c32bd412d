"""Which of several certificates a server shows: the one of the name that its client asks for.

Server Name Indication, RFC 6066 section 3. With a certificate go the authorities that verify the
client's, and whether the client is asked for one at all.
"""

from __future__ import annotations

from collections.abc import Mapping

import idna
from OpenSSL import SSL

from bridgewire.naming import names
from bridgewire.tls import Connections
from bridgewire.tls_failures import refuse_untrusted


def choose_by_name(servers: Mapping[str, Connections]) -> None:
    """Let each of these become the one that its client names; else it stays what it is.

    ``servers``: by domain, in U-labels or A-labels. Besides its domain one also goes by the DNS
    names in its certificate; where two have the same, by the first one's. To be called before any
    of them has made a connection.
    """
    contexts = {_a_labels(name): server.context for name, server in servers.items()}
    for server in servers.values():
        for name in names(server.identity.certificate).dns:
            contexts.setdefault(name.lower(), server.context)

    def choose(connection: SSL.Connection) -> None:
        name = (connection.get_servername() or b"").decode("ascii", "replace").lower().rstrip(".")
        context = contexts.get(name) or contexts.get("*." + name.partition(".")[2])
        if context is None or context is connection.get_context():
            return
        connection.set_context(context)
        mode = context.get_verify_mode()
        if mode != connection.get_verify_mode():  # this one does not come with the context
            connection.set_verify(mode, refuse_untrusted)

    for server in servers.values():
        server.context.set_tlsext_servername_callback(choose)


def _a_labels(name: str) -> str:
    return name.lower() if name.isascii() else idna.encode(name, uts46=True).decode("ascii")
