"""What tests ask of a Markdown page: its headings, anchors, links, tables, and code blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>.*)$")
_HEADING = re.compile(r"^(#{1,6}) (.*)$")
_LINK = re.compile(r"(?<!`)\[[^]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Code:
    """A fenced block below the heading with the title ``section``, without its indentation."""

    section: str
    language: str
    text: str


@dataclass(frozen=True)
class Heading:
    """``anchor`` is the one that GitHub makes of the title."""

    level: int
    title: str
    anchor: str


class Page:
    """A page, read once. Lines within code blocks are neither headings nor links nor tables."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.code: list[Code] = []
        self.prose: list[str] = []
        self._split(path.read_text(encoding="utf-8").splitlines())

    def _split(self, lines: list[str]) -> None:
        block: list[str] = []
        opened: re.Match[str] | None = None
        section = ""
        for line in lines:
            fence = _FENCE.match(line)
            if opened is None and fence is None:
                self.prose.append(line)
                if heading := _HEADING.match(line):
                    section = heading[2]
            elif opened is None:
                opened, block = fence, []
            elif fence is not None and not fence["language"]:
                self.code.append(Code(section, opened["language"], "\n".join(block)))
                opened = None
            else:
                block.append(line.removeprefix(opened["indent"]))
        if opened is not None:
            raise ValueError(f"{self.path}: a code block has no end")

    def headings(self) -> list[Heading]:
        """All of them, in their order."""
        found, seen = [], dict[str, int]()
        for line in self.prose:
            if heading := _HEADING.match(line):
                anchor = re.sub(r"[^\w\- ]", "", heading[2].lower()).replace(" ", "-")
                again = seen.get(anchor, 0)
                seen[anchor] = again + 1
                anchor = f"{anchor}-{again}" if again else anchor
                found.append(Heading(len(heading[1]), heading[2], anchor))
        return found

    def links(self) -> Iterator[str]:
        """Where the links and pictures of the page lead, as they are written."""
        # A link's text may go over two lines.
        for found in _LINK.finditer("\n".join(self.prose)):
            yield found[1]

    def tables(self) -> list[tuple[int, int]]:
        """Rows and columns of each table; the heads are rows."""
        found = list[tuple[int, int]]()
        before = False
        for line in self.prose:
            now = line.lstrip().startswith("|")
            if now:
                columns = len(re.findall(r"(?<!\\)\|", line)) - 1
                rows = found.pop()[0] if before else 0
                found.append((rows + 1, columns))
            before = now
        return found
