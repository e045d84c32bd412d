"""The ports of xmppd: those behind proxies, and those that systemd holds."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import Any

from twisted.internet.protocol import ServerFactory

from daemonkit import listener as ports
from daemonkit.activation import Passed
from daemonkit.listener import Listener
from daemonkit.logging.events import WARNING
from xmppd.proxy_protocol import ProxiedFactory

_NOT_ALLOWED = (
    "systemd can open it: run `systemctl edit xmppd.socket`, write ListenStream={port} below "
    "[Socket], and run `systemctl restart xmppd.socket xmppd`."
)
_UNUSED = (
    "systemd listens on {0} for xmppd, and no listen setting in xmppd.ini is about it: whoever "
    "connects there is hung up on. Add a setting, or take it out of xmppd.socket (systemctl edit)."
)


def unused_listener(socket: Passed, reactor: Any) -> Listener:
    """Answer what hangs up on who connects to a socket of systemd's that no setting is about.

    Else they would wait for ever: systemd goes on listening, whether or not we accept anybody.
    """
    found = listener(str(socket), lambda _: None, reactor, places=[socket.endpoint])
    found.log.warn(WARNING, text=_UNUSED.format(socket))
    return found


def listener(
    description: str,
    accept: Callable[[str], Any],
    reactor: Any,
    *,
    context: Any = None,
    proxies: Container[str] | None = None,
    places: Iterable[str] = (),
) -> Listener:
    """As `daemonkit.listener.listener`. Connections from ``proxies`` begin with a PROXY header."""

    def read_header(factory: ServerFactory) -> ServerFactory:
        return (
            factory if proxies is None else ProxiedFactory(factory, proxies, description, reactor)
        )

    return ports.listener(
        description,
        accept,
        reactor,
        program="xmppd",
        context=context,
        around=read_header,
        places=places,
        not_allowed=_NOT_ALLOWED,
    )
