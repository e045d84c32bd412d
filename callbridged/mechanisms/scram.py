"""SCRAM (RFC 5802, RFC 7677): the user proves the password, and the server that it knows it.

scramp holds the exchange. Two things are ours: keys come from a backend that takes its time, while
scramp wants them at once, so the user name is read first; and scramp refuses every authzid, so it
gets the first message without one, and is told of the real header for the second.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from scramp import ScramException, ScramMechanism

from callbridged.mechanisms.exchange import (
    Answer,
    Challenge,
    Mechanism,
    SaslFailure,
    Success,
    Terms,
    check_authzid,
    local_name,
    text_of,
)
from callbridged.scram_keys import ScramKeys

#: What scramp says for a message that is well formed and still does not let the user in.
_NOT_AUTHORIZED = {"invalid-proof", "channel-bindings-dont-match"}


class Scram:
    """One exchange: client-first, server-first, client-final, server-final."""

    def __init__(self, name: str, terms: Terms) -> None:
        self.username = ""
        self._name = name
        self._mechanism = ScramMechanism(name)
        self._terms = terms
        self._server: Any = None

    async def take(self, data: bytes) -> Answer:
        """Take the first message, or the final one."""
        message = text_of(data)
        return self._final(message) if self._server else await self._first(message)

    async def _first(self, message: str) -> Answer:
        flag, authzid, bare = _split(message)
        if flag.startswith("p="):
            raise SaslFailure("malformed-request", "it binds to a channel, which is not offered")
        # 'n', or 'y': it could bind, and thinks that we cannot. It is right.
        plain_header = f"{flag},,{bare}"
        name = self._read_name(plain_header)
        self.username = name
        self.username = username = local_name(name)
        check_authzid(_unescape(authzid), username, self._terms.domain)
        keys = await self._keys(username)
        self._server = self._mechanism.make_server(
            lambda _: (keys.salt, keys.stored_key, keys.server_key, keys.iterations)
        )
        try:
            self._server.set_client_first(plain_header)
            answer: str = self._server.get_server_first()
        except ScramException as error:
            raise _failure(error) from None
        self._server.gs2_header = _Header(message[: -len(bare)].encode())
        return Challenge(answer.encode())

    def _final(self, message: str) -> Answer:
        try:
            self._server.set_client_final(message)
            answer: str = self._server.get_server_final()
        except ScramException as error:
            raise _failure(error) from None
        return Success(self.username, answer.encode())

    async def _keys(self, username: str) -> ScramKeys:
        """Nobody learns here who exists: a user that does not fails at the proof."""
        keys = await self._terms.backend.scram_keys(username, self._name)
        return self._terms.decoy(username, self._name) if keys is None else keys

    def _read_name(self, first: str) -> str:
        names: list[str] = []
        try:
            self._mechanism.make_server(names.append).set_client_first(first)
        except ScramException as error:
            if not names:  # else it has only missed the keys
                raise _failure(error) from None
        return names[0]


class _Header:
    """The GS2 header as the client sent it, in the place of scramp's own."""

    def __init__(self, header: bytes) -> None:
        self._header = header

    def make_cbind_input(self, _: object) -> bytes:
        """Answer what the final message has to repeat."""
        return self._header


def _split(message: str) -> tuple[str, str, str]:
    """Answer the channel binding flag, the authzid as it was sent, and the rest."""
    parts = message.split(",", 2)
    if len(parts) != 3 or not parts[2]:
        raise SaslFailure("malformed-request", "the first message has no GS2 header")
    flag, authzid, bare = parts
    if authzid and not authzid.startswith("a="):
        raise SaslFailure("malformed-request", "the GS2 header has no authzid where one belongs")
    return flag, authzid[2:], bare


def _unescape(saslname: str) -> str:
    """RFC 5802 section 5.1; with any other ``=``, it cannot be anybody's JID."""
    return saslname.replace("=2C", ",").replace("=3D", "=")


def _failure(error: ScramException) -> SaslFailure:
    why = error.server_error.value if error.server_error else ""
    condition = "not-authorized" if why in _NOT_AUTHORIZED else "malformed-request"
    return SaslFailure(condition, error.args[0])


SCRAM_SHA_256 = Mechanism("SCRAM-SHA-256", partial(Scram, "SCRAM-SHA-256"))
