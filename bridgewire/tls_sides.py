"""The ends of a TLS connection in words: who they are, and where their certificates stand."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class End:
    """One end of a connection, in words that fit into a sentence."""

    who: str
    certificate: str
    authorities: str
    usage: str


@dataclass(frozen=True)
class Side:
    """Who we are, who the peer is, and what to do when the peer speaks no TLS."""

    us: End
    peer: End
    plain_text: str


_BRIDGE = End(
    "the Call Bridge",
    "the file of [tls] certificate in callbridged.ini",
    "the file of [tls] xmpp_ca in callbridged.ini",
    "clientAuth",
)
_SERVER = End(
    "the XMPP server",
    "the file of [tls] certificate in xmppd.ini",
    "the file of [tls] callbridge_ca in xmppd.ini",
    "serverAuth",
)
_CLIENT = End("the client", "the client's certificate", "the client's authorities", "clientAuth")

#: A link, seen by callbridged.
CALLBRIDGE = Side(
    _BRIDGE,
    _SERVER,
    "Check that server_address in callbridged.ini, or the SRV record, names the port of "
    "[component] listen in xmppd.ini (5223), not a port for clients or for plain text.",
)
#: A link, seen by xmppd.
XMPPD = Side(
    _SERVER,
    _BRIDGE,
    "This port takes TLS from the first byte. Switch TLS on in the component that connects to it.",
)
#: Browsers and scripts, seen by callbridged.
ADMIN_PORT = Side(
    End(
        "the Call Bridge",
        "the file of [admin] certificate, or else of [tls] certificate, in callbridged.ini",
        "no file",
        "serverAuth",
    ),
    End("the browser", "the browser's certificate", "the browser's authorities", "clientAuth"),
    "This port takes TLS from the first byte: write https:// in front of the address.",
)
#: XMPP clients, seen by xmppd.
CLIENT_PORT = Side(
    _SERVER,
    _CLIENT,
    "The client has to start TLS where this port expects it: at once, or after <starttls/>.",
)
