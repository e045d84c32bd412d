"""The fault tables of docs/troubleshooting.md, and which test provokes which row."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.support.markdown import Page
from tests.support.processes import ROOT

PAGE = ROOT / "docs" / "troubleshooting.md"
_FAULTS = "| `check` and `status` say |"
_CHECK_ONLY = "| `check` says |"
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Row:
    """One fault: what the commands say, at which ``step``, for which ``reason`` (- for none).

    ``status`` is None where only ``check`` tells. ``...`` stands for any words. ``command``: whose
    ``check`` and ``status`` it is.
    """

    command: str
    check: str
    status: str | None
    step: str
    reason: str
    remedy: str

    def missing_in(self, check: str, status: str) -> list[str]:
        """Answer what the two texts lack of this row, each as a sentence; none if all is there.

        Step and reason stand before the words that both commands say; where they use different
        words, before one of them.
        """
        found = []
        named = 0
        for name, symptom, text in (("check", self.check, check), ("status", self.status, status)):
            if symptom is None:
                continue
            words = re.escape(symptom).replace(re.escape("..."), ".*?")
            if not re.search(words, text):
                found.append(f"{self.command} {name} does not say {symptom!r}")
            named += re.search(f"{self.step}, {self.reason}: .{{0,200}}?{words}", text) is not None
        if self.reason != "-" and named < (2 if self.check == self.status else 1):
            found.append(f"nobody says '{self.step}, {self.reason}:' before it")
        return found


def read() -> list[Row]:
    """Answer all rows, in their order."""
    rows: list[Row] = []
    command, kind = "", ""
    for line in Page(PAGE).prose:
        if line.startswith("### "):
            command = next((one for one in ("callbridgectl", "xmppctl") if one in line), "")
        elif line.startswith((_FAULTS, _CHECK_ONLY)):
            kind = line
        elif not line.startswith("|"):
            kind = ""
        elif kind and not line.startswith("|--"):
            rows.append(_row(command, kind, [cell.strip() for cell in line.split("|")[1:-1]]))
    return rows


def _row(command: str, kind: str, cells: list[str]) -> Row:
    said = _CODE.findall(cells[0])
    if kind.startswith(_CHECK_ONLY):
        return Row(cells[1].strip("`"), said[0], None, "-", "-", cells[2])
    _, step, reason, remedy = cells
    return Row(command, said[0], said[-1], step, reason.replace("\u2013", "-"), remedy)


@functools.cache
def rows() -> tuple[Row, ...]:
    return tuple(read())


def find(command: str, words: str) -> Row:
    """Answer the row of ``command`` with these words; of more, where ``status`` says them."""
    found = [
        one
        for one in rows()
        if one.command == command and (words in one.check or words in (one.status or ""))
    ]
    if len(found) > 1:
        found = [one for one in found if words in (one.status or "")]
    if len(found) != 1:
        raise AssertionError(f"{len(found)} rows of {command} have the words {words!r}")
    return found[0]


def provokes(command: str, words: str) -> Callable[[Any], Any]:
    """Mark a test as that of a row, which it gets as its argument."""

    def mark(test: Any) -> Any:
        @functools.wraps(test)
        def run(case: Any) -> Any:
            return test(case, find(command, words))

        run.row = (command, words)  # type: ignore[attr-defined]
        return run

    return mark
