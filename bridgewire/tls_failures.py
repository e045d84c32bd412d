"""Why a TLS connection failed: OpenSSL's words turned into step, reason and remedy."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509
from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.internet import defer, error
from twisted.python.failure import Failure

from bridgewire.naming import describe, outside_validity, subject
from bridgewire.steps import Reason, Step, StepFailure
from bridgewire.tls_sides import CALLBRIDGE, Side

_Codes = SSL.X509VerificationCodes
_OUT_OF_TIME = {_Codes.ERR_CERT_HAS_EXPIRED, _Codes.ERR_CERT_NOT_YET_VALID}
_NO_TRUSTED_ISSUER = {
    _Codes.ERR_UNABLE_TO_GET_ISSUER_CERT,
    _Codes.ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
    _Codes.ERR_SELF_SIGNED_CERT_IN_CHAIN,
    _Codes.ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
    _Codes.ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
}
#: What OpenSSL says when the other end's bytes are not TLS at all.
_NOT_TLS = (
    "wrong version number",
    "http request",
    "https proxy request",
    "unknown protocol",
    "packet length too long",
    "bad record type",
)


class Untrusted(SSL.Error):
    """The peer's certificate did not verify.

    ``certificate`` is the one at fault: the peer's own at ``depth`` 0, above that one of its
    issuers. ``code`` is OpenSSL's ``X509_V_ERR_...``.
    """

    def __init__(self, code: int, depth: int, certificate: x509.Certificate) -> None:
        # In the form of OpenSSL's own errors, since Twisted looks inside.
        super().__init__([("SSL routines", "", f"certificate verify failed ({code})")])
        self.code = code
        self.depth = depth
        self.certificate = certificate


class Connection(SSL.Connection):
    """Says by an Untrusted which certificate did not verify, where OpenSSL only says "failed".

    pyOpenSSL has its own way to get an exception out of a verify callback: by the context. One
    whose context is changed in mid-handshake, see `bridgewire.sni`, would leave it to a stranger.
    """

    untrusted: Untrusted | None = None

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except SSL.Error:
            if self.untrusted is not None:
                raise self.untrusted from None
            raise


def refuse_untrusted(
    connection: SSL.Connection, certificate: X509, code: int, depth: int, ok: int
) -> bool:
    """Verify callback for a context. The alert that the peer gets stays OpenSSL's."""
    if not ok and isinstance(connection, Connection):
        connection.untrusted = Untrusted(code, depth, certificate.to_cryptography())
    return bool(ok)


def failure(reason: Failure, side: Side = CALLBRIDGE) -> StepFailure:
    """What to log, show and tell about a connection that ended with ``reason`` before it was
    registered: the step is ``tls`` or ``certificate``.

    Takes what ``connectionLost`` gets. On the client's end that may be after
    ``handshakeCompleted``: in TLS 1.3 the server's refusal of a certificate comes that late.
    """
    value = reason.value
    if isinstance(value, StepFailure):
        return value
    if isinstance(value, Untrusted):
        return _untrusted(value, side)
    if isinstance(value, SSL.Error):
        said = openssl_reasons(value)
        if said:
            return _refused(said, side) or _failed(said, side)
    if isinstance(value, (TimeoutError, defer.TimeoutError, error.TimeoutError)):
        return StepFailure(
            Step.TLS,
            Reason.TIMEOUT,
            f"{_start(side.peer.who)} did not finish the TLS handshake in time.",
            "Something else may listen on this port, or a firewall swallows large packets. "
            + side.plain_text,
        )
    if isinstance(value, (SSL.Error, error.ConnectionClosed)):
        return StepFailure(
            Step.TLS,
            Reason.LINK_LOST,
            f"{_start(side.peer.who)} closed the connection during the TLS handshake.",
            f"The log of {side.peer.who} may say why. " + side.plain_text,
        )
    return _failed(f"{type(value).__name__}: {value}", side)


def _untrusted(fault: Untrusted, side: Side) -> StepFailure:
    """We refused the peer's certificate."""
    us, peer, certificate = side.us, side.peer, fault.certificate
    if fault.depth == 0:
        which = f"{_start(peer.who)}'s certificate"
    else:
        which = f"An issuer's certificate in the chain of {peer.who}'s certificate"
    seen = f"({describe(certificate)})"
    if fault.code in _OUT_OF_TIME:
        problem = outside_validity(certificate, datetime.now(UTC)) or "is not in its time"
        where = peer.certificate if fault.depth == 0 else f"{peer.certificate} or {us.authorities}"
        return StepFailure(
            Step.CERTIFICATE,
            Reason.CERTIFICATE_EXPIRED,
            f"{which} {problem} {seen}.",
            f"Renew it in {where}, and reload it; or correct this machine's clock.",
        )
    issuer = subject(certificate.issuer)
    if fault.code in _NO_TRUSTED_ISSUER:
        text = f"{which} comes from an issuer that is not trusted here, {issuer} {seen}."
        remedy = (
            f"Have it issued by an authority in {us.authorities}, or add the certificate of "
            f"{issuer} there if you trust it. If {issuer} is an intermediate, append its "
            f"certificate to {peer.certificate}."
        )
    elif fault.code == _Codes.ERR_INVALID_PURPOSE and fault.depth == 0:
        text = f"{which} is not meant for this use {seen}."
        remedy = f"Issue it anew with the extended key usage {peer.usage}, into {peer.certificate}."
    else:
        text = f"{which} does not verify, OpenSSL's code is {fault.code} {seen}."
        remedy = f"Try 'openssl verify' with {peer.certificate} and {us.authorities}."
    return StepFailure(Step.CERTIFICATE, Reason.CERTIFICATE_UNTRUSTED, text, remedy)


def _refused(said: str, side: Side) -> StepFailure | None:
    """The peer refused our certificate, or one of us has none to show; else None."""
    us, peer = side.us, side.peer
    if "peer did not return a certificate" in said:
        reason = Reason.CERTIFICATE_REQUIRED
        text = f"{_start(peer.who)} presented no certificate, and it must."
        remedy = (
            f"Put a certificate with its name into {peer.certificate}. Or set "
            "callbridge_certificate = optional under [tls] in xmppd.ini."
        )
    elif "alert certificate required" in said:
        reason = Reason.CERTIFICATE_REQUIRED
        text = f"{_start(peer.who)} requires a certificate, and {us.who} presented none."
        remedy = f"Put a certificate with its name into {us.certificate}, and reload it."
    elif "alert certificate expired" in said:
        reason = Reason.CERTIFICATE_EXPIRED
        text = f"{_start(peer.who)} refused {us.who}'s certificate as expired."
        remedy = (
            f"Renew it in {us.certificate}, with its intermediates, and reload it; or correct the "
            f"clock of {peer.who}."
        )
    elif "alert unknown ca" in said:
        reason = Reason.CERTIFICATE_UNTRUSTED
        text = f"{_start(peer.who)} does not trust the issuer of {us.who}'s certificate."
        remedy = (
            f"Have it issued by an authority in {peer.authorities}, or add its issuer's "
            f"certificate there. If there are intermediates, append them to {us.certificate}."
        )
    elif "certificate" in said and "alert" in said:  # bad, unknown, unsupported, revoked
        reason = Reason.CERTIFICATE_UNTRUSTED
        text = f"{_start(peer.who)} refused {us.who}'s certificate ({said})."
        remedy = (
            f"The log of {peer.who} may say why. Often the certificate in {us.certificate} is not "
            f"valid yet, or has an extended key usage without {us.usage}."
        )
    else:
        return None
    return StepFailure(Step.CERTIFICATE, reason, text, remedy)


def _failed(said: str, side: Side) -> StepFailure:
    """No handshake, and not because of a certificate."""
    peer = side.peer.who
    if any(sign in said for sign in _NOT_TLS):
        text = f"{_start(peer)} does not speak TLS on this port ({said})."
        remedy = side.plain_text
    else:
        text = f"The TLS handshake with {peer} failed ({said})."
        remedy = (
            "Both ends need TLS 1.2 or newer and a cipher in common. With TLS 1.2 this is also "
            f"how a missing certificate is refused. The log of {peer} may say more."
        )
    return StepFailure(Step.TLS, Reason.TLS_FAILURE, text, remedy)


def openssl_reasons(fault: SSL.Error) -> str:
    """OpenSSL's own words, ``tlsv1 alert unknown ca``; empty where it has none."""
    if isinstance(fault, (SSL.SysCallError, SSL.ZeroReturnError)) or not fault.args:
        return ""
    queue = fault.args[0]
    return "; ".join(str(entry[-1]) for entry in queue) if isinstance(queue, list) else str(queue)


def _start(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
