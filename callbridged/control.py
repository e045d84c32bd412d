"""What callbridgectl may ask of a running daemon, over the control socket."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bridgewire.sasl import WireFault
from bridgewire.session_end import EndSessions
from callbridged.config import Config
from callbridged.ending import end_sessions
from callbridged.guessing import Guessing
from callbridged.guests import Guests
from callbridged.links import Links
from callbridged.login import LoginService
from callbridged.relay import Relay
from daemonkit.calling import CommandError

#: Paused accounts that are listed.
MAX_LISTED = 1000


def commands(
    config: Config,
    links: Links,
    logins: LoginService,
    relay: Relay,
    guests: Guests | None,
    guessing: Guessing | None,
) -> Mapping[str, Callable[[dict[str, Any]], object]]:
    """Answer the commands by name; each takes the arguments and answers something for JSON."""

    def status(_: dict[str, Any]) -> object:
        """The status of docs/operating.md: the links, and whether logins can be answered."""
        return {
            "callbridge": config.callbridge.name,
            "domain": config.callbridge.domain,
            "authentication_service": "registered" if links.registered else "down",
            "links": links.status(),
            "outstanding_logins": logins.outstanding(),
            "draining": logins.draining,
            "guests": None if guests is None else len(guests.status()),
            "paused": 0 if guessing is None else len(guessing.paused()),
        }

    def drain(_: dict[str, Any]) -> object:
        """Take no new logins; those under way go on."""
        relay.drain(True)
        return {"draining": True, "outstanding_logins": logins.outstanding()}

    def resume(_: dict[str, Any]) -> object:
        """Take logins again."""
        relay.drain(False)
        return {"draining": False, "outstanding_logins": logins.outstanding()}

    async def kick(arguments: dict[str, Any]) -> object:
        """End the sessions of ``user``, or the one with ``resource``; ``reason`` is told them."""
        what = EndSessions(
            str(arguments.get("user", "")),
            arguments.get("resource"),
            str(arguments.get("reason") or ""),
        )
        try:
            EndSessions.from_element(what.to_element())
        except (WireFault, AttributeError, TypeError) as fault:
            raise CommandError(f"this cannot be asked of an XMPP server: {fault}.") from None
        if not relay.links:
            raise CommandError(
                "no XMPP server is connected, so no session can be ended. callbridgectl status "
                "says why."
            )
        ended = await end_sessions(relay.links, what)
        return {"ended": ended.sessions, "servers": ended.servers, "silent": list(ended.silent)}

    def list_guests(_: dict[str, Any]) -> object:
        """Who is there without an account; None where guests are not enabled."""
        return None if guests is None else guests.status()

    def paused(_: dict[str, Any]) -> object:
        """Accounts whose logins are paused after too many failed ones."""
        found = [] if guessing is None else guessing.paused()
        return {
            "total": len(found),
            "paused": [
                {"user": user, "network": network, "seconds_left": round(left)}
                for user, network, left in found[:MAX_LISTED]
            ],
        }

    def unpause(arguments: dict[str, Any]) -> object:
        """Forget the failed logins of ``user``."""
        user = str(arguments.get("user", ""))
        return {"user": user, "was_paused": guessing is not None and guessing.forgive(user)}

    return {
        "status": status,
        "drain": drain,
        "resume": resume,
        "kick": kick,
        "guests": list_guests,
        "paused": paused,
        "unpause": unpause,
    }
