"""TURN and STUN servers that clients are told of (XEP-0215), and credentials for them.

The credentials are those of the "REST API for Access to TURN Services", which coturn takes with
``use-auth-secret``: a username that begins with the time of its end, and a password that whoever
knows the shared secret can make, and check. So the TURN server keeps no users, and nobody is asked.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, cast, get_args

from twisted.words.xish.domish import Element

from bridgewire.namespaces import EXTERNAL_SERVICES
from daemonkit.hosts import HostPort, parse_domain, parse_host_port
from daemonkit.ini import IniReader, Section

Kind = Literal["stun", "stuns", "turn", "turns"]
Transport = Literal["udp", "tcp"]

#: Octets of a localpart in a username; a STUN username is shorter than 509 (RFC 8489 section 14.3).
MAX_LOCALPART = 255
#: By scheme (RFC 7064 and 7065): the port and the transport where the URI names none.
_DEFAULTS: Mapping[Kind, tuple[int, Transport]] = {
    "stun": (3478, "udp"),
    "stuns": (5349, "tcp"),
    "turn": (3478, "udp"),
    "turns": (5349, "tcp"),
}


@dataclass(frozen=True)
class Credentials:
    """For a TURN server, until ``expires`` (aware, whole seconds)."""

    username: str
    password: str = field(repr=False)
    expires: datetime


@dataclass(frozen=True)
class Service:
    """One server over one transport. ``host``: in A-labels, or an address without brackets."""

    kind: Kind
    host: str
    port: int
    transport: Transport

    @property
    def restricted(self) -> bool:
        """True where it wants credentials: a relay does, an echo of one's address does not."""
        return self.kind in ("turn", "turns")

    def __str__(self) -> str:
        """The URI."""
        transport = f"?transport={self.transport}" if self.restricted else ""
        return f"{self.kind}:{HostPort(self.host, self.port)}{transport}"

    def to_element(self, credentials: Credentials) -> Element:
        """Answer ``<service/>``, with the credentials where it wants some."""
        service = Element((EXTERNAL_SERVICES, "service"))
        service["type"], service["host"], service["port"] = self.kind, self.host, str(self.port)
        service["transport"] = self.transport
        if self.restricted:
            service["restricted"] = "true"
            service["username"] = credentials.username
            service["password"] = credentials.password
            service["expires"] = credentials.expires.strftime("%Y-%m-%dT%H:%M:%SZ")
        return service


@dataclass(frozen=True)
class ExternalServices:
    """``[turn]``: the services, in the order of preference; how long credentials count (seconds).

    ``secret``: what the TURN servers know as well.
    """

    services: tuple[Service, ...] = ()
    secret: str = field(default="", repr=False)
    lifetime: float = 12 * 3600.0

    def credentials(self, localpart: str, now: datetime, until: datetime | None) -> Credentials:
        """Answer those of a user, which do not count beyond ``until``, when the session ends."""
        seconds = now.timestamp() + self.lifetime
        if until is not None:
            seconds = min(seconds, until.timestamp())
        name = localpart.encode()[:MAX_LOCALPART].decode(errors="ignore")
        username = f"{int(seconds)}:{name}"
        proof = hmac.digest(self.secret.encode(), username.encode(), "sha1")
        expires = datetime.fromtimestamp(int(seconds), UTC)
        return Credentials(username, base64.b64encode(proof).decode("ascii"), expires)


def parse_service(text: str) -> Service:
    """Answer the service that a URI names (RFC 7064, RFC 7065).

    Raises:
        ValueError: with a sentence that says what is wrong with it.
    """
    scheme, _, rest = text.partition(":")
    kind = cast(Kind, scheme.lower())
    if kind not in get_args(Kind) or rest.startswith("/"):
        raise ValueError(
            f"{text[:80]!r} is no URI of a TURN or STUN server. Write it like "
            "stun:turn.example.com:3478 or turn:turn.example.com:3478?transport=udp."
        )
    where, question, query = rest.partition("?")
    host, port = parse_host_port(where)
    default_port, transport = _DEFAULTS[kind]
    if question:
        wanted = cast(Transport, query.removeprefix("transport="))
        if kind in ("stun", "stuns") or wanted == query or wanted not in get_args(Transport):
            raise ValueError(
                f"{text[:80]!r} has {query[:40]!r} behind the question mark. Only turn: and turns: "
                "may have something there: transport=udp or transport=tcp."
            )
        transport = wanted
    return Service(kind, host, port or default_port, transport)


def read_external_services(
    reader: IniReader, domains: Iterable[str]
) -> Mapping[str, ExternalServices]:
    """Read ``[turn]``, and ``[turn NAME]`` for a domain that has others; by the name of the domain.

    Faults are noted in the reader.
    """
    usual = _read(reader.section("turn"))
    services = dict.fromkeys(domains, usual)
    own = set()
    for name, section in reader.named_sections("turn"):
        if not name:
            continue
        try:
            domain = parse_domain(name)
        except ValueError as error:
            section.fault_of_heading(str(error))
        else:
            if domain in own or domain not in services:
                section.fault_of_heading(
                    f"{domain} is {'there twice' if domain in own else 'no domain of this server'}."
                    " Correct the name, or remove the section."
                )
            own.add(domain)
            services[domain] = _read(section)
    return services


def _read(section: Section) -> ExternalServices:
    services = section.items("services", parse_service, ())
    secret = section.secret_or_file("secret")
    has_secret = section.has("secret") or section.has("secret_file")
    if len(set(services)) < len(services):
        section.fault("services", "one is there twice. Remove one of the two.")
    if any(one.restricted for one in services) and not has_secret:
        section.fault(
            "secret_file",
            "nobody could log in to the TURN servers. Put what coturn has as static-auth-secret "
            "into a file, and name it here.",
        )
    lifetime = section.duration("lifetime", 12 * 3600.0, minimum=60.0, maximum=168 * 3600.0)
    return ExternalServices(services, secret, lifetime)
