"""What the DNS should say about this server: addresses, and SRV records that lead here."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence

import dns.exception
import dns.name
import dns.nameserver
import dns.resolver

from daemonkit.hosts import HostPort, parse_name
from daemonkit.listen import listening_ports
from xmppd.check.condition import Condition, failure, success, warning
from xmppd.config import Config

#: Seconds for one question.
TIMEOUT = 5.0
#: Where systemd's sockets hide the port, nobody misses a record for it.
_OPTIONAL = ("_xmpps-client._tcp",)


def records(config: Config, nameserver: HostPort | None) -> Iterator[Condition]:
    """Answer one condition for each record. ``nameserver`` None: the system's are asked."""
    try:
        asked = dns.resolver.Resolver(configure=nameserver is None)
        if nameserver is not None:
            where = socket.getaddrinfo(nameserver.host, None)[0][4][0]
            asked.nameservers = [dns.nameserver.Do53Nameserver(str(where), nameserver.port or 53)]
    except OSError as error:
        yield failure("DNS", f"{nameserver}: {error.strerror}.", "Correct --nameserver.")
        return
    except dns.resolver.NoResolverConfiguration as error:
        yield warning("DNS", f"nobody can be asked: {error}.", "Look at /etc/resolv.conf.")
        return
    host = config.xmppd.hostname
    try:
        addresses = [one for kind in ("A", "AAAA") for one in _ask(asked, host, kind)]
    except dns.exception.DNSException as error:
        yield warning("DNS", f"it did not answer for {host}: {error}.", "Ask it with dig.")
        return
    elsewhere = [one for one in addresses if not _is_here(one)]
    if elsewhere:
        text = f"{', '.join(elsewhere)} is no address of this host."
        remedy = "Behind NAT that is right; else correct the record."
        yield warning(f"addresses of {host}", text, remedy)
    elif addresses:
        yield success(f"addresses of {host}", f"{', '.join(addresses)}, of this host.")
    else:
        remedy = "Add one, or correct hostname under [xmppd]."
        yield warning(f"addresses of {host}", "there is no A and no AAAA record.", remedy)
    for domain in config.domains:
        for service, endpoints in config.services.items():
            ports = listening_ports(endpoints)
            if ports or (endpoints and service not in _OPTIONAL):
                yield _srv(asked, f"{service}.{parse_name(domain.name)}", host, ports)


def _is_here(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as trial:
        try:
            trial.bind((address, 0))
        except OSError:
            return False
    return True


def _srv(resolver: dns.resolver.Resolver, name: str, host: str, ports: Sequence[int]) -> Condition:
    about = f"SRV {name}"
    wanted = f"{name}. SRV 10 10 {ports[0] if ports else 'PORT'} {host}."
    try:
        found = _ask(resolver, name, "SRV")
    except dns.exception.DNSException as error:
        return warning(about, f"the DNS did not answer: {error}.", "Ask it with dig.")
    here = [one for one in found if one.lower().endswith(f" {host}.")]
    if not here:
        said = f"it has {'; '.join(found)}" if found else "there is none"
        return warning(about, f"{said}; this server is found by nobody.", f"Publish {wanted}")
    wrong = [one for one in here if ports and int(one.split()[2]) not in ports]
    if wrong:
        return failure(
            about, f"{wrong[0]} names a port that xmppd does not listen on.", f"Publish {wanted}"
        )
    return success(about, "; ".join(here))  # each ends with the dot of its name


def _ask(resolver: dns.resolver.Resolver, name: str, kind: str) -> list[str]:
    """Answer the records as text. Raises DNSException where nobody could tell."""
    try:
        answer = resolver.resolve(dns.name.from_text(name), kind, lifetime=TIMEOUT, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    return [record.to_text() for record in answer]
