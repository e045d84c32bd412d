"""Prints the demo: 80 columns, colours only on a terminal and without NO_COLOR."""

from __future__ import annotations

import os
import sys
import textwrap
import time

from bridgewire.steps import Step

_WIDTH = 79
_INDENT = 20
_BOLD, _GREEN, _RED, _DIM = "1", "32", "31", "2"


class Screen:
    """Where the demo speaks, and which of the twelve steps it has shown."""

    def __init__(self) -> None:
        self._colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self._began = time.monotonic()
        self.seen: set[Step] = set()

    @property
    def elapsed(self) -> float:
        """Seconds since the demo began."""
        return time.monotonic() - self._began

    @property
    def missing(self) -> list[Step]:
        """The steps that were not shown, in order."""
        return [step for step in Step if step not in self.seen]

    def scene(self, title: str) -> None:
        print(flush=True)
        rule = "-" * max(3, _WIDTH - len(title) - 4)
        print(self._paint(_BOLD, f"-- {title} {rule}"), flush=True)

    def line(self, label: str, text: str) -> None:
        """One fact: the label in the left column, the text wrapped in the right one."""
        self._print(f"     {label}", text)

    def step(self, step: Step, text: str) -> None:
        """One of the twelve steps, as it happened."""
        self.seen.add(step)
        self._print(f"{step.number:>3}  {step}", text, _GREEN)

    def prose(self, text: str) -> None:
        for line in textwrap.wrap(text, _WIDTH - 5):
            print(self._paint(_DIM, f"     {line}"), flush=True)

    def plain(self, text: str) -> None:
        """As it is, for commands that someone will copy."""
        print(f"     {text}", flush=True)

    def fault(self, text: str) -> None:
        print(self._paint(_RED, text), file=sys.stderr, flush=True)

    def _print(self, left: str, text: str, code: str = "") -> None:
        gap = " " * _INDENT
        lines = textwrap.wrap(text, _WIDTH - _INDENT, break_on_hyphens=False) or [""]
        head = left.ljust(_INDENT)
        print((self._paint(code, head) if code else head) + lines[0], flush=True)
        for line in lines[1:]:
            print(gap + line, flush=True)

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text
