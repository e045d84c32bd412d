"""The certificate of a Call Bridge: taken over, kept, or requested of an authority."""

from __future__ import annotations

from bridgewire import naming
from bridgewire.identity import load_authorities, load_key
from bridgewire.issuing import key_pem, make_key, make_request
from callbridged.config import Config
from callbridged.setup.wishes import Wishes
from daemonkit.changes import Changes


def plan(changes: Changes, config: Config, wishes: Wishes) -> str:
    """Note what is to be written; answer what a person has to do about it then, or nothing.

    Raises:
        CertificateFault: what is there cannot be used.
    """
    tls = config.tls
    to_do = []
    if wishes.authorities:
        about = "who issues XMPP servers' certificates"
        changes.file(tls.xmpp_ca, wishes.authorities, about, public=True)
    elif tls.xmpp_ca.exists():
        changes.keep(tls.xmpp_ca, "who issues XMPP servers' certificates")
    else:
        to_do.append(f"Put who issued the XMPP servers' certificates into {tls.xmpp_ca}.")
    if wishes.certificate:
        changes.file(tls.private_key, wishes.private_key, "our key")
        changes.file(tls.certificate, wishes.certificate, "our certificate", public=True)
    elif tls.certificate.exists() and tls.private_key.exists():
        [certificate, *_] = load_authorities(tls.certificate)
        changes.keep(tls.certificate, naming.describe(certificate))
    else:
        to_do.append(_plan_request(changes, config))
    return " ".join([*to_do, "Then run this again."]) if to_do else ""


def _plan_request(changes: Changes, config: Config) -> str:
    tls, name = config.tls, f"{config.callbridge.name}.{config.callbridge.domain}"
    if tls.private_key.exists():
        key = load_key(tls.private_key)
        changes.keep(tls.private_key, "our key")
    else:
        made = key = make_key()
        changes.file(tls.private_key, key_pem(made), "our key")
    request = tls.certificate.with_suffix(".csr")
    text = f"request for a certificate with the name {name}"
    if request.exists():
        changes.keep(request, text)
    else:
        changes.file(request, make_request(key, [name], "client"), text, public=True)
    return (
        f"Let your authority sign {request}, and put the certificate, and behind it those between "
        f"it and the authority's, into {tls.certificate}."
    )
