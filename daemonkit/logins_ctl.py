"""The ``logins`` command: those that have ended lately, and, with ``--follow``, as they end."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from daemonkit import calling
from daemonkit.ctl import Frame, argument
from daemonkit.feed import KEPT
from daemonkit.logins_lines import Lines
from daemonkit.terminal import columns, paint

_DETAILS = """\
One line for each login, when it is over. The login's id is the same in
{other}, where it can be asked for with --login, and in the logs of
both. JSON has one object a line, with all of the id and who was waited for.

--follow ends with Ctrl-C, or with exit status 1 when the daemon does. Who reads
more slowly than logins pass is told how many were missed.

examples:
  {program} logins --follow --failed
  {program} logins -n 1000 --user alice
  {program} --json logins -f --peer 203.0.113.0/24
"""


def add_logins_command(
    frame: Frame, socket_of: Callable[[Path], Path], asked: str, other: str
) -> None:
    """Add the command. ``socket_of`` answers the control socket, by the path of the ini file.

    ``asked``: heading of the column with the other end of the link; ``other``: its ctl command.
    """

    def logins(options: Namespace) -> None:
        conditions = {key: getattr(options, key) for key in ("failed", "user", "peer", "login")}
        arguments = {"lines": options.lines, **conditions}
        path = socket_of(options.config)
        if not options.follow:
            answer = calling.call(path, "logins", **arguments)
            printer = _Printer(options, answer, asked)
            if answer["logins"] or options.json:
                printer.begin()
            else:
                print(_nothing(answer["total"], any(conditions.values())))
            return
        output = sys.stdout.fileno()
        news = calling.follow(path, "logins", output, **arguments, follow=True)
        try:
            printer = _Printer(options, next(news), asked)
            printer.begin()
            sys.stdout.flush()
            for line in news:
                printer.show(line)
                sys.stdout.flush()
        except KeyboardInterrupt:
            return

    details = _DETAILS.format(program=frame.program, other=other)
    command = frame.command("logins", logins, "shows logins that have ended", details=details)
    command.add_argument(
        "-f", "--follow", action="store_true", help="go on, and show each login when it ends"
    )
    command.add_argument(
        "-n",
        "--lines",
        metavar="N",
        type=argument(_lines),
        default=20,
        help=f"how many to show of the latest, up to {KEPT} (default: 20)",
    )
    command.add_argument("--failed", action="store_true", help="only those that did not succeed")
    command.add_argument("--user", metavar="USER", help="only of this user: alice")
    command.add_argument(
        "--peer", metavar="ADDRESS", help="only from this address, or network: 203.0.113.0/24"
    )
    command.add_argument(
        "--login", metavar="ID", help="only the login with this id, or whose id begins like this"
    )


class _Printer:
    """Prints what has come from the daemon."""

    def __init__(self, options: Namespace, answer: Mapping[str, Any], asked: str) -> None:
        self._json = options.json
        self._latest = answer["logins"]
        self._lines = Lines(columns(), answer["domain"], asked)

    def begin(self) -> None:
        """Print the heading, and the latest logins."""
        if not self._json:
            print(paint(self._lines.heading(), "bold"))
        for record in self._latest:
            self._record(record)

    def show(self, line: Mapping[str, Any]) -> None:
        """Print one line of those that come behind the answer."""
        if "record" in line:
            self._record(line["record"])
        elif "missed" in line and self._json:
            print(json.dumps({"missed": line["missed"]}))
        elif "missed" in line:
            print(paint(f"--- {line['missed']} logins passed too fast to be shown ---", "yellow"))

    def _record(self, record: Mapping[str, Any]) -> None:
        if self._json:
            print(json.dumps(record, ensure_ascii=False))
        else:
            for line in self._lines.of(record):
                print(line)


def _nothing(total: int, conditions: bool) -> str:
    if not total:
        return "No login has ended since the daemon started."
    if not conditions:
        return f"There were {total} logins; --lines says how many of them to show."
    return f"None of the last {min(total, KEPT)} logins is such a one."


def _lines(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 <= int(text[:9]) <= KEPT:
        raise ValueError(f"a number from 0 to {KEPT}")
    return int(text)
