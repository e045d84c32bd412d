"""The table in docs/clients.md: what each client is, and which mechanism it chooses."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.support.processes import ROOT

PAGE = ROOT / "docs" / "clients.md"

_HEAD = ["client", "version", "transport", "mechanism"]


@dataclass(frozen=True)
class Row:
    """One line of the table, as far as tests can say whether it is true."""

    client: str
    version: str
    transport: str
    mechanism: str


def rows(text: str | None = None) -> list[Row]:
    """All rows of the table whose first columns are client, version, transport and mechanism.

    Links and code marks around a cell are left out.
    """
    found: list[Row] = []
    inside = False
    for line in (PAGE.read_text() if text is None else text).splitlines():
        if not line.startswith("|"):
            inside = False
            continue
        cells = [_bare(cell) for cell in line.strip("|").split("|")]
        if [cell.lower() for cell in cells[:4]] == _HEAD:
            inside = True
        elif inside and not set(line) <= set("|-: "):
            found.append(Row(*cells[:4]))
    return found


def _bare(cell: str) -> str:
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", cell.strip()).strip("`")
