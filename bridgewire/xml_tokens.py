"""Unfinished and forbidden tokens in the bytes of a stream, found before expat sees them."""

from __future__ import annotations

import re

# Expat tries an unfinished token again only when twice its bytes are there ("reparse deferral",
# since 2.6.0 and in Debian's 2.5.0), so a stanza that comes in small pieces would wait for the next
# one. Python cannot always switch that off. Expat never sees an unfinished token here: what these
# match is held back until the rest has come.
_UNFINISHED = re.compile(
    rb"""<(?:
        (?:[^!?"'>][^"'>]*(?:"[^"]*"[^"'>]*|'[^']*'[^"'>]*)*(?:"[^"]*|'[^']*)?)?  # tag
        | !  # what may become CDATA
        | \?(?:[^?]|\?(?!>))*  # processing instruction, XML declaration
    )\Z""",
    re.VERBOSE,
)
_UNFINISHED_TEXT = re.compile(rb"(?:&[^;<]*|\]\]?)\Z")

_CDATA = b"<![CDATA["
_SPECIAL = re.compile(rb"<(?:!.|\?)", re.DOTALL)
_NAMES = {b"<!-": "comment", b"<?": "processing instruction"}


def finished(whole: bytes) -> int:
    """Answer how many of the bytes end with a token that has come whole."""
    unfinished = _UNFINISHED.match(whole, max(whole.rfind(b"<"), 0))
    if unfinished is None:
        unfinished = _UNFINISHED_TEXT.search(whole, whole.rfind(b">") + 1)
    cut = unfinished.start() if unfinished else len(whole)
    cdata = whole.rfind(b"<![", 0, cut)
    return cdata if cdata >= 0 and cut - cdata < len(_CDATA) else cut


def find_refused(whole: bytes, in_cdata: bool, at_start: bool) -> re.Match[bytes] | None:
    """Find what must not be there, before expat does: it would tell of some other fault, or of
    none yet, as the bytes were cut.

    ``in_cdata``: the bytes begin within a CDATA section. ``at_start``: with them the stream begins.
    """
    at = whole.find(b"]]>") if in_cdata else 0
    while at >= 0:
        found = _SPECIAL.search(whole, at)
        if found is None:
            break
        if found[0] == b"<![":
            at = whole.find(b"]]>", found.end())
        elif found[0] == b"<?" and at_start and found.start() == 0:
            at = found.end()  # where the XML declaration may stand
        else:
            return found
    return None


def what_is(refused: re.Match[bytes]) -> str:
    """Answer what was found, in words."""
    return _NAMES.get(refused[0], "document type declaration")
