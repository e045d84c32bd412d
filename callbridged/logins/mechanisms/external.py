"""EXTERNAL (RFC 4422 appendix A) with a certificate, by the rules of XEP-0178 section 2."""

from __future__ import annotations

from bridgewire.jid import InvalidFormat, parse_jid
from callbridged.logins.mechanisms.exchange import (
    Answer,
    Means,
    Mechanism,
    SaslFailure,
    Success,
    Terms,
    text_of,
)
from callbridged.logins.user_certificates import CertificateRefused

#: Octets in an authorization identity: a full JID.
MAX_MESSAGE = 3071


class External:
    """One message: whom the client wants to act as, or nothing."""

    def __init__(self, terms: Terms) -> None:
        self.username = ""
        self._terms = terms

    async def take(self, data: bytes) -> Answer:
        """Take the one message there is."""
        if len(data) > MAX_MESSAGE or b"\0" in data:
            raise SaslFailure("malformed-request", "this is no authorization identity")
        authzid = text_of(data)
        claimed = self._claimed()
        self.username = ", ".join(claimed)
        users = [name for name in claimed if await self._terms.users.fingerprint(name) is not None]
        if not users:
            whom = ", ".join(f"{name[:40]!r}" for name in claimed[:4])
            raise SaslFailure("not-authorized", f"the certificate is for {whom}, who is no user")
        if authzid:
            asked = self._local(authzid)
            if asked not in users:
                raise SaslFailure("invalid-authzid", "the certificate is for somebody else")
            self.username = asked
        elif len(users) > 1:
            raise SaslFailure("invalid-authzid", "the certificate is for several users, say which")
        else:
            self.username = users[0]
        return Success(self.username)

    def _claimed(self) -> list[str]:
        """The users of this domain that the certificate names."""
        certificates = self._terms.means.certificates
        if certificates is None or self._terms.certificate is None:
            raise SaslFailure("not-authorized", "the client has shown no certificate")
        try:
            addresses = certificates.addresses(self._terms.certificate)
        except CertificateRefused as refused:
            raise SaslFailure("not-authorized", str(refused)) from None
        claimed = [name for name in map(self._local, addresses) if name]
        if not claimed:
            raise SaslFailure(
                "not-authorized",
                f"the certificate has no XMPP address in {self._terms.domain}. Issue it anew with "
                f"the subject alternative name otherName 1.3.6.1.5.5.7.8.5;UTF8:NAME@"
                f"{self._terms.domain}",
            )
        return list(dict.fromkeys(claimed))

    def _local(self, address: str) -> str:
        """The localpart of a bare JID in our domain, else the empty text."""
        try:
            jid = parse_jid(address)
        except InvalidFormat:
            return ""
        ours = jid.host == self._terms.domain and jid.resource is None
        return str(jid.user or "") if ours else ""


def _served(means: Means) -> bool:
    return means.certificates is not None and means.users.knows_accounts


EXTERNAL = Mechanism("EXTERNAL", External, _served)
