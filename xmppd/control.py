"""What xmppctl may ask of a running daemon, over the control socket."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xmppd.components.stream import ComponentStream
    from xmppd.service import Server


def commands(server: Server) -> Mapping[str, Callable[[dict[str, Any]], object]]:
    """Answer the commands by name; each takes the arguments and answers something for JSON."""

    def status(_: dict[str, Any]) -> object:
        """The status of docs/operating.md: server, links, sessions, logins under way."""
        return {
            "domain": server.config.xmppd.domain,
            "hostname": server.config.xmppd.hostname,
            "callbridges": [_link(name, server) for name in server.registry.names()],
            "sessions": len(server.sessions),
            "waiting_logins": server.logins.waiting,
        }

    def callbridge_removed(arguments: dict[str, Any]) -> object:
        """A name was taken out of the registry: its link goes."""
        name = str(arguments.get("name", ""))
        return {"closed": server.components.dismiss(name, "the name was removed from the registry")}

    return {"status": status, "callbridge-removed": callbridge_removed}


def _link(name: str, server: Server) -> dict[str, object]:
    stream: ComponentStream | None = server.components.registered.get(name)
    return {
        "name": name,
        "state": _state(stream),
        "peer": stream.peer if stream else None,
        "since": stream.since.isoformat(timespec="seconds") if stream and stream.since else None,
        "certificate": (stream.certificate or None) if stream else None,
        "mechanisms": sorted(stream.callbridge.mechanisms) if stream else [],
        "outstanding": stream.callbridge.outstanding if stream else 0,
    }


def _state(stream: ComponentStream | None) -> str:
    if stream is None:
        return "down"
    return "draining" if stream.callbridge.draining else "registered"
