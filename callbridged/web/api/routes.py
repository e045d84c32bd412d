"""Which objects the API has, and where. Each is described in openapi.json beside this file."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from callbridged.web.api.diagnostics import XmppDiagnostics
from callbridged.web.api.operation import Answer, Call, Operation, Routes
from callbridged.web.api.representation import JSON
from callbridged.web.api.system import SystemAlarms, SystemStatus
from callbridged.web.api.users import ApiUsers, InThread
from callbridged.web.api.xmpp import XmppConfiguration

if TYPE_CHECKING:
    from callbridged.web.site import Parts


def make_routes(parts: Parts, in_thread: InThread) -> Routes:
    """Answer all objects."""
    bridge, settings, audit = parts.bridge, parts.settings, parts.audit
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
        "/system/status": SystemStatus(parts.status).operations,
        "/system/alarms": SystemAlarms(parts.alarms).operations,
        "/system/diagnostics/xmpp": XmppDiagnostics(
            parts.checks, settings, lambda: bridge.config
        ).operations,
        "/users": users.list_operations,
        "/users/{id}": users.operations,
    }
    return routes
