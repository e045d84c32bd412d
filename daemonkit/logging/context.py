"""Fields of everything that is logged on behalf of one task, a login say, however deep within.

They are a context variable, which Twisted keeps for a coroutine over everything that it awaits.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType

_NOTHING: Mapping[str, object] = MappingProxyType({})
_ABOUT: ContextVar[Mapping[str, object]] = ContextVar("about", default=_NOTHING)


def about(**fields: object) -> None:
    """From here on, what this coroutine logs, and what it calls, has these fields, too."""
    _ABOUT.set({**_ABOUT.get(), **fields})


def current() -> Mapping[str, object]:
    """Answer the fields of what is going on."""
    return _ABOUT.get()
