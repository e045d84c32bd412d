"""LDAP URLs (RFC 4516), of which a directory server's address is all that is wanted."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from re import fullmatch

from daemonkit.hosts import HostPort, is_address, parse_host_port

_PORTS = {"ldap": 389, "ldaps": 636}


@dataclass(frozen=True)
class DirectoryUrl:
    """``scheme://host:port``. ``host``: A-labels, or an address without brackets."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        port = None if self.port == _PORTS[self.scheme] else self.port
        return f"{self.scheme}://{HostPort(self.host, port)}"

    @property
    def tls(self) -> bool:
        """True where TLS begins with the first byte."""
        return self.scheme == "ldaps"

    @property
    def loopback(self) -> bool:
        """True where what is sent does not leave the machine."""
        if is_address(self.host):
            return ip_address(self.host).is_loopback
        return self.host == "localhost"


def parse_url(text: str) -> DirectoryUrl:
    """Answer what an ldap or ldaps URL says. Raises ValueError with a sentence."""
    match = fullmatch(r"(?i:(ldaps?))://([^/?#\s]+)(/?)(.*)", text)
    if match is None:
        raise ValueError(
            f"{text[:80]!r} is no URL of a directory server. Write it like "
            "ldap://ldap.example.com or ldaps://ldap.example.com:636."
        )
    scheme, authority, rest = match[1].lower(), match[2], match[4]
    if rest:
        raise ValueError(
            f"{text[:80]!r} has more than a host and a port in it. What to search is said by base, "
            "scope and filter."
        )
    if "@" in authority:
        raise ValueError("there is a name in the URL. Use bind_dn and bind_password_file.")
    host, port = parse_host_port(authority)
    return DirectoryUrl(scheme, host, port or _PORTS[scheme])
