"""``[http NAME]`` of callbridged.ini: where the web hook is, and what it can answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from re import fullmatch

from cryptography import x509

from bridgewire.certificates import Identity
from callbridged.backends.tls_settings import describe_trust, read_authorities, read_identity
from callbridged.scram_keys import ITERATIONS, MAX_ITERATIONS, MIN_ITERATIONS, SCHEMES
from daemonkit.hosts import HostPort, is_address, parse_host_port
from daemonkit.ini import IniReader, Section

#: Seconds for one question, connecting included.
TIMEOUT = 5.0
#: Connections at once; more questions wait for one.
CONNECTIONS = 50
#: Characters of a URL.
MAX_URL = 2048

_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class HookUrl:
    """``scheme://host:port/path``. ``host``: A-labels, or an address without brackets.

    ``path`` has the query with it, and is ASCII.
    """

    scheme: str
    host: str
    port: int
    path: str = field(repr=False)

    def __str__(self) -> str:
        """The whole URL, the query included."""
        port = None if self.port == _PORTS[self.scheme] else self.port
        return f"{self.scheme}://{HostPort(self.host, port)}{self.path}"

    @property
    def shown(self) -> str:
        """As people may see it: a query may have a secret in it."""
        path, question_mark, _ = str(self).partition("?")
        return path + (question_mark and "?(hidden)")

    @property
    def loopback(self) -> bool:
        """True where what is sent does not leave the machine."""
        if is_address(self.host):
            return ip_address(self.host).is_loopback
        return self.host == "localhost"


@dataclass(frozen=True)
class HookSettings:
    """One section. ``timeout`` in seconds; ``accounts``: the hook answers for accounts, too.

    ``authorities``, out of ``ca``, None: those of the system; ``identity`` None: nothing is shown;
    ``bearer_token`` empty: none is sent. ``iterations``: of most users' SCRAM keys.
    """

    name: str
    url: HookUrl
    authorities: Sequence[x509.Certificate] | None
    identity: Identity | None = field(repr=False)
    bearer_token: str = field(repr=False)
    timeout: float
    connections: int
    mechanisms: frozenset[str]
    accounts: bool
    iterations: int
    ca: Path | None = None

    @property
    def section(self) -> str:
        """``[http NAME]``, for messages."""
        return f"[http {self.name}]"

    @property
    def trust(self) -> str:
        """Where the certificates of trusted authorities are, for messages."""
        return describe_trust(self.ca, self.section)


def read_settings(name: str, ini: IniReader) -> HookSettings:
    """Read ``[http NAME]``. Faults are noted there."""
    section = ini.section(f"http {name}")
    url = section.parsed("url", parse_url, shown=lambda value: value.shown)
    allowed = section.boolean("allow_plain_http", False)
    ca, authorities = read_authorities(section, ini)
    settings = HookSettings(
        name=name,
        url=url,
        authorities=authorities,
        identity=read_identity(section, ini),
        bearer_token=_bearer_token(section),
        timeout=section.duration("timeout", TIMEOUT, minimum=0.1, maximum=60.0),
        connections=section.integer("connections", CONNECTIONS, minimum=1, maximum=200),
        mechanisms=frozenset(
            section.items("mechanisms", _mechanism, ("PLAIN",), separator=",") or ("PLAIN",)
        ),
        accounts=section.boolean("accounts", False),
        iterations=section.integer(
            "iterations", ITERATIONS, minimum=MIN_ITERATIONS, maximum=MAX_ITERATIONS
        ),
        ca=ca,
    )
    if url is not None:  # else that is a fault already
        _check_way(section, settings, allowed)
        _warn(ini, settings)
    return settings


def _check_way(section: Section, settings: HookSettings, allowed: bool) -> None:
    """Passwords and tokens go over TLS, unless they stay on this machine."""
    url = settings.url
    if url.scheme == "https":
        return
    if not url.loopback and not allowed:
        section.fault(
            "url",
            "passwords would cross the network in plain text. Use https; or, where the network is "
            "protected by other means, set allow_plain_http = yes.",
        )
    for key in ("ca", "certificate", "private_key"):
        if section.has(key):
            section.fault(key, "it is for https, and url says http. Use https, or remove this.")


def _warn(ini: IniReader, settings: HookSettings) -> None:
    url, warnings = settings.url, ini.findings.warnings
    if url.scheme == "http" and not url.loopback:
        warnings.append(
            f"{settings.section}: passwords cross the network to {url.host} in plain text."
        )
    unknown = not settings.bearer_token and settings.identity is None
    if unknown and not url.loopback and ini.findings.check_files:
        warnings.append(
            f"{settings.section}: the web hook cannot see who asks, so whoever reaches it can try "
            "passwords there. Set certificate and private_key, or bearer_token_file."
        )


def _bearer_token(section: Section) -> str:
    token = section.secret_or_file("bearer_token")
    if token and not fullmatch(r"[A-Za-z0-9._~+/-]+=*", token):
        section.fault(
            "bearer_token" if section.has("bearer_token") else "bearer_token_file",
            "a bearer token has letters, digits and -._~+/ in it, and may end with = (RFC 6750). "
            "Choose another.",
        )
    return token


def _mechanism(text: str) -> str:
    offered = ("PLAIN", *SCHEMES)
    name = text.upper()
    if name not in offered:
        raise ValueError(f"{text[:40]!r} is none of {', '.join(offered)}.")
    return name


def parse_url(text: str) -> HookUrl:
    """Answer what an http or https URL says. Raises ValueError with a sentence."""
    match = fullmatch(r"(?i:(https?))://([^/?]+)(.*)", text)
    if match is None or len(text) > MAX_URL:
        raise ValueError(
            f"this is no URL of a web hook. Write it like https://hook.example.com/login, with up "
            f"to {MAX_URL} characters."
        )
    scheme, authority, path = match[1].lower(), match[2], match[3]
    if "@" in authority:
        raise ValueError("there is a user name or password in it. Use bearer_token_file instead.")
    if "#" in text or not all("!" <= letter <= "~" for letter in path):
        raise ValueError(
            "its path has a character that cannot be there. Write it as %20 and the like (RFC "
            "3986), and leave out what begins with #."
        )
    host, port = parse_host_port(authority)
    if not path.startswith("/"):
        path = f"/{path}"
    return HookUrl(scheme, host, port or _PORTS[scheme], path)
