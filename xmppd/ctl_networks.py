"""xmppctl paused and unpause, and what status says about connections and paused networks."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from typing import Any

from daemonkit import calling
from daemonkit.ctl import Frame, show
from daemonkit.terminal import printable, table
from daemonkit.units import format_duration
from xmppd.config import control_socket

#: Networks in a status, for people.
_SHOWN = 10

_ON_UNPAUSE = """\
Logins by password that fail too often are refused for a while, with all others
from the same IPv4 address or IPv6 /64 ([failed_logins] in the configuration).
This lets the address in at once, and forgets its failed logins.
"""


def add_network_commands(frame: Frame) -> None:
    """Add both commands."""
    frame.command("paused", paused, "shows the networks whose logins are refused for a while")
    about = "lets a network log in again that failed too often"
    parser = frame.command("unpause", unpause, about, details=_ON_UNPAUSE)
    parser.add_argument(
        "address", metavar="ADDRESS", help="203.0.113.7, or 2001:db8::7 for its /64"
    )


def paused(options: Namespace) -> None:
    """Print the networks that are paused."""
    answer = calling.call(control_socket(options.config), "paused")
    rows = [(one["network"], format_duration(one["seconds_left"])) for one in answer["paused"]]
    show(options, answer, lambda: table(("network", "paused for"), rows))


def unpause(options: Namespace) -> None:
    """End the pause."""
    socket = control_socket(options.config)
    answer = calling.call(socket, "unpause", address=options.address)
    network = printable(answer["network"])
    text = (
        f"{network} may log in again."
        if answer["was_paused"]
        else f"{network} was not paused. Its failed logins are forgotten."
    )
    show(options, answer, lambda: [text])


def connections(status: dict[str, Any]) -> list[tuple[str, str]]:
    """Answer a line of the status."""
    if "connections" not in status:  # by an older daemon
        return []
    text = f"{status['connections']}, {status['not_logged_in']} of them not logged in"
    return [("Connections", text)]


def pauses(status: dict[str, Any]) -> Iterator[str]:
    """Answer a line for each of some paused networks; none where there are none."""
    found = status.get("paused_networks", [])
    if found:
        yield ""
    for one in found[:_SHOWN]:
        left = format_duration(one["seconds_left"])
        yield f"{printable(one['network'])} may not log in by password for {left}"
    more = status.get("paused_networks_total", 0) - len(found[:_SHOWN])
    if more > 0:
        yield f"and {more} more, see xmppctl paused"
