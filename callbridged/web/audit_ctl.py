"""``callbridgectl audit``: what administrators did on the web page and by the API."""

from __future__ import annotations

import argparse

from callbridged.config import load
from callbridged.web.audit import Entry, last
from daemonkit.ctl import Frame, argument, show
from daemonkit.terminal import CtlFailure, table
from daemonkit.units import parse_integer

_DETAILS = """\
Who signed in or was refused, and who changed what, from where: the entries of
audit.log and refused.log in the state directory, oldest first. Secrets are not
in them, only that they were changed. The daemon need not run.

examples:
  callbridgectl audit
  callbridgectl --json audit -n 1000"""


def add_command(frame: Frame) -> None:
    """Add ``audit``."""
    command = frame.command(
        "audit", audit, "what was done on the web page and by the API", details=_DETAILS
    )
    command.add_argument(
        "-n",
        "--lines",
        metavar="N",
        type=argument(parse_integer),
        default=50,
        help="how many entries, the latest (default: 50)",
    )


def audit(options: argparse.Namespace) -> None:
    """``audit``."""
    directory = load(options.config, check_files=False).callbridge.state_directory
    try:
        entries = last(directory, options.lines)
    except OSError as error:
        raise CtlFailure(
            f"the audit log in {directory} cannot be read: {error.strerror or error}. Run this as "
            "root (sudo), or as the daemon's user."
        ) from None
    show(
        options,
        [entry.as_json() for entry in entries],
        lambda: table(("time", "who", "from", "action", "what"), map(_row, entries)),
    )


def _row(entry: Entry) -> tuple[str, str, str, str, str]:
    who = entry.who or "(unknown)"
    said = f"{entry.what}: {entry.shown}" if entry.values else entry.what
    return entry.at, who, entry.peer, entry.action, said
