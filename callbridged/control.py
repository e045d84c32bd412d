"""What callbridgectl may ask of a running daemon, over the control socket."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bridgewire.sasl import WireFault
from bridgewire.session_end import EndSessions
from callbridged.alarms.alarm import Change
from callbridged.alarms.service import Alarms
from callbridged.bridge import Bridge
from callbridged.logins.ending import end_sessions
from callbridged.settings import Settings, SettingsFault
from daemonkit import credentials
from daemonkit.calling import CommandError
from daemonkit.following import Following
from daemonkit.logins_control import logins_command

#: Paused accounts that are listed.
MAX_LISTED = 1000


def commands(
    bridge: Bridge,
    settings: Settings,
    status: Callable[[], object],
    alarms: Alarms,
    was_reset: Callable[[Sequence[str]], None] = lambda _: None,
) -> Mapping[str, Callable[[dict[str, Any]], object]]:
    """Answer the commands by name; each takes the arguments and answers something for JSON.

    ``was_reset`` hears which settings are as in the ini file again.
    """

    async def reload(_: dict[str, Any]) -> object:
        """The configuration is read again; the answer says how that ended."""
        return (await settings.reload.run()).as_json()

    async def reset(arguments: dict[str, Any]) -> object:
        """What was changed on the page or over the API is as in the ini file again.

        ``settings``: the keys.
        """
        try:
            changed = await settings.reset(map(str, arguments["settings"]))
        except SettingsFault as fault:
            raise CommandError(f"nothing was changed: {fault}") from None
        outcome = changed.outcome
        if outcome.changed:
            was_reset(outcome.changed)
        return outcome.as_json()

    async def reconnect(_: dict[str, Any]) -> object:
        """Each link that is up gives way to a newer one; the answer says how that went."""
        renewed = await bridge.links.renew()
        return {
            "links": [
                {
                    "target": str(one.target),
                    "renewed": one.failure is None,
                    "error": one.failure and one.failure.as_json(),
                }
                for one in renewed
            ]
        }

    def drain(_: dict[str, Any]) -> object:
        """Take no new logins; those under way go on."""
        bridge.relay.drain(True)
        return {"draining": True, "outstanding_logins": bridge.logins.outstanding()}

    def resume(_: dict[str, Any]) -> object:
        """Take logins again."""
        bridge.relay.drain(False)
        return {"draining": False, "outstanding_logins": bridge.logins.outstanding()}

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
        if not bridge.relay.links:
            raise CommandError(
                "no XMPP server is connected, so no session can be ended. callbridgectl status "
                "says why."
            )
        ended = await end_sessions(bridge.relay.links, what)
        return {"ended": ended.sessions, "servers": ended.servers, "silent": list(ended.silent)}

    def list_guests(_: dict[str, Any]) -> object:
        """Who is there without an account; None where guests never were enabled."""
        return None if bridge.guests is None else bridge.guests.status()

    def paused(_: dict[str, Any]) -> object:
        """Accounts whose logins are paused after too many failed ones."""
        found = [] if bridge.guessing is None else bridge.guessing.paused()
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
        was_paused = bridge.guessing is not None and bridge.guessing.forgive(user)
        return {"user": user, "was_paused": was_paused}

    def list_alarms(arguments: dict[str, Any]) -> object:
        """What is wrong now, and with ``follow`` what becomes of it."""
        result = {"alarms": [one.as_json() for one in alarms.active]}
        following = Following(result, alarms.feed, Change.as_json)
        return following if arguments.get("follow") else result

    def domain() -> str:
        return bridge.config.callbridge.domain

    return {
        "status": lambda _: status(),
        "reload": reload,
        "reset": reset,
        "reconnect": reconnect,
        "credentials": lambda _: credentials.named(),
        "drain": drain,
        "resume": resume,
        "kick": kick,
        "guests": list_guests,
        "alarms": list_alarms,
        "paused": paused,
        "unpause": unpause,
        "logins": logins_command(bridge.logins.records.feed, domain),
    }
