"""The settings as docs/settings.md has them: the tables, and what stands around them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PAGE = Path(__file__).resolve().parents[2] / "docs" / "settings.md"
_FIRST_CELL = re.compile(r"(?:\*\*`\[(?P<section>[^]]+)\]`\*\*\s*)?(?P<keys>`.+`)")


@dataclass(frozen=True)
class Row:
    """A row of a table: keys that share a description, in Markdown."""

    section: str
    keys: tuple[str, ...]
    default: str
    bounds: str
    meaning: str


@dataclass(frozen=True)
class Chapter:
    """``before`` and ``after``: the paragraphs around the table, in Markdown."""

    before: tuple[str, ...]
    rows: tuple[Row, ...]
    after: tuple[str, ...]


def chapter(daemon: str, page: Path = _PAGE) -> Chapter:
    """Answer "Settings of <daemon>". Raises ValueError where a row cannot be understood."""
    text = page.read_text(encoding="utf-8")
    _, heading, rest = text.partition(f"\n## Settings of {daemon}\n")
    if not heading:
        raise ValueError(f"{page} has no section 'Settings of {daemon}'")
    blocks = re.split(r"\n#", rest, maxsplit=1)[0].strip().split("\n\n")
    (place,) = (index for index, block in enumerate(blocks) if block.startswith("|"))
    before, table, after = blocks[:place], blocks[place], blocks[place + 1 :]
    return Chapter(tuple(before), tuple(_rows(table)), tuple(after))


def _rows(table: str) -> Iterator[Row]:
    section = ""
    for line in table.splitlines()[2:]:
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        first = _FIRST_CELL.fullmatch(cells[0])
        if first is None or len(cells) != 4:
            raise ValueError(f"not a row of settings: {line}")
        section = first["section"] or section
        yield Row(section, tuple(re.findall("`([^`]+)`", first["keys"])), *cells[1:])
