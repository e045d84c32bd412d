"""How a new Call Bridge finds its servers: by the DNS, or by the address in its join file."""

from __future__ import annotations

import dns.exception
import dns.resolver

from callbridged.config import Config
from callbridged.links.dns import lookup
from daemonkit.ini_edit import Value


def server_address(config: Config, server: str) -> tuple[list[Value], str]:
    """Answer what to set, and why: nothing where the DNS has SRV records, or an address is set.

    ``server``: HOST:PORT of the one that made the join file.
    """
    if config.callbridge.server_address is not None or not server:
        return [], ""
    name = f"_xmpp-component._tcp.{config.callbridge.domain}"
    try:
        lookup(config.dns.nameservers, name, "SRV", config.dns.timeout)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        why = f"There is no SRV record {name} yet"
    except (dns.exception.DNSException, OSError):
        why = f"The DNS did not answer for {name}"
    else:
        return [], ""
    return [Value("callbridge", "server_address", server)], (
        f"{why}, so server_address = {server} is set. Once the record is there, empty it: then "
        "other servers are found, too."
    )
