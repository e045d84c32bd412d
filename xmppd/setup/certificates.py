"""The certificates of an XMPP server: kept, made by an authority of its own, or requested."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bridgewire import naming
from bridgewire.identity import CertificateFault, PrivateKey, load_authorities, load_key
from bridgewire.issuing import (
    Authority,
    certificate_pem,
    key_pem,
    make_authority,
    make_key,
    make_request,
)
from daemonkit.changes import Changes
from xmppd.config import Config

_AWAY = (
    "the authority's key. Keep a copy off this host, and take it away from here once all "
    "certificates are made: whoever has it can make others"
)


@dataclass(frozen=True)
class Wish:
    """What is to be done about certificates that are not there.

    ``authority``: PEM of one that somebody else runs; None: there is one here, or one is made.
    ``request``: the server's certificate comes from elsewhere. ``renew``: also if it is there.
    ``given``: certificates and key, in PEM, that another server has made for this one.
    """

    authority: bytes | None = None
    request: bool = False
    renew: bool = False
    given: tuple[bytes, bytes] | None = None


def authority_key(ini: Path) -> Path:
    """Answer where the authority's key is: the daemon cannot look there."""
    return ini.absolute().parent / "ca" / "ca.key"


def own_authority(ini: Path, config: Config) -> Authority | None:
    """Answer the authority whose key is on this host, None if it is elsewhere.

    Raises:
        CertificateFault: one of its files cannot be used.
    """
    if not authority_key(ini).exists():
        return None
    key = load_key(authority_key(ini))
    for certificate in load_authorities(config.tls.callbridge_ca):
        if certificate.public_key() == key.public_key():
            return Authority(certificate, key)
    raise CertificateFault(
        [
            f"{authority_key(ini)}: this key belongs to no certificate in "
            f"{config.tls.callbridge_ca}. Put the two together that were made together, or move "
            "the key away."
        ]
    )


def plan(changes: Changes, ini: Path, config: Config, wish: Wish, now: datetime) -> str:
    """Note what is to be written; answer what a person has to do about it then, or nothing.

    Raises:
        CertificateFault: what is there cannot be used.
    """
    authority = _plan_authority(changes, ini, config, wish, now)
    tls = config.tls
    if wish.given is not None:
        changes.file(tls.private_key, wish.given[1], "the server's key")
        changes.file(tls.certificate, wish.given[0], "the server's certificate", public=True)
        return ""
    if tls.certificate.exists() and tls.private_key.exists() and not wish.renew:
        [certificate, *_] = load_authorities(tls.certificate)
        changes.keep(tls.certificate, naming.describe(certificate))
        return ""
    key = _plan_key(changes, tls.private_key)
    names = (config.xmppd.domain, config.xmppd.hostname)
    if authority is not None and not wish.request:
        certificate = authority.issue(key, names, "server", now)
        pem = certificate_pem(certificate)
        text = naming.describe(certificate)
        changes.file(tls.certificate, pem, text, public=True, replace=wish.renew)
        return ""
    request = tls.certificate.with_suffix(".csr")
    text = f"request for a certificate with the names {' and '.join(names)}"
    if not request.exists():
        changes.file(request, make_request(key, names, "server"), text, public=True)
    else:
        changes.keep(request, text)
    known = authority is not None or wish.authority is not None or tls.callbridge_ca.exists()
    missing = "" if known else f", that of its authority into {tls.callbridge_ca}"
    return (
        f"Let your authority sign {request}. Put the certificate, and behind it those between it "
        f"and the authority's, into {tls.certificate}{missing}, and run the same again."
    )


def _plan_authority(
    changes: Changes, ini: Path, config: Config, wish: Wish, now: datetime
) -> Authority | None:
    """Answer the authority that can sign here, None if there is none."""
    path = config.tls.callbridge_ca
    if wish.authority is not None:
        changes.file(path, wish.authority, "who issues Call Bridges' certificates", public=True)
        return None
    if path.exists():
        names = ", ".join(naming.subject(one.subject) for one in load_authorities(path))
        changes.keep(path, names)
        return own_authority(ini, config)
    if wish.request:
        return None
    authority = make_authority(f"{config.xmppd.domain} Call Bridge CA", now)
    changes.file(authority_key(ini), key_pem(authority.key), _AWAY)
    text = f"a new authority, {naming.subject(authority.certificate.subject)}"
    changes.file(path, certificate_pem(authority.certificate), text, public=True)
    return authority


def _plan_key(changes: Changes, path: Path) -> PrivateKey:
    """Answer the key that is there, or a new one."""
    if path.exists():
        changes.keep(path, "the server's key")
        return load_key(path)
    key = make_key()
    changes.file(path, key_pem(key), "the server's key")
    return key
