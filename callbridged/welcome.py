"""What a login that succeeded is answered: the name, and what the XMPP server has to know of it."""

from __future__ import annotations

from bridgewire.login import LoginReply
from bridgewire.sasl import sasl_message
from callbridged.directory import Directory
from callbridged.guests import ACCOUNT, Guests, GuestsFull
from callbridged.mechanisms.exchange import SaslFailure, Success


class Welcome:
    """Makes replies out of successes. ``guests`` None: there are none."""

    def __init__(self, users: Directory, guests: Guests | None) -> None:
        self._users = users
        self._guests = guests

    async def reply(self, session: str, peer: str | None, success: Success) -> LoginReply:
        """Answer what to send. Raises SaslFailure where there is no room for a guest, and whatever
        the backend raises."""
        element = sasl_message("success", success.data)
        if self._guests is None or success.username != ACCOUNT:
            return LoginReply(session, element, success.username)
        try:
            guest = await self._guests.admit(session, peer, self._users.has)
        except GuestsFull:
            raise SaslFailure("temporary-auth-failure", "all places for guests are taken") from None
        lifetime = self._guests.lifetime
        return LoginReply(session, element, guest.name, lifetime=lifetime, report=True)

    def withdraw(self, reply: LoginReply) -> None:
        """The reply is not sent."""
        if self._guests is not None and reply.username is not None:
            self._guests.leave(reply.username)
