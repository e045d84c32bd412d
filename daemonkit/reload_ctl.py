"""The ``reload`` command, and what ``status`` says of the last reload."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from daemonkit import calling
from daemonkit.ctl import Frame, show
from daemonkit.refresh import refresh, unit_of
from daemonkit.terminal import pairs, printable, wrapped

#: Seconds to wait for the daemon: a reload may be under way, and this one is the next.
TIMEOUT = 60.0

_DETAILS = """\
Does the same as SIGHUP. No connection is closed. A file with a fault changes
nothing: all that was in use before still is, and the exit status is 1.
Where systemd has given the daemon copies of certificates, keys and secrets
(LoadCredential=), they are made anew first; that takes root."""

_OLD_COPIES = (
    "certificates, keys and secrets are the copies that systemd made before. For what they are "
    "now, run `systemctl reload {}`, or this as root."
)


def add_reload_command(frame: Frame, socket_of: Callable[[Path], Path]) -> None:
    """Add the command. ``socket_of`` answers the control socket, by the path of the ini file."""

    def reload(options: Namespace) -> int:
        socket = socket_of(options.config)
        unit = _unit(socket)
        if unit and os.geteuid() == 0:
            refresh(unit)
        elif unit:
            print(f"{frame.program}: {_OLD_COPIES.format(unit)}", file=sys.stderr)
        answer = calling.call(socket, "reload", TIMEOUT)
        if options.json or answer["ok"]:
            show(options, answer, lambda: _reloaded(answer))
        else:
            print(f"{frame.program}: {_failed(answer['faults'])}", file=sys.stderr)
        return 0 if answer["ok"] else 1

    about = "reads the configuration and its files again; no connection is closed"
    frame.command("reload", reload, about, details=_DETAILS)


def describe_reload(answer: Mapping[str, Any] | None) -> Iterator[str]:
    """Answer lines of the status, from its ``reload``; none where there was no reload."""
    if answer is None:
        return
    at = datetime.fromisoformat(answer["at"]).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    said = "" if answer["ok"] else "failed; what was in use before still is"
    yield from pairs([("Last reload", f"{at} {said}")])
    for fault in answer["faults"]:
        yield from wrapped("  ", fault, 4)
    if answer["needs_restart"]:
        yield from pairs([("Needs a restart", ", ".join(answer["needs_restart"]))])


def _unit(socket: Path) -> str | None:
    """The unit whose credentials the daemon uses."""
    try:
        return unit_of(calling.call(socket, "credentials"))
    except calling.CommandError:  # an older daemon, which was not restarted after an upgrade
        return None


def _reloaded(answer: Mapping[str, Any]) -> Iterator[str]:
    changed = ", ".join(map(printable, answer["changed"]))
    yield f"Reloaded: {changed or 'nothing is new'}."
    if answer["needs_restart"]:
        yield f"Needs a restart: {', '.join(map(printable, answer['needs_restart']))}."


def _failed(faults: list[str]) -> str:
    lines = "".join(f"\n  {printable(one)}" for one in faults)
    return f"not reloaded, and all that was in use before still is:{lines}"
