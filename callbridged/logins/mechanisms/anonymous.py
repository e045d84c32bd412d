"""ANONYMOUS (RFC 4505): a guest comes in, and may say a word that traces them."""

from __future__ import annotations

from callbridged.logins.guests import ACCOUNT
from callbridged.logins.mechanisms.exchange import (
    Answer,
    Means,
    Mechanism,
    SaslFailure,
    Success,
    Terms,
    text_of,
)

#: Characters of trace information (RFC 4505 section 2).
MAX_TRACE = 255


class Anonymous:
    """One message, whose trace information is held to its form and forgotten: it may be private."""

    def __init__(self, terms: Terms) -> None:
        self.username = ACCOUNT

    async def take(self, data: bytes) -> Answer:
        """Take the one message there is."""
        if len(data) > 4 * MAX_TRACE or len(text_of(data)) > MAX_TRACE or b"\0" in data:
            raise SaslFailure("malformed-request", "this is no trace information")
        return Success(ACCOUNT)


def _served(means: Means) -> bool:
    return means.guests is not None and means.guests.anonymous


#: Clients such as strophe.js send no initial response at all and take no challenge.
ANONYMOUS = Mechanism("ANONYMOUS", Anonymous, _served, may_be_silent=True)
