"""``callbridgectl paused`` and ``callbridgectl unpause``: accounts with too many failed logins."""

from __future__ import annotations

import argparse

from bridgewire.username import parse_username
from callbridged.config import control_socket
from daemonkit.calling import call
from daemonkit.ctl import Frame, argument, show
from daemonkit.terminal import table
from daemonkit.units import format_duration


def add_commands(frame: Frame) -> None:
    """Add both commands."""
    frame.command("paused", paused, "accounts whose logins are paused: too many have failed")
    command = frame.command(
        "unpause",
        unpause,
        "let a user log in again now, whose logins are paused",
        details="Their failed logins are forgotten. Who guesses may then guess again.",
    )
    command.add_argument(
        "user", metavar="USER", type=argument(parse_username), help="as callbridgectl paused lists"
    )


def paused(options: argparse.Namespace) -> None:
    """``paused``."""
    answer = call(control_socket(options.config), "paused")
    rows = [
        (one["user"], one["network"] or "new addresses", format_duration(one["seconds_left"]))
        for one in answer["paused"]
    ]
    show(options, answer, lambda: table(("user", "from", "paused for"), rows))


def unpause(options: argparse.Namespace) -> None:
    """``unpause USER``."""
    socket = control_socket(options.config)
    answer = call(socket, "unpause", user=options.user)
    was = "may log in again" if answer["was_paused"] else "was not paused; failures are forgotten"
    show(options, answer, lambda: [f"{answer['user']} {was}."])
