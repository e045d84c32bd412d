"""Which objects the API has, and where. Each is described in openapi.json beside this file."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

from twisted.internet.defer import Deferred

from callbridged.alarms.service import Alarms
from callbridged.bridge import Bridge
from callbridged.check.checks import Checks
from callbridged.settings import Settings
from callbridged.web.api.diagnostics import XmppDiagnostics
from callbridged.web.api.operation import Answer, Call, Operation, Routes
from callbridged.web.api.representation import JSON
from callbridged.web.api.system import SystemAlarms, SystemStatus
from callbridged.web.api.users import ApiUsers
from callbridged.web.api.xmpp import XmppConfiguration
from callbridged.web.audit import Audit


def make_routes(
    bridge: Bridge,
    settings: Settings,
    status: Callable[[], dict[str, Any]],
    alarms: Alarms,
    checks: Checks,
    audit: Audit,
    in_thread: Callable[..., Deferred[Any]],
) -> Routes:
    """Answer all objects. ``in_thread`` runs a function with its arguments in a thread."""
    users = ApiUsers(bridge, audit, in_thread)
    document = files(__package__).joinpath("openapi.json").read_bytes()

    async def index(call: Call) -> Answer:
        """Answer which objects there are."""
        paths = [{"path": f"/api/v1{path}", "methods": [*routes[path]]} for path in routes]
        return Answer("api", {"objects": paths})

    async def openapi(call: Call) -> Answer:
        """Answer the description of all this for programs."""
        return Answer(text=document)

    routes: Routes = {
        "": {"GET": Operation(index)},
        "/openapi.json": {"GET": Operation(openapi, media_types=(JSON,))},
        "/system/configuration/xmpp": XmppConfiguration(settings, audit).operations,
        "/system/status": SystemStatus(status).operations,
        "/system/alarms": SystemAlarms(alarms).operations,
        "/system/diagnostics/xmpp": XmppDiagnostics(
            checks, settings, lambda: bridge.config
        ).operations,
        "/users": users.list_operations,
        "/users/{id}": users.operations,
    }
    return routes
