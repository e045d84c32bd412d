"""SASL HT (draft-schmaus-kitten-sasl-ht-09): the client proves that it knows a token.

XEP-0484 has it inside SASL2 alone, with the client's user agent, and so it is here: a token is
one agent's. One message, ``authcid NUL HMAC(token, "Initiator" || data)``, and one answer.
"""

from __future__ import annotations

from functools import partial

from callbridged.logins.mechanisms.exchange import (
    Answer,
    Means,
    Mechanism,
    SaslFailure,
    Success,
    Terms,
    local_name,
    text_of,
)
from callbridged.logins.token_store import Claim, Outcome, TokenStoreFault

#: The channel binding type of each mechanism, empty: none. The best first.
BINDINGS = {
    "HT-SHA-256-EXPR": "tls-exporter",
    "HT-SHA-256-ENDP": "tls-server-end-point",
    "HT-SHA-256-NONE": "",
}
#: Octets in a message: a long name, and what should be 32 octets.
MAX_MESSAGE = 2048


class HashedToken:
    """One exchange."""

    def __init__(self, name: str, terms: Terms) -> None:
        self.username = ""
        self._name = name
        self._terms = terms

    async def take(self, data: bytes) -> Answer:
        """Take the one message there is."""
        authcid, nul, proof = data.partition(b"\0")
        if len(data) > MAX_MESSAGE or not (authcid and nul and proof):
            raise SaslFailure("malformed-request", "this is no message of SASL HT")
        terms, request, tokens = self._terms, self._terms.token, self._terms.means.tokens
        if request is None or tokens is None:
            raise SaslFailure("malformed-request", "a token, and no user agent that it is of")
        name = text_of(authcid)
        self.username = name
        self.username = username = local_name(name)
        claim = Claim(
            username,
            request.agent,
            self._name,
            proof,
            self._binding(),
            await terms.users.fingerprint(username),
        )
        try:
            checked = await tokens.check(claim, invalidate=request.invalidate)
        except TokenStoreFault as fault:
            raise SaslFailure("temporary-auth-failure", str(fault)) from None
        if checked.outcome is Outcome.WRONG:
            raise SaslFailure("not-authorized")
        if checked.outcome is Outcome.EXPIRED:
            raise SaslFailure("credentials-expired")
        renew = tokens.due(checked) and not request.invalidate
        return Success(username, checked.response, self._name if renew else None)

    def _binding(self) -> bytes:
        kind = BINDINGS[self._name]
        if not kind:
            return b""
        data = self._terms.channel_bindings.get(kind)
        if data is None:
            raise SaslFailure("malformed-request", f"it binds by {kind}, which is not there")
        return data


def _served(means: Means) -> bool:
    return means.tokens is not None and means.users.knows_accounts


HASHED_TOKEN = tuple(Mechanism(name, partial(HashedToken, name), _served) for name in BINDINGS)
