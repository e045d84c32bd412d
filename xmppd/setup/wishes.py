"""What an operator wants of a server: by options, by a join file, or asked at the terminal."""

from __future__ import annotations

import socket
from argparse import Namespace
from dataclasses import dataclass, field, replace
from pathlib import Path

from bridgewire.identity import load_authorities
from bridgewire.issuing import certificate_pem
from bridgewire.join import JoinFile
from daemonkit.hosts import parse_domain, parse_name
from daemonkit.ini import IniReader
from daemonkit.ini_edit import Value
from daemonkit.setup_ctl import asked, came_with, can_ask, chosen
from daemonkit.terminal import CtlFailure, ask
from xmppd.components.registry import normal_name
from xmppd.config import AUTHORITY
from xmppd.setup.certificates import Wish

_KEY = Path("/etc/xmppd/tls/xmpp.key")
#: What the shipped xmppd.ini has in the place of names.
_SHIPPED = (
    Value("xmppd", "domain", "example.com"),
    Value("xmppd", "hostname", "xmpp1.example.com"),
)


def shipped(ini: Path, text: str) -> tuple[Value, ...]:
    """Answer what the file has that is nobody's choice."""
    return came_with(ini, text, _KEY, _SHIPPED)


@dataclass(frozen=True)
class Wishes:
    """``values``: what is to stand in the ini file. ``callbridges``, ``servers``: who joins.

    ``asked``: somebody at the terminal has answered questions.
    """

    values: tuple[Value, ...]
    callbridges: tuple[str, ...]
    servers: tuple[str, ...]
    certificates: Wish = field(repr=False)
    asked: bool = False


def gather(options: Namespace, ini: Path, text: str, join: JoinFile | None) -> Wishes:
    """Answer the wishes; ``text`` is that of the ini file.

    Raises:
        CtlFailure: something is needed, and nobody says it.
        CertificateFault: the authority's file cannot be used.
    """
    came = shipped(ini, text)
    domain = options.domain or (join.domain if join else chosen(text, _SHIPPED[0], came))
    hostname = options.hostname or (join.hostname if join else chosen(text, _SHIPPED[1], came))
    callbridges = tuple(options.callbridge)
    asking = can_ask() and not (options.yes or options.json or (domain and hostname))
    if asking:
        domain = asked("XMPP domain (behind the @ of users)", domain, parse_domain)
        hostname = asked("This server's full name in DNS", hostname or _own(), parse_name)
        if not callbridges and not options.server:
            said = ask("Call Bridge to let in (- for none)", "cb1")
            callbridges = () if said == "-" else (normal_name(said),)
    missing = [
        option for option, value in (("--domain", domain), ("--hostname", hostname)) if not value
    ]
    if missing:
        raise CtlFailure(
            f"nothing was changed: {' and '.join(missing)} must be given, like "
            "`xmppctl setup --domain example.com --hostname xmpp1.example.com --callbridge cb1`."
        )
    certificates = Wish(request=options.csr, renew=options.renew)
    if options.ca is not None:
        certificates = replace(certificates, authority=_pem(options.ca))
    elif asking and not options.csr and not _authority(ini, text).exists():
        said = ask("Authority for certificates: make one here, or the file of yours", "make")
        if said != "make":
            certificates = replace(certificates, authority=_pem(Path(said)))
    if join is not None:
        given = (join.certificate.encode(), join.private_key.encode())
        certificates = replace(
            certificates,
            authority=join.authorities.encode(),
            given=given if join.certificate else None,
        )
    return Wishes(
        values=(
            Value("xmppd", "domain", domain),
            Value("xmppd", "hostname", hostname),
        ),
        callbridges=callbridges,
        servers=tuple(options.server),
        certificates=certificates,
        asked=asking,
    )


def _authority(ini: Path, text: str) -> Path:
    """Where the certificate of Call Bridges' authority may be."""
    section = IniReader(ini, check_files=False, text=text).section("tls")
    return section.path("callbridge_ca", AUTHORITY)


def _own() -> str:
    name = socket.getfqdn()
    return name if "." in name and not name.startswith("localhost") else ""


def _pem(path: Path) -> bytes:
    return certificate_pem(*load_authorities(path))
