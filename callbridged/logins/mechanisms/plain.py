"""PLAIN (RFC 4616): the password itself, checked by the backend."""

from __future__ import annotations

from callbridged.logins.mechanisms.exchange import (
    Answer,
    Mechanism,
    SaslFailure,
    Success,
    Terms,
    check_authzid,
    local_name,
    text_of,
)

#: Characters; passwords are at most this long in any backend.
MAX_PASSWORD = 1024
#: Octets.
MAX_MESSAGE = 8192


class Plain:
    """One message: authzid, user name and password, with NULs between."""

    def __init__(self, terms: Terms) -> None:
        self.username = ""
        self._terms = terms

    async def take(self, data: bytes) -> Answer:
        """Take the one message there is."""
        parts = text_of(data).split("\0") if len(data) <= MAX_MESSAGE else []
        if len(parts) != 3 or not parts[1] or not 0 < len(parts[2]) <= MAX_PASSWORD:
            raise SaslFailure("malformed-request", "this is no PLAIN message")
        authzid, name, password = parts
        self.username = name
        self.username = username = local_name(name)
        check_authzid(authzid, username, self._terms.domain)
        await self._terms.enter(username)
        let_in = await self._terms.users.check_password(username, password)
        if let_in is None:
            raise SaslFailure("not-authorized", self._terms.users.why_not(username))
        return Success(let_in)


PLAIN = Mechanism("PLAIN", Plain, lambda means: "PLAIN" in means.users.mechanisms)
