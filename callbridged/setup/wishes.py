"""What an operator wants of a Call Bridge: by a join file, by options, or asked at the terminal."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass, field
from pathlib import Path

from bridgewire.identity import load_authorities
from bridgewire.issuing import certificate_pem
from bridgewire.join import JoinFile
from daemonkit.files import check_secret
from daemonkit.hosts import parse_domain, parse_label
from daemonkit.ini_edit import Value
from daemonkit.setup_ctl import asked, came_with, can_ask, chosen
from daemonkit.terminal import CtlFailure, read_secret

_KEY = Path("/etc/callbridged/tls/callbridge.key")
#: What the shipped callbridged.ini has in the place of names.
_SHIPPED = (Value("callbridge", "domain", "example.com"), Value("callbridge", "name", "cb1"))


def shipped(ini: Path, text: str) -> tuple[Value, ...]:
    """Answer what the file has that is nobody's choice."""
    return came_with(ini, text, _KEY, _SHIPPED)


@dataclass(frozen=True)
class Wishes:
    """``secret`` empty: the one that is there. PEM is empty for what is made here, or is there.

    ``server``: HOST:PORT of the XMPP server that made the join file, empty where none did.
    ``asked``: somebody at the terminal has answered questions.
    """

    name: str
    domain: str
    secret: str = field(default="", repr=False)
    authorities: bytes = b""
    certificate: bytes = b""
    private_key: bytes = field(default=b"", repr=False)
    server: str = ""
    asked: bool = False


def gather(options: Namespace, text: str, join: JoinFile | None, has_secret: bool) -> Wishes:
    """Answer the wishes; ``text`` is that of the ini file. ``has_secret``: there is one already.

    Raises:
        CtlFailure: something is needed, and nobody says it.
        CertificateFault: the authority's file cannot be used.
    """
    if join is not None:
        [member] = join.callbridges
        return Wishes(
            options.name or member.name,
            options.domain or join.domain,
            member.secret,
            join.authorities.encode(),
            join.certificate.encode(),
            join.private_key.encode(),
            f"{join.hostname}:{join.port}",
        )
    came = shipped(options.config, text)
    domain = options.domain or chosen(text, _SHIPPED[0], came)
    name = options.name or chosen(text, _SHIPPED[1], came)
    asking = can_ask() and not (options.yes or options.json or (domain and name))
    if asking:
        domain = asked("XMPP domain (behind the @ of users)", domain, parse_domain)
        name = asked("Name of this Call Bridge, as the XMPP server knows it", name, parse_label)
    missing = [option for option, value in (("--domain", domain), ("--name", name)) if not value]
    if missing:
        raise CtlFailure(
            f"nothing was changed: {' and '.join(missing)} must be given, or --join FILE with the "
            "file that `xmppctl setup` or `xmppctl callbridge join NAME` makes."
        )
    secret = ""
    if not has_secret or options.replace:
        try:
            secret = check_secret(read_secret(f"Secret of {name}").strip())
        except ValueError as error:
            raise CtlFailure(f"nothing was changed: {error}") from None
    authorities = b"" if options.ca is None else certificate_pem(*load_authorities(options.ca))
    return Wishes(name, domain, secret, authorities, asked=asking)
