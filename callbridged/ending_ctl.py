"""``callbridgectl kick`` and ``callbridgectl guests``: who is logged in, and ending that."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from bridgewire.session_end import MAX_REASON, is_reason
from bridgewire.username import parse_username
from callbridged.config import control_socket, load
from daemonkit.calling import call
from daemonkit.ctl import Frame, argument, show
from daemonkit.terminal import CtlFailure, table
from daemonkit.units import counted, format_duration

#: Seconds to wait for the daemon, which waits for the XMPP servers.
TIMEOUT = 15.0


def add_commands(frame: Frame) -> None:
    """Add both commands."""
    command = frame.command(
        "kick",
        kick,
        "end the sessions of a user, at all XMPP servers",
        details="Whoever knows the password may log in again: to prevent that, use\n"
        "callbridgectl user passwd or user del.",
    )
    command.add_argument(
        "user",
        metavar="USER[/RESOURCE]",
        type=argument(_whom),
        help="all sessions of the user, or one",
    )
    command.add_argument(
        "--reason", metavar="TEXT", type=argument(_reason), default="", help="told to the client"
    )
    frame.command("guests", guests, "who is there without an account")


def kick(options: argparse.Namespace) -> None:
    """``kick USER[/RESOURCE]``."""
    config = load(options.config, check_files=False).callbridge
    user, resource = options.user
    name, at, domain = user.partition("@")
    if at and domain.lower() != config.domain:
        raise CtlFailure(f"{domain} is not the domain of this Call Bridge, {config.domain}.")
    answer = call(
        config.control_socket,
        "kick",
        TIMEOUT,
        user=parse_username(name),
        resource=resource,
        reason=options.reason,
    )
    show(options, answer, lambda: [said_of(answer)])


def said_of(answer: Mapping[str, Any]) -> str:
    """Answer what people are told of the daemon's answer to ``kick``."""
    servers = counted(answer["servers"], "XMPP server")
    said = f"Sessions ended: {answer['ended']}, at {servers}."
    if answer["silent"]:
        said += f" No answer from {', '.join(answer['silent'])}: ask there with xmppctl."
    return said


def guests(options: argparse.Namespace) -> None:
    """``guests``."""
    answer = call(control_socket(options.config), "guests")
    if answer is None:
        raise CtlFailure("guests are not let in. Set enabled = yes in [guest] to change that.")
    rows = [
        (one["name"], one["peer"] or "", one["since"], format_duration(one["seconds_left"]))
        for one in answer
    ]
    show(options, answer, lambda: table(("guest", "from", "since", "has left"), rows))


def _whom(text: str) -> tuple[str, str | None]:
    user, slash, resource = text.partition("/")
    if slash and not resource:
        raise ValueError("there is nothing behind the slash")
    parse_username(user.partition("@")[0])
    return user, resource or None


def _reason(text: str) -> str:
    if not is_reason(text):
        raise ValueError(f"up to {MAX_REASON} characters in one line")
    return text
