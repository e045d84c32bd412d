"""``callbridgectl alarms``: what is wrong now, and with ``--follow``, what becomes of it."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from callbridged.config import control_socket
from daemonkit import calling
from daemonkit.ctl import Frame, show
from daemonkit.terminal import paint, printable, wrapped

_DETAILS = """\
The exit status is 1 if there is an alarm, and 0 if there is none. An alarm is
raised after something has been wrong for a while, and cleared after it has been
right for a while: [alarms] in callbridged.ini says how long. They are in status
and in the log, too.

--follow goes on and shows what is raised and cleared. It ends with Ctrl-C, or with
exit status 1 when the daemon does. JSON then has one object a line: first those
that there are, then the changes.

examples:
  found=$(callbridgectl alarms 2>&1) || echo "$found" | mail -s "Call Bridge" root
  callbridgectl alarms --follow
  callbridgectl --json alarms
"""

_COLOURS = {"critical": "red", "warning": "yellow"}
_COLUMN = 2


def add_alarms_command(frame: Frame) -> None:
    """Add the command."""
    command = frame.command(
        "alarms", alarms, "what is wrong now, and what to do about it", details=_DETAILS
    )
    command.add_argument(
        "-f", "--follow", action="store_true", help="go on, and show what is raised and cleared"
    )


def alarms(options: Namespace) -> int:
    """``alarms``."""
    path = control_socket(options.config)
    if options.follow:
        return _follow(options, calling.follow(path, "alarms", sys.stdout.fileno(), follow=True))
    answer = calling.call(path, "alarms")
    show(options, answer, lambda: lines(answer["alarms"]))
    return 1 if answer["alarms"] else 0


def lines(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Answer them for people."""
    for alarm in found:
        yield from alarm_lines(alarm)
    if not found:
        yield "There is no alarm."


def alarm_lines(alarm: Mapping[str, Any]) -> Iterator[str]:
    """Answer one: what it is, and below that since when, what was seen and what to do."""
    severity, indent = str(alarm["severity"]), " " * _COLUMN
    since = datetime.fromisoformat(alarm["since"]).astimezone()
    yield f"{paint(severity, _COLOURS[severity])}  {alarm['kind']}, {printable(alarm['subject'])}"
    yield f"{indent}since {since:%Y-%m-%d %H:%M:%S}; {alarm['step']}, {alarm['reason']}"
    for text in filter(None, (alarm["text"], alarm["remedy"])):
        yield from wrapped(indent, text, _COLUMN)


def status_lines_of(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Answer their part of ``status``: one each, and where there is more of them."""
    for alarm in found:
        head = paint("ALARM", _COLOURS[alarm["severity"]])
        said = f"{alarm['kind']}, {alarm['subject']}: {alarm['text']}"
        yield from wrapped(f"{head}  ", said, len("ALARM  "))
    if found:
        yield "callbridgectl alarms says what to do."


def _follow(options: Namespace, news: Iterator[Any]) -> int:
    try:
        found = next(news)["alarms"]
        for alarm in found:
            _print(options, alarm, alarm_lines(alarm))
        if not found and not options.json:
            print("There is no alarm.")
        sys.stdout.flush()
        for line in news:
            if "missed" in line:
                _print(options, line, [f"{line['missed']} changes were missed."])
            else:
                _print(options, line["record"], _change_lines(line["record"]))
            sys.stdout.flush()
    except KeyboardInterrupt:
        pass
    return 0


def _change_lines(change: Mapping[str, Any]) -> Iterator[str]:
    alarm = change["alarm"]
    if change["what"] != "cleared":
        yield from alarm_lines(alarm)
        return
    at = datetime.fromisoformat(change["at"]).astimezone()
    yield f"{paint('cleared', 'green')}  {alarm['kind']}, {printable(alarm['subject'])}"
    yield f"{' ' * _COLUMN}at {at:%Y-%m-%d %H:%M:%S}"


def _print(options: Namespace, record: object, text: Iterator[str] | list[str]) -> None:
    if options.json:
        print(json.dumps(record, ensure_ascii=False))
        return
    for line in text:
        print(line)
