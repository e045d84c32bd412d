"""The REST API, shaped like that of Cisco Meeting Server 2.x."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemonkit.web.pages import Page

if TYPE_CHECKING:
    from callbridged.web.site import Parts


def make_api(parts: Parts) -> Page:
    """Answer what is below ``/api``."""
    return Page()
