"""What a login that succeeded is answered: the name, and what else there is to know of it."""

from __future__ import annotations

from dataclasses import dataclass

from bridgewire.login import LoginReply, Token, TokenRequest
from bridgewire.sasl import sasl_message
from bridgewire.steps import Reason
from callbridged.logins.guests import ACCOUNT, GuestsFull
from callbridged.logins.mechanisms.exchange import Means, SaslFailure, Success
from callbridged.logins.mechanisms.hashed_token import BINDINGS


@dataclass
class Welcome:
    """Makes the reply to one login. ``request``: what the client wants of its token."""

    means: Means
    session: str
    peer: str | None
    request: TokenRequest | None
    #: What the user had while the login was under way.
    _fingerprint: bytes | None = None

    async def begun(self, username: str) -> None:
        """An exchange for ``username`` goes on: a token is for the password that it began with.

        Without this, who knows the old password could hold an exchange open over its change, and
        have a token afterwards.
        """
        if self._wanted(None) is not None:
            await self._look_up(username)

    async def reply(self, success: Success) -> LoginReply:
        """Answer what to send. Raises SaslFailure where there is no room for a guest, and whatever
        the backend raises."""
        element = sasl_message("success", success.data)
        guests = self.means.guests
        if guests is None or success.username != ACCOUNT:
            token = await self._token(success)
            return LoginReply(self.session, element, success.username, token)
        try:
            guest = guests.admit(self.session, self.peer)
        except GuestsFull:
            text = "all places for guests are taken"
            raise SaslFailure("temporary-auth-failure", text, Reason.RESOURCE_LIMIT) from None
        return LoginReply(self.session, element, guest.name, lifetime=guests.lifetime, report=True)

    def withdraw(self, reply: LoginReply) -> None:
        """The reply is not sent."""
        if self.means.guests is not None and reply.username is not None:
            self.means.guests.leave(reply.username)

    async def _token(self, success: Success) -> Token | None:
        wanted = self._wanted(success.renew)
        tokens, request = self.means.tokens, self.request
        if wanted is None or tokens is None or request is None:
            return None
        await self._look_up(success.username)
        if self._fingerprint is None:  # nobody can say who is a user
            return None
        return await tokens.issue(success.username, request.agent, wanted, self._fingerprint)

    async def _look_up(self, username: str) -> None:
        if self._fingerprint is None:
            self._fingerprint = await self.means.users.fingerprint(username)

    def _wanted(self, renew: str | None) -> str | None:
        """Answer the mechanism that a token is to be issued for, if any."""
        asked = None if self.request is None else self.request.mechanism
        return asked if asked in BINDINGS else renew
