"""Talking to the person at the terminal: secrets typed in, tables, colour, failures."""

from __future__ import annotations

import getpass
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import TextIO

#: Columns that every output fits into.
WIDTH = 80


class CtlFailure(Exception):
    """A ctl command cannot do what was asked; the text says what is wrong and what to do."""


def fail(program: str, message: object) -> int:
    """Print ``program: message`` on standard error and answer the exit status, 1."""
    print(f"{program}: {message}", file=sys.stderr)
    return 1


def read_secret(prompt: str, *, confirm: bool = False) -> str:
    """Answer a secret: typed without echo on a terminal, else the first line of standard input.

    ``prompt`` has no colon: ``Password for alice``. ``confirm``: ask twice on a terminal.

    Raises:
        CtlFailure: nothing was typed, or two different things were.
    """
    if not sys.stdin.isatty():
        secret = sys.stdin.readline().rstrip("\r\n")
        if not secret:
            raise CtlFailure("there is no secret on standard input. Pipe it in as the first line.")
        return secret
    secret = _typed(prompt)
    if not secret:
        raise CtlFailure("nothing was typed, and nothing was changed.")
    if confirm and _typed(f"{prompt}, again") != secret:
        raise CtlFailure("the two differ, and nothing was changed. Try again.")
    return secret


def _typed(prompt: str) -> str:
    try:
        return getpass.getpass(f"{prompt}: ")
    except EOFError:
        return ""


def ask(prompt: str, default: str = "") -> str:
    """Answer the line that a person types at the terminal, or the default for an empty one.

    Raises:
        CtlFailure: nothing was typed, and there is no default; or the input has ended.
    """
    try:
        answer = input(f"{prompt}{f' [{default}]' if default else ''}: ").strip() or default
    except EOFError:
        answer = ""
    if not answer:
        raise CtlFailure("nothing was typed, and nothing was changed.")
    return answer


def coloured(stream: TextIO) -> bool:
    """True where ``stream`` is a terminal and nobody asked for plain text (no-color.org)."""
    return (
        stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "") != "dumb"
    )


def columns() -> int | None:
    """Answer how wide the terminal is that standard output is; None where it is none."""
    return shutil.get_terminal_size((WIDTH, 24)).columns if sys.stdout.isatty() else None


def paint(text: str, colour: str) -> str:
    """Answer ``text`` for standard output in ``green``, ``yellow``, ``red`` or ``bold``."""
    codes = {"bold": 1, "red": 31, "green": 32, "yellow": 33}
    return f"\x1b[{codes[colour]}m{text}\x1b[0m" if coloured(sys.stdout) else text


def printable(value: object) -> str:
    """Answer one line of text without control characters: peers choose some of what is shown."""
    return "".join(char if char.isprintable() else "?" for char in str(value))


def pairs(rows: Iterable[tuple[str, object]], indent: int = 0) -> list[str]:
    """Answer lines of two columns, ``Label:  value``, with long values wrapped below themselves."""
    shown = [(f"{label}:", value) for label, value in rows]
    column = indent + max((len(label) for label, _ in shown), default=0) + 1
    lines: list[str] = []
    for label, value in shown:
        lines += wrapped((" " * indent + label).ljust(column), value, column)
    return [line.rstrip() for line in lines]


def wrapped(head: str, text: object, column: int) -> list[str]:
    """Answer ``head`` and behind it ``text`` as one or more lines, all beginning at ``column``.

    ``head`` reaches to there, whatever colours are in it.
    """
    lines = textwrap.wrap(
        printable(text), max(WIDTH - column, 20), break_on_hyphens=False, break_long_words=False
    )
    first, *others = lines or [""]
    return [head + first, *(" " * column + line for line in others)]


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Answer lines with left-aligned columns, two spaces apart, and a heading."""
    cells = [list(head), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
