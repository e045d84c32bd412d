"""The pages Configuration > General and Status > General."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemonkit.web.pages import Page

if TYPE_CHECKING:
    from callbridged.web.site import Parts


def make_pages(parts: Parts) -> Page:
    """Answer ``/``, and what is below it."""
    return Page()
