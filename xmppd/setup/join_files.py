"""The join files that an XMPP server makes: for a Call Bridge, and for a further server."""

from __future__ import annotations

import re
import ssl
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from bridgewire.identity import load_authorities
from bridgewire.issuing import Usage, certificate_pem, find_issuer, key_pem, make_key
from bridgewire.join import JoinFile, Member, show_time
from daemonkit.listen import listening_ports
from daemonkit.terminal import CtlFailure
from xmppd.components.registry import Known, Registry
from xmppd.config import Config
from xmppd.setup.certificates import own_authority

#: Where Call Bridges connect, if systemd's sockets hide it.
COMPONENT_PORT = 5223
_CERTIFICATE = b"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----"


def for_callbridge(
    ini: Path, config: Config, domain: str, name: str, known: Known, end: int
) -> str:
    """Answer the join file for a Call Bridge, good until ``end`` (UNIX time), with a certificate.

    Without one where the authority's key is elsewhere. Raises CertificateFault and CtlFailure.
    """
    certificate, key = _identity(ini, config, (f"{name}.{domain}",), "client")
    join = JoinFile(
        receiver="callbridge",
        domain=domain,
        hostname=config.xmppd.hostname,
        port=_port(config),
        expires=end,
        callbridges=(Member(name, known.secret),),
        authorities=_server_issuer(config, domain),
        certificate=certificate,
        private_key=key,
    )
    file = file_name(name)
    return join.text(
        [
            f"The Call Bridge {name} of {domain} joins {config.xmppd.hostname} by this.",
            *_care(end, has_key=bool(key)),
            f"    callbridgectl setup --join {file}",
        ]
    )


def for_server(ini: Path, config: Config, hostname: str, registry: Registry, end: int) -> str:
    """Answer the join file for another XMPP server of the (first) domain; see `for_callbridge`."""
    domain = config.xmppd.domain
    certificate, key = _identity(ini, config, (domain, hostname), "server")
    members = tuple(
        Member(name, known.next_secret or known.secret, known.expires)
        for name, known in registry.callbridges(domain).items()
    )
    join = JoinFile(
        receiver="server",
        domain=domain,
        hostname=hostname,
        port=_port(config),
        expires=end,
        callbridges=members,
        authorities=certificate_pem(*load_authorities(config.tls.callbridge_ca)).decode(),
        certificate=certificate,
        private_key=key,
    )
    return join.text(
        [
            f"The XMPP server {hostname} joins the others of {domain} by this.",
            *_care(end, has_key=bool(key)),
            f"    xmppctl setup --join {file_name(hostname)}",
        ]
    )


def file_name(name: str) -> str:
    """Answer how a join file is called."""
    return f"{name}.join"


def _port(config: Config) -> int:
    return next(iter(listening_ports(config.component.listen)), COMPONENT_PORT)


def _care(end: int, *, has_key: bool) -> Sequence[str]:
    what = "a secret and a private key" if has_key else "a secret"
    return (
        f"It is good until {show_time(end)}, and has {what} in it: let nobody",
        "else see it, and let no copy stay behind. On that host, as root:",
    )


def _identity(ini: Path, config: Config, names: Sequence[str], usage: Usage) -> tuple[str, str]:
    """A certificate and its key, in PEM; empty where nobody here can sign."""
    authority = own_authority(ini, config)
    if authority is None:
        return "", ""
    key = make_key()
    certificate = authority.issue(key, names, usage, datetime.now(UTC))
    return certificate_pem(certificate).decode(), key_pem(key).decode()


def _server_issuer(config: Config, domain: str) -> str:
    """Who issued the server's certificate: one of ours, or one that this system trusts."""
    [served] = [one for one in config.domains if one.name == domain]
    chain = load_authorities(served.certificate)
    issuer = find_issuer(chain, load_authorities(config.tls.callbridge_ca))
    if issuer is None:
        issuer = find_issuer(chain, list(_trusted_by_system()))
    if issuer is None:
        raise CtlFailure(
            f"who issued {served.certificate} is neither in {config.tls.callbridge_ca} nor known "
            "to this system, so no Call Bridge could be told. Put the certificates between it and "
            "its authority behind it in that file, or the authority into "
            f"{config.tls.callbridge_ca}."
        )
    return certificate_pem(issuer).decode()


def _trusted_by_system() -> Iterator[x509.Certificate]:
    """Those that the library takes: there are always some with faults that nobody can mend."""
    store = ssl.get_default_verify_paths().cafile
    with suppress(OSError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for pem in re.findall(_CERTIFICATE, Path(store or "").read_bytes(), re.DOTALL):
            with suppress(ValueError):
                yield x509.load_pem_x509_certificate(pem)
