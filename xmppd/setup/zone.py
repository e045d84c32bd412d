"""The DNS records that an XMPP server needs, as lines of a zone file (RFC 1035 section 5)."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from daemonkit.hosts import parse_name
from daemonkit.listen import listening_ports, tcp_listen
from xmppd.config import Config

#: Nobody is asked there: they are for examples (RFC 5737, RFC 3849).
_ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


def zone_lines(config: Config) -> list[str]:
    """Answer the records of this server: its addresses, and where it is found for what."""
    host = f"{config.xmppd.hostname}."
    rows = [
        (host, "AAAA" if ":" in address else "A", address)
        for address in addresses((*config.client.listen, *config.component.listen))
    ]
    for domain in config.domains:
        for service, endpoints in config.services.items():
            name = f"{service}.{parse_name(domain.name)}."
            rows += [(name, "SRV", f"10 10 {port} {host}") for port in listening_ports(endpoints)]
    width = max(len(name) for name, _, _ in rows) if rows else 0
    return [f"{name.ljust(width)}  {kind.ljust(4)}  {data}" for name, kind, data in rows]


def addresses(endpoints: Sequence[str]) -> list[str]:
    """Answer those that are listened on by name, or those that this host speaks from."""
    named = [tcp.host for one in endpoints if (tcp := tcp_listen(one))]
    found = dict.fromkeys(one for one in named if one not in ("", "0.0.0.0", "::"))  # noqa: S104
    if found:
        return list(found)
    own = []
    for family, elsewhere in _ELSEWHERE:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((elsewhere, 9))  # sends nothing; the system chooses the address
                own.append(str(probe.getsockname()[0]))
            except OSError:
                continue
    return own
