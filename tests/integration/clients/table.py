"""The table in docs/clients.md: which mechanism each client chooses, and how it comes back."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.support.processes import ROOT

PAGE = ROOT / "docs" / "clients.md"

_HEAD = ["client", "version", "transport", "mechanism", "after a cut"]


@dataclass(frozen=True)
class Row:
    """One line of the table, as far as tests can say whether it is true."""

    client: str
    version: str
    transport: str
    #: The one that it logs in with first.
    mechanism: str
    #: What becomes of its session after a lost connection.
    after_a_cut: str


def rows(text: str | None = None) -> list[Row]:
    """All rows of the table, without the links and code marks that are around a cell."""
    found: list[Row] = []
    inside = False
    for line in (PAGE.read_text() if text is None else text).splitlines():
        if not line.startswith("|"):
            inside = False
            continue
        cells = [_bare(cell) for cell in line.strip("|").split("|")]
        if [cell.lower() for cell in cells[: len(_HEAD)]] == _HEAD:
            inside = True
        elif inside and not set(line) <= set("|-: "):
            found.append(Row(*cells[: len(_HEAD)]))
    return found


def _bare(cell: str) -> str:
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", cell.strip()).strip("`")
