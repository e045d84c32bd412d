"""The REST API, shaped like that of Cisco Meeting Server 2.x.

`resource.py` is HTTP: who asks, for which of the `routes.py`, with which parameters, and what it is
answered in. Each object is a module with its operations, and knows no HTTP: `xmpp.py`, `system.py`,
`diagnostics.py`, `users.py`. What they share is pure: `bodies.py` and `parameters.py` read,
`representation.py` and `failures.py` write, `paging.py` cuts lists.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from twisted.internet.threads import deferToThreadPool
from twisted.web.resource import Resource

from callbridged.web.api.resource import Api
from callbridged.web.api.routes import make_routes

if TYPE_CHECKING:
    from callbridged.web.site import Parts


def make_api(parts: Parts) -> Resource:
    """Answer what is served below ``/api``."""
    reactor = parts.reactor
    in_thread = partial(deferToThreadPool, reactor, reactor.getThreadPool())
    return Api(make_routes(parts, in_thread), parts.access.caller)
