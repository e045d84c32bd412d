"""What the ``setup`` commands of both daemons have in common: options, a question, next steps."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from daemonkit import calling, ini_edit
from daemonkit.changes import Changes
from daemonkit.ctl import argument
from daemonkit.ini import IniReader
from daemonkit.ini_edit import Value
from daemonkit.terminal import CtlFailure, ask, paint, wrapped


def add_setup_options(command: ArgumentParser) -> None:
    """Add ``--join``, ``--set``, ``--replace``, ``--yes`` and ``--dry-run``."""
    command.add_argument(
        "--join", metavar="FILE", type=Path, help="take over a join file, and delete it; - reads it"
    )
    command.add_argument(
        "--set",
        metavar="SECTION.KEY=VALUE",
        type=argument(_parse_value),
        action="append",
        default=[],
        help="write another setting, too, whatever it was; may be repeated",
    )
    command.add_argument(
        "--replace",
        action="store_true",
        help="settings, secrets and certificates that are there give way where they differ",
    )
    command.add_argument("--yes", action="store_true", help="ask nothing")
    command.add_argument("--dry-run", action="store_true", help="only say what would be changed")


def can_ask() -> bool:
    """True where somebody may be there to answer."""
    return sys.stdin.isatty()


def chosen(text: str, key: Value, shipped: Sequence[Value]) -> str:
    """Answer what an ini file has for a key; empty where it is as it was ``shipped``."""
    entry = ini_edit.find(text, key.section, key.key)
    found = Value(key.section, key.key, "" if entry is None else entry.value)
    return "" if found in shipped else found.text


def came_with(ini: Path, text: str, key: Path, values: tuple[Value, ...]) -> tuple[Value, ...]:
    """Answer which of ``values``, as shipped in an ini file with this ``text``, nobody has chosen.

    None of them any more once there is a private key; ``key``: where that is by default.
    """
    section = IniReader(ini, check_files=False, text=text).section("tls")
    return () if section.path("private_key", key).exists() else values


def asked(prompt: str, default: str, parse: Callable[[str], str]) -> str:
    """Answer what a person types, parsed. Raises CtlFailure."""
    try:
        return parse(ask(prompt, default))
    except ValueError as error:
        raise CtlFailure(f"nothing was changed: {error}") from None


def confirm(changes: Changes) -> None:
    """Show what is about to be changed, and ask. Raises CtlFailure where the answer is no."""
    for one in changes.all:
        print(*one.lines(), sep="\n")
    if changes.any and ask("Shall this be done", "yes").lower() not in ("yes", "y"):
        raise CtlFailure("nothing was changed.")


def steps(following: Sequence[str]) -> Iterator[str]:
    """Answer what to do next as lines for people."""
    if following:
        yield paint("Next:", "bold")
    for number, text in enumerate(following, start=1):
        yield from wrapped(f"{number}. ", text, 3)


@contextmanager
def told(*faults: type[Exception]) -> Iterator[None]:
    """Let these, and what this user may not even look for, end as CtlFailure, in one line."""
    try:
        yield
    except faults as fault:
        raise CtlFailure(" ".join(str(fault).splitlines())) from None
    except OSError as error:
        text = f"{error.filename} cannot be looked at: {error.strerror}. Run this as root."
        raise CtlFailure(text) from None


def runs(control_socket: Path) -> bool:
    """True where a daemon answers there, whatever it says."""
    try:
        calling.call(control_socket, "status", 5.0)
    except calling.NotRunning:
        return False
    except calling.CommandError:
        pass
    return True


def _parse_value(text: str) -> Value:
    place, equals, value = text.partition("=")
    section, _, key = place.rpartition(".")
    comment = " ;" in f" {value}"
    if not equals or not section or not key or not value.isprintable() or comment:
        raise ValueError(f"{text[:80]!r} is not SECTION.KEY=VALUE, like component.listen=tcp:5223.")
    return Value(section.strip(), key.strip().lower(), value.strip())
