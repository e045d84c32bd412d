"""Lists that grow, a part at a time: ``offset`` and ``limit`` as in CMS. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from callbridged.web.api.parameters import Number

#: What a request for a list may ask for.
PAGE = (Number("offset"), Number("limit"))
#: Items of an answer, unless fewer are asked for; CMS has such a limit of its own, too.
MOST = 100


def page(
    name: str, items: Sequence[Mapping[str, object]], asked: Mapping[str, Any]
) -> dict[str, object]:
    """Answer ``{"total": ..., name: [...]}``: from ``offset`` on, at most ``limit`` items."""
    offset = asked.get("offset", 0)
    limit = min(asked.get("limit", MOST), MOST)
    return {"total": len(items), name: items[offset : offset + limit]}
