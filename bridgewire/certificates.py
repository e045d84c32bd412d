"""Whether a certificate carries the names that it must and is in its time (step 8)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from ipaddress import ip_address
from typing import Literal

import idna
from cryptography import x509
from service_identity import CertificateError, hazmat

from bridgewire.identity import CertificateFault, Identity, load_authorities, load_identity
from bridgewire.naming import Names, describe, names, outside_validity, subject
from bridgewire.steps import Reason, Step, StepFailure

__all__ = [
    "CertificateFault",
    "Identity",
    "Names",
    "Policy",
    "check_callbridge_name",
    "check_host_name",
    "check_server_names",
    "check_validity",
    "describe",
    "load_authorities",
    "load_identity",
    "names",
]

#: Services whose SRV-ID stands for the XMPP domain (RFC 6120, section 13.7.1.2; the first is
#: what step 4 asks the DNS for).
_XMPP_SERVICES = ("_xmpp-component", "_xmpp-server", "_xmpp-client")

Policy = Literal["domain+host", "domain"]


def check_validity(certificate: x509.Certificate, now: datetime) -> None:
    """Raise StepFailure if ``now`` (aware) lies outside the certificate's time."""
    problem = outside_validity(certificate, now)
    if problem:
        raise StepFailure(
            Step.CERTIFICATE,
            Reason.CERTIFICATE_EXPIRED,
            f"The certificate {problem} ({describe(certificate)}).",
            "Renew it, or correct this machine's clock if that is what is wrong.",
        )


def check_server_names(
    certificate: x509.Certificate, domain: str, host: str, policy: Policy
) -> None:
    """Raise StepFailure unless the XMPP server's certificate carries its names.

    ``domain`` as DNS-ID, or as SRV-ID of one of the XMPP services; under ``domain+host`` also
    ``host`` as DNS-ID, or as IP address if it is a literal (RFC 6120, section 13.7.2, with
    RFC 9525). Both may be U-labels. Wildcards count for their left-most label. A common name
    never counts.
    """
    offered = names(certificate)
    patterns = _patterns(offered)
    lacks_domain = not _covered(patterns, domain, _XMPP_SERVICES)
    lacks_host = policy == "domain+host" and not _covered(patterns, host)
    missing = []
    if lacks_domain:
        missing.append(f"the XMPP domain {_shown(domain)}")
    if lacks_host:
        missing.append(f"the server's host name {_shown(host)}")
    if not missing:
        return
    wanted = [_san(domain), *([_san(host)] if policy == "domain+host" else [])]
    remedy = (
        f"Issue the certificate of {_shown(host)} anew with {' and '.join(dict.fromkeys(wanted))} "
        "as subject alternative names, put it where [tls] certificate in xmppd.ini says, and "
        "run xmppctl reload."
    )
    if not lacks_domain:
        remedy += (
            " Or, if the domain is proof enough for you, set verify = domain under [tls] in "
            "callbridged.ini."
        )
    raise _mismatch("The XMPP server's certificate", certificate, offered, missing, remedy)


def check_callbridge_name(certificate: x509.Certificate, component: str) -> None:
    """Raise StepFailure unless a Call Bridge's certificate carries ``<name>.<domain>``.

    As a DNS-ID, and spelled out: a wildcard would let its holder take any Call Bridge's place.
    """
    offered = names(certificate)
    exact = _patterns(Names(dns=tuple(name for name in offered.dns if "*" not in name)))
    if _covered(exact, component):
        return
    missing = [f"the component name {_shown(component)}"]
    remedy = (
        f"Issue the Call Bridge's certificate anew with {_san(component)}, spelled out, as "
        "subject alternative name, put it where [tls] certificate in callbridged.ini says, and "
        "run callbridgectl reload; or correct name and domain under [callbridge] there."
    )
    raise _mismatch("The Call Bridge's certificate", certificate, offered, missing, remedy)


def check_host_name(certificate: x509.Certificate, host: str, whose: str, remedy: str) -> None:
    """Raise StepFailure unless the certificate carries ``host``, as DNS-ID or IP address.

    RFC 9110 section 4.3.4, with RFC 9525: a common name never counts. ``whose`` begins the text,
    ``remedy`` follows the advice to issue it anew.
    """
    offered = names(certificate)
    if _covered(_patterns(offered), host):
        return
    advice = f"Issue it anew with {_san(host)} as subject alternative name, or {remedy}."
    missing = [f"the host name {_shown(host)}"]
    raise _mismatch(f"{whose} certificate", certificate, offered, missing, advice)


def _mismatch(
    whose: str,
    certificate: x509.Certificate,
    offered: Names,
    missing: Sequence[str],
    remedy: str,
) -> StepFailure:
    text = f"{whose} lacks {' and '.join(missing)}; it offers {offered}"
    if offered == Names():
        text += f" (its subject {subject(certificate.subject)} does not count)"
    return StepFailure(Step.CERTIFICATE, Reason.CERTIFICATE_NAME_MISMATCH, f"{text}.", remedy)


def _covered(
    patterns: Sequence[hazmat.CertificatePattern], name: str, services: Iterable[str] = ()
) -> bool:
    """Whether one of the patterns stands for ``name``, as itself or as one of the services."""
    ids: list[hazmat.ServiceID] = []
    try:
        if _is_ip(name):
            ids.append(hazmat.IPAddress_ID(_bare(name)))
        else:
            ascii_name = _a_labels(name)
            ids.append(hazmat.DNS_ID(ascii_name))
            ids.extend(hazmat.SRV_ID(f"{service}.{ascii_name}") for service in services)
    except ValueError:  # not a name that any certificate could carry
        return False
    return any(wanted.verify(pattern) for wanted in ids for pattern in patterns)


def _patterns(offered: Names) -> list[hazmat.CertificatePattern]:
    """The names as patterns, one by one: a malformed one must not make the others useless."""
    found: list[hazmat.CertificatePattern] = []
    for kind, values in ((hazmat.DNSPattern, offered.dns), (hazmat.SRVPattern, offered.srv)):
        for value in values:
            try:
                found.append(kind.from_bytes(value.encode("ascii")))
            except (CertificateError, ValueError, IndexError):
                continue
    # An IP SAN may hold a network, which names no host.
    found.extend(hazmat.IPAddressPattern(ip_address(ip)) for ip in offered.ip if _is_ip(ip))
    return found


def _bare(name: str) -> str:
    """Without the dot that ends a name in the DNS, an IPv6 literal's brackets and its zone."""
    return name.rstrip(".").removeprefix("[").removesuffix("]").partition("%")[0]


def _is_ip(name: str) -> bool:
    try:
        ip_address(_bare(name))
    except ValueError:
        return False
    return True


def _a_labels(name: str) -> str:
    """``bücher.example.`` as ``xn--bcher-kva.example``. ValueError if it is no domain name."""
    name = _bare(name)
    return name if name.isascii() else idna.encode(name, uts46=True).decode("ascii")


def _shown(name: str) -> str:
    """A name of ours as the certificate would spell it, and as the operator does."""
    try:
        spelled = _a_labels(name)
    except ValueError:
        return name
    return spelled if spelled == _bare(name) else f"{spelled} ({_bare(name)})"


def _san(name: str) -> str:
    """What to write into an OpenSSL ``subjectAltName``."""
    if _is_ip(name):
        return f"IP:{_bare(name)}"
    try:
        return f"DNS:{_a_labels(name)}"
    except ValueError:
        return f"DNS:{name}"
