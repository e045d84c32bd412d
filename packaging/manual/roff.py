"""Manual pages of configuration files, in the man(7) language."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from settings import Chapter, Row

_LINK = re.compile(r"\[([^]]+)\]\([^)]+\)")
_INLINE = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\*([^*]+)\*")


def ini_page(
    title: str,
    daemon: str,
    chapter: Chapter,
    shipped: str,
    date: str,
    source: str,
    see: Sequence[str],
) -> str:
    """Answer the page of ``title``; ``shipped`` is the file as it is installed."""
    lines = [
        f'.TH {title.upper()} 5 "{date}" "{source}" "File Formats Manual"',
        ".SH NAME",
        rf"{title} \- settings of {daemon}(8)",
        ".SH DESCRIPTION",
        *_paragraphs(chapter.before),
        ".SH SETTINGS",
        *_settings(chapter.rows),
    ]
    if chapter.after:
        lines += [".SH NOTES", *_paragraphs(chapter.after)]
    lines += [".SH EXAMPLE", "The file as it is installed:", ".PP", *literal(shipped)]
    lines += [".SH SEE ALSO", ",\n".join(rf"\fB{name}\fR({number})" for name, number in see)]
    return "\n".join(lines) + "\n"


def literal(text: str) -> Iterator[str]:
    """Text that is shown as it is written."""
    yield ".nf"
    yield from (_safe(_escaped(line)) for line in text.rstrip("\n").split("\n"))
    yield ".fi"


def inline(text: str) -> str:
    """One paragraph of Markdown: code and strong text are bold, emphasis is italic, links are gone.

    Sentences begin on lines of their own, as man-pages(7) wants them.
    """
    text = " ".join(_LINK.sub(r"\1", text).replace(r"\|", "|").split())
    parts, end = [], 0
    for found in _INLINE.finditer(text):
        bold, italic = found[1] or found[2], found[3]
        parts.append(_sentences(text[end : found.start()]))
        parts.append(rf"\fI{_escaped(italic)}\fR" if italic else rf"\fB{_escaped(bold)}\fR")
        end = found.end()
    parts.append(_sentences(text[end:]))
    return "\n".join(_safe(line) for line in "".join(parts).split("\n"))


def _settings(rows: Sequence[Row]) -> Iterator[str]:
    section = None
    for row in rows:
        if row.section != section:
            section = row.section
            yield f".SS [{_escaped(section)}]"
        yield ".TP"
        yield ", ".join(rf"\fB{key}\fR" for key in row.keys)
        yield inline(row.meaning[:1].upper() + row.meaning[1:].rstrip(".") + ".")
        yield inline(f"Default: {row.default}. Values: {row.bounds}.")


def _paragraphs(blocks: Sequence[str]) -> Iterator[str]:
    for number, block in enumerate(blocks):
        if number:
            yield ".PP"
        yield inline(block)


def _sentences(text: str) -> str:
    return re.sub(r"(?<=[.:]) (?=[A-Z])", "\n", _escaped(text))


def _escaped(text: str) -> str:
    return text.replace("\\", r"\e").replace("-", r"\-")


def _safe(line: str) -> str:
    """A dot or an apostrophe at the beginning of a line would be a request."""
    return rf"\&{line}" if line.startswith((".", "'")) else line
