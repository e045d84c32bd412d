"""``callbridgectl check``."""

from __future__ import annotations

import argparse
from pathlib import Path

from bridgewire.username import parse_username
from callbridged.config import load
from daemonkit.ctl import Frame, argument, show
from daemonkit.terminal import CtlFailure, read_secret

_EPILOG = """\
It does what callbridged does to connect, once, towards every XMPP server, and
says what it finds at each step. A link that is up is left alone. The exit
status is 1 if any step fails; warnings do not count.

With --login the password is read from the terminal without echo, or is the
first line of standard input."""


def add_commands(frame: Frame) -> None:
    """Add ``check``."""
    command = frame.command(
        "check", run, "try every step towards every XMPP server", details=_EPILOG
    )
    command.add_argument(
        "--login",
        metavar="USER",
        type=argument(parse_username),
        help="also ask the user backends about a password",
    )
    command.add_argument(
        "--trace", metavar="FILE", type=Path, help="write what goes over the wire, without secrets"
    )


def run(options: argparse.Namespace) -> int:
    """``check``."""
    # Here, as they take a while to load, and the other commands need none of it.
    from callbridged.check.run import run_check
    from callbridged.check.trace import Trace

    config = load(options.config)
    password = read_secret(f"Password for {options.login}") if options.login else ""
    try:
        trace = Trace(options.trace)
    except OSError as error:
        raise CtlFailure(f"{options.trace} cannot be written: {error.strerror}.") from None
    try:
        report = run_check(config, trace, options.login, password)
    finally:
        trace.close()
    show(options, report.as_json(), report.lines)
    return 1 if report.failures else 0
