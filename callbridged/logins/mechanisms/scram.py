"""SCRAM (RFC 5802, RFC 7677): the user proves the password, and the server that it knows it.

scramp holds the exchange. Four things are ours: keys come from a backend that takes its time, while
scramp wants them at once, so the user name is read first; scramp refuses every authzid and knows
too few channel bindings, so it gets the first message as if it had neither, and is told what the
final one has to repeat; and the hash of XEP-0474 is added to what both sides sign.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from scramp import ScramException, ScramMechanism

from callbridged.logins.mechanisms.downgrade import offer_hash
from callbridged.logins.mechanisms.exchange import (
    Answer,
    Challenge,
    Means,
    Mechanism,
    SaslFailure,
    Success,
    Terms,
    check_authzid,
    local_name,
    text_of,
)
from callbridged.logins.mechanisms.gs2 import PLUS, binding_data, split_header

#: The best first.
SCHEMES = ("SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1")
#: Octets in a message, characters in the client's nonce.
MAX_MESSAGE = 8192
MAX_NONCE = 256

#: What scramp says for a message that is well formed and still does not let the user in, and what
#: the log says of it.
_NOT_AUTHORIZED = {
    "invalid-proof": "",
    "channel-bindings-dont-match": "what it binds to is not this connection, or not what it said",
}


class Scram:
    """One exchange: client-first, server-first, client-final, server-final."""

    def __init__(self, name: str, terms: Terms) -> None:
        self.username = ""
        self._name = name
        self._scheme = name.removesuffix(PLUS)
        self._mechanism = ScramMechanism(self._scheme)
        self._terms = terms
        self._server: Any = None
        self._refusal: str | None = None
        self._let_in = ""

    async def take(self, data: bytes) -> Answer:
        """Take the first message, or the final one."""
        if len(data) > MAX_MESSAGE:
            raise SaslFailure("malformed-request", f"a message of {len(data)} octets")
        message = text_of(data)
        return self._final(message) if self._server else await self._first(message)

    async def _first(self, message: str) -> Answer:
        terms = self._terms
        header, bare = split_header(message)
        bound = binding_data(header, self._name, terms.channel_bindings, terms.offered)
        if any(part.startswith("r=") and len(part) > MAX_NONCE + 2 for part in bare.split(",")):
            raise SaslFailure("malformed-request", f"a nonce of more than {MAX_NONCE} characters")
        first = f"n,,{bare}"
        name = self._read_name(first)
        self.username = name
        self.username = username = local_name(name)
        check_authzid(header.authzid, username, terms.domain)
        await terms.enter(username)
        # Nobody learns here who exists: a user who does not fails at the proof.
        keys = await terms.users.scram_keys(username, self._scheme)
        if self._scheme not in terms.users.mechanisms:
            raise SaslFailure("invalid-mechanism", "no longer all users have keys for it")
        self._refusal, self._let_in = keys.refusal, keys.username or username
        server = self._mechanism.make_server(
            lambda _: (keys.salt, keys.stored_key, keys.server_key, keys.iterations)
        )
        try:
            server.set_client_first(first)
            answer: str = server.get_server_first()
        except ScramException as error:
            raise _failure(error) from None
        if terms.offered:
            hash_name = self._mechanism.hf().name
            answer += f",h={offer_hash(hash_name, terms.offered, terms.channel_bindings)}"
            server.server_first = answer
        server.gs2_header = _ToRepeat(header.text.encode() + bound)
        self._server = server
        return Challenge(answer.encode())

    def _final(self, message: str) -> Answer:
        try:
            self._server.set_client_final(message)
            answer: str = self._server.get_server_final()
        except ScramException as error:
            raise _failure(error, self._terms.users.why_not(self.username)) from None
        if self._refusal is not None:
            raise SaslFailure(self._refusal, "the proof was right")
        return Success(self._let_in, answer.encode())

    def _read_name(self, first: str) -> str:
        names: list[str] = []
        try:
            self._mechanism.make_server(names.append).set_client_first(first)
        except ScramException as error:
            if not names:  # else it has only missed the keys
                raise _failure(error) from None
        return names[0]


class _ToRepeat:
    """In the place of scramp's own header, which would know neither authzid nor tls-exporter."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def make_cbind_input(self, _: object) -> bytes:
        """Answer what the final message has to repeat: the header, and the binding's data."""
        return self._octets


def _failure(error: ScramException, why_not: str = "") -> SaslFailure:
    why = error.server_error.value if error.server_error else ""
    if why in _NOT_AUTHORIZED:
        return SaslFailure("not-authorized", _NOT_AUTHORIZED[why] or why_not)
    return SaslFailure("malformed-request", error.args[0])


def _served(scheme: str, means: Means) -> bool:
    return scheme in means.users.mechanisms


#: Those that bind to the channel in front; xmppd offers them where there is something to bind to.
SCRAM = tuple(
    Mechanism(scheme + plus, partial(Scram, scheme + plus), partial(_served, scheme))
    for plus in (PLUS, "")
    for scheme in SCHEMES
)
