"""One site for all tests of a class, which trial has no ``setUpClass`` for."""

from __future__ import annotations

import atexit
from collections.abc import Callable

from tests.support.site import Site

_held: list[tuple[object, Site]] = []


def shared_site(owner: object, make: Callable[[], Site]) -> Site:
    """The site of ``owner``, by ``make`` at its first call; another owner's site is closed."""
    if not _held or _held[0][0] is not owner:
        _close()
        _held.append((owner, make()))
    return _held[0][1]


@atexit.register
def _close() -> None:
    while _held:
        _held.pop()[1].close()
