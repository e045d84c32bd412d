"""``[ldap NAME]`` of callbridged.ini: which directory, and how users are found in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from re import fullmatch
from typing import Literal, get_args

from cryptography import x509

from bridgewire.certificates import Identity
from callbridged.backends.ldap.templates import Template, parse_filter, parse_user_dn
from callbridged.backends.ldap.urls import DirectoryUrl, parse_url
from callbridged.backends.tls_settings import describe_trust, read_authorities, read_identity
from callbridged.scram_keys import ITERATIONS, MAX_ITERATIONS, MIN_ITERATIONS, SCHEMES
from daemonkit.hosts import parse_name
from daemonkit.ini import IniReader, Section

#: Seconds for one login, connecting included.
TIMEOUT = 5.0
#: Connections for searches, and as many for binds.
CONNECTIONS = 30

Tls = Literal["starttls", "none"]
#: As in an LDAP URL (RFC 4516): the whole subtree, one level below the base, the base itself.
Scope = Literal["sub", "one", "base"]


@dataclass(frozen=True)
class UserSearch:
    """How a user's entry is found: by a search. ``bind_dn`` empty: by nobody in particular."""

    base: str
    scope: Scope
    filter: Template
    bind_dn: str
    bind_password: str = field(repr=False)


@dataclass(frozen=True)
class LdapSettings:
    """One section.

    ``start_tls``: on connections to ``ldap://``. ``authorities``, out of ``ca``, None: those of the
    system; ``identity`` None: nothing is shown. ``way``: how to come from a name to an entry, by a
    search or by a DN that the name is put into. ``username_domain`` empty: values of
    ``username_attribute`` are no e-mail addresses. ``scram_attribute`` empty: there is none.
    ``timeout`` in seconds.
    """

    name: str
    urls: tuple[DirectoryUrl, ...]
    start_tls: bool
    authorities: Sequence[x509.Certificate] | None = field(repr=False)
    identity: Identity | None = field(repr=False)
    way: UserSearch | Template
    username_attribute: str
    username_domain: str
    mechanisms: frozenset[str]
    scram_attribute: str
    iterations: int
    timeout: float
    connections: int
    ca: Path | None = None

    @property
    def section(self) -> str:
        """``[ldap NAME]``, for messages."""
        return f"[ldap {self.name}]"

    @property
    def trust(self) -> str:
        """Where the certificates of trusted authorities are, for messages."""
        return describe_trust(self.ca, self.section)


def read_settings(name: str, ini: IniReader) -> LdapSettings:
    """Read ``[ldap NAME]``. Faults are noted there."""
    section = ini.section(f"ldap {name}")
    urls = section.items("url", parse_url)
    if urls is not None and not urls:
        section.fault("url", "there is none. Name the directory, like ldap://ldap.example.com.")
    tls = section.choice("tls", get_args(Tls), "starttls")
    ca, authorities = read_authorities(section, ini)
    settings = LdapSettings(
        name=name,
        urls=urls or (),
        start_tls=tls == "starttls",
        authorities=authorities,
        identity=read_identity(section, ini),
        way=_way(section),
        username_attribute=section.parsed("username_attribute", parse_attribute, "uid"),
        username_domain=section.parsed("username_domain", parse_name, ""),
        mechanisms=frozenset(section.items("mechanisms", _mechanism, ("PLAIN",), separator=",")),
        scram_attribute=section.parsed("scram_attribute", parse_attribute, ""),
        iterations=section.integer(
            "iterations", ITERATIONS, minimum=MIN_ITERATIONS, maximum=MAX_ITERATIONS
        ),
        timeout=section.duration("timeout", TIMEOUT, minimum=0.1, maximum=60.0),
        connections=section.integer("connections", CONNECTIONS, minimum=1, maximum=100),
        ca=ca,
    )
    _check_tls(section, settings)
    _check_mechanisms(section, settings)
    _warn(settings, ini)
    return settings


def _way(section: Section) -> UserSearch | Template:
    """Both are read, so that no key of either is unknown."""
    user_dn = section.parsed("user_dn", parse_user_dn, None)
    found = UserSearch(
        base=section.parsed("base", _dn, ""),
        scope=section.choice("scope", get_args(Scope), "sub"),
        filter=section.parsed("filter", parse_filter, parse_filter("(uid={username})")),
        bind_dn=section.parsed("bind_dn", _bind_name, ""),
        bind_password=section.secret_or_file("bind_password"),
    )
    if user_dn is not None:
        for key in ("base", "scope", "filter", "bind_dn", "bind_password", "bind_password_file"):
            if section.has(key):
                section.fault(key, "with user_dn nothing is searched for. Remove this, or user_dn.")
        return user_dn
    if not section.has("base"):
        section.fault(
            "base", "it is needed: where users are, like ou=people,dc=example,dc=com. Add it."
        )
    has_password = section.has("bind_password") or section.has("bind_password_file")
    if section.has("bind_dn") and not has_password:
        section.fault(
            "bind_dn",
            "it has no password, and a bind without one is anonymous. Set bind_password_file; or, "
            "where everybody may search, remove this.",
        )
    if has_password and not section.has("bind_dn"):
        section.fault("bind_dn", "there is a password, and nobody whose it is. Name the account.")
    return found


def _check_tls(section: Section, settings: LdapSettings) -> None:
    if settings.start_tls or not settings.urls or any(url.tls for url in settings.urls):
        return
    for key in ("ca", "certificate", "private_key"):
        if section.has(key):
            section.fault(
                key, "it is for TLS, and tls says none. Set tls = starttls, or remove this."
            )


def _check_mechanisms(section: Section, settings: LdapSettings) -> None:
    scram = sorted(settings.mechanisms - {"PLAIN"})
    if not settings.mechanisms:
        section.fault("mechanisms", f"nobody could log in. Name some of PLAIN, {_SCRAM}.")
    if scram and isinstance(settings.way, Template):
        section.fault(
            "mechanisms",
            f"{scram[0]} needs keys, and with user_dn nobody may look for them. Use base, filter "
            "and bind_dn in its place.",
        )
    elif scram and not settings.scram_attribute:
        section.fault(
            "scram_attribute",
            f"{scram[0]} needs keys. Name the attribute that has them, like authPassword.",
        )
    if settings.scram_attribute and not scram:
        section.fault(
            "scram_attribute",
            f"mechanisms names none that uses it. Add those that all users have keys for, out of "
            f"{_SCRAM}.",
        )


def _warn(settings: LdapSettings, ini: IniReader) -> None:
    warnings = ini.findings.warnings
    for url in settings.urls:
        if not settings.start_tls and not url.tls and not url.loopback:
            warnings.append(
                f"{settings.section}: tls = none, so passwords cross the network to {url.host} in "
                "plain text."
            )


_SCRAM = ", ".join(SCHEMES)


def _mechanism(text: str) -> str:
    name = text.upper()
    if name not in ("PLAIN", *SCHEMES):
        raise ValueError(f"{text[:40]!r} is none of PLAIN, {_SCRAM}.")
    return name


def parse_attribute(text: str) -> str:
    """Answer an attribute's name (RFC 4512 section 2.5). Raises ValueError with a sentence."""
    if not fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,99}", text):
        raise ValueError(f"{text[:40]!r} is no name of an attribute. Write it like uid.")
    return text


def _bind_name(text: str) -> str:
    """A DN, or what Active Directory takes in its place: ``name@domain``, ``DOMAIN\\name``."""
    if len(text) > 1024 or not text.isprintable():
        raise ValueError("it is longer than 1024 characters, or is no plain text.")
    return text


def _dn(text: str) -> str:
    if "=" not in text or len(text) > 1024 or not text.isprintable():
        raise ValueError(f"{text[:80]!r} is no DN. Write it like ou=people,dc=example,dc=com.")
    return text
