"""What xmppctl may ask of a running daemon, over the control socket."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from bridgewire.jid import JID, InvalidFormat, parse_jid
from bridgewire.session_end import MAX_REASON, is_reason
from daemonkit import credentials, room
from daemonkit import open_files as files
from daemonkit.control import CommandError
from daemonkit.hosts import is_address
from daemonkit.logins_control import logins_command
from daemonkit.networks import network_of
from daemonkit.reload import Reload
from xmppd.components import rotation
from xmppd.components.registry import Known, RegistryFault
from xmppd.ending import describe, kick, matching
from xmppd.events import NETWORK_FORGIVEN, SESSIONS_ENDED

if TYPE_CHECKING:
    from xmppd.components.stream import ComponentStream
    from xmppd.service import Server
    from xmppd.sessions import Session
    from xmppd.troubles import Trouble

#: Sessions in one answer, at most and unless another number is asked for.
MAX_SESSIONS = 10_000
DEFAULT_SESSIONS = 1000
#: Paused networks in a status.
MAX_PAUSES = 100
#: And where they are asked for.
MAX_LISTED = 1000

log = Logger()


def commands(
    server: Server, reloading: Reload[Any]
) -> Mapping[str, Callable[[dict[str, Any]], object]]:
    """Answer the commands by name; each takes the arguments and answers something for JSON."""

    def status(_: dict[str, Any]) -> object:
        """The status of docs/settings.md: server, links, sessions, logins under way."""
        sessions = Counter(session.jid.host for session in server.sessions.all())
        return {
            "domain": server.config.xmppd.domain,
            "hostname": server.config.xmppd.hostname,
            "domains": [
                {
                    "domain": domain.name,
                    "sessions": sessions[domain.name],
                    "waiting_logins": domain.logins.waiting,
                    "unanswered_logins": domain.logins.unanswered.as_json(),
                }
                for domain in server.domains.values()
            ],
            **_status_of_callbridges(server),
            "sessions": len(server.sessions),
            "refused": server.components.refused.as_json(),
            "waiting_logins": sum(domain.logins.waiting for domain in server.domains.values()),
            "connections": len(server.clients.connections),
            "not_logged_in": len(server.clients.unauthenticated),
            **_status_of_pauses(server),
            "warnings": room.warnings(server.config.xmppd.state_directory),
            "open_files": files.in_use(),
            "open_files_limit": files.limit(),
            "reload": reloading.last and reloading.last.as_json(),
        }

    async def reload(_: dict[str, Any]) -> object:
        """The configuration is read again; the answer says how that ended."""
        return (await reloading.run()).as_json()

    def callbridge_removed(arguments: dict[str, Any]) -> object:
        """A name was taken out of the registry: its link goes."""
        name = str(arguments.get("name", ""))
        domain = str(arguments.get("domain") or server.config.xmppd.domain)
        text = "the name was removed from the registry"
        return {"closed": server.components.dismiss(f"{name}.{domain}", text)}

    def sessions(arguments: dict[str, Any]) -> object:
        """The sessions of a user, or all, in the order of their addresses, and how many are."""
        user, limit = arguments.get("user"), arguments.get("limit", DEFAULT_SESSIONS)
        if not isinstance(limit, int) or not 1 <= limit <= MAX_SESSIONS:
            raise CommandError(f"limit is a number from 1 to {MAX_SESSIONS}.")
        if user is None:
            found: list[Session] = server.sessions.all()
        else:
            found = [one for jid in _users(str(user), server) for one in _matching(jid, server)]
        found.sort(key=lambda one: (one.jid.host, one.jid.user or "", one.jid.resource or ""))
        return {
            "total": len(found),
            "sessions": [
                {name: _shown(value) for name, value in asdict(one.info()).items()}
                for one in found[:limit]
            ],
        }

    def end(arguments: dict[str, Any]) -> object:
        """The sessions of a bare JID end, or the one of a full JID."""
        jid = _address(str(arguments.get("jid", "")), server)
        reason = str(arguments.get("reason") or "")
        if not is_reason(reason):
            raise CommandError(f"a reason is one line of at most {MAX_REASON} characters.")
        count = kick(server.sessions, jid, reason)
        log.info(
            SESSIONS_ENDED, user=jid.user, domain=jid.host, what=describe(count, jid.full(), reason)
        )
        return {"jid": jid.full(), "ended": count}

    def paused(_: dict[str, Any]) -> object:
        """The networks whose logins by password are refused, and how many there are."""
        total, found = _paused(server, MAX_LISTED)
        return {"total": total, "paused": found}

    def unpause(arguments: dict[str, Any]) -> object:
        """The failed logins of an address, or of its network, are forgotten."""
        text = str(arguments.get("address", ""))
        network = network_of(text.removesuffix("/64"))
        if not is_address(network.removesuffix("/64")):
            raise CommandError(f"{text!r:.80} is no address. Write it like 203.0.113.7.")
        was_paused = server.failed_logins.forgive(network)
        log.info(NETWORK_FORGIVEN, network=network)
        return {"network": network, "was_paused": was_paused}

    return {
        "status": status,
        "callbridge-removed": callbridge_removed,
        "sessions": sessions,
        "kick": end,
        "paused": paused,
        "unpause": unpause,
        "reload": reload,
        "logins": logins_command(server.clients.login_records, lambda: server.config.xmppd.domain),
        "credentials": lambda _: credentials.named(),
    }


def _status_of_callbridges(server: Server) -> dict[str, object]:
    """Those in the registry; where nobody can tell, those that are connected, and why."""
    fault = None
    try:
        links = [
            _link(domain, name, server, known)
            for domain in server.domains
            for name, known in server.registry.callbridges(domain).items()
        ]
    except RegistryFault as error:
        fault = str(error)
        up = server.components.registered.values()
        links = [_link(one.domain, one.name, server, None) for one in up]
    return {"callbridges": links, "registry_fault": fault}


def _status_of_pauses(server: Server) -> dict[str, object]:
    total, found = _paused(server, MAX_PAUSES)
    return {"paused_networks": found, "paused_networks_total": total}


def _paused(server: Server, limit: int) -> tuple[int, list[dict[str, object]]]:
    """Answer how many networks are paused, and some of them, those that are so for longest."""
    found = server.failed_logins.pauses()
    return len(found), [
        {"network": network, "seconds_left": math.ceil(left)} for network, left in found[:limit]
    ]


def _shown(value: object) -> object:
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else value


def _matching(jid: JID, server: Server) -> list[Session]:
    return matching(server.sessions, jid)


def _users(text: str, server: Server) -> list[JID]:
    """The addresses that are meant: a name alone is the user of that name in every domain."""
    if "@" in text:
        return [_address(text, server)]
    return [_address(f"{text}@{domain}", server) for domain in server.domains]


def _address(text: str, server: Server) -> JID:
    try:
        jid = parse_jid(text)
    except InvalidFormat:
        raise CommandError(
            f"{text!r:.200} is no address. Write it like alice@example.com."
        ) from None
    if jid.user is None or jid.host not in server.domains:
        known = ", ".join(server.domains)
        raise CommandError(
            f"{text!r:.200} is no address of a user here. Domains of this server: {known}."
        )
    return jid


def _link(domain: str, name: str, server: Server, known: Known | None) -> dict[str, object]:
    stream: ComponentStream | None = server.components.registered.get(f"{name}.{domain}")
    return {
        "name": name,
        "domain": domain,
        "state": _state(stream),
        "peer": stream.peer if stream else None,
        "since": stream.since.isoformat(timespec="seconds") if stream and stream.since else None,
        "certificate": (stream.certificate or None) if stream else None,
        "mechanisms": sorted(stream.callbridge.mechanisms) if stream else [],
        "outstanding": stream.callbridge.outstanding if stream else 0,
        "secret_in_use": rotation.in_use(known, stream.proof if stream else b""),
        "rotation": rotation.as_json(known),
        "last_error": _trouble(server.components.troubles.get(f"{name}.{domain}")),
    }


def _trouble(trouble: Trouble | None) -> dict[str, str] | None:
    return None if trouble is None else trouble.as_json()


def _state(stream: ComponentStream | None) -> str:
    if stream is None:
        return "down"
    return "draining" if stream.callbridge.draining else "registered"
