"""One thing that may be asked of an object of the API: what it takes, and what does it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from callbridged.web.access import Caller
from callbridged.web.api.parameters import Parameter
from callbridged.web.api.representation import MEDIA_TYPES


@dataclass(frozen=True)
class Call:
    """A request that may be answered: who asks, and for what.

    ``id``: the variable part of the path, where there is one. ``if_match``: the entity tags of
    If-Match, without quotation marks; None: any will do.
    """

    caller: Caller
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)
    id: str = ""
    if_match: frozenset[str] | None = None


@dataclass(frozen=True)
class Answer:
    """What is answered with 200. ``name``: of its element in XML. ``value`` None: an empty body.

    ``etag``: without quotation marks. ``location``: a path. ``text``: a document that is ready, in
    the place of ``value``.
    """

    name: str = ""
    value: Mapping[str, object] | None = None
    etag: str = ""
    location: str = ""
    text: bytes = b""


@dataclass(frozen=True)
class Operation:
    """What a method does to an object. ``run`` raises ApiFailure, and then nothing was changed.

    ``query`` and ``body``: the parameters that it takes there. ``media_types``: what it answers as.
    """

    run: Callable[[Call], Awaitable[Answer]]
    query: Sequence[Parameter] = ()
    body: Sequence[Parameter] = ()
    media_types: Sequence[str] = MEDIA_TYPES


#: Paths below /api/v1, ``{id}`` for a variable part -> methods -> operations.
Routes = Mapping[str, Mapping[str, Operation]]


def find(routes: Routes, path: Sequence[str]) -> tuple[Mapping[str, Operation], str] | None:
    """Answer what may be asked of the object at ``path``, and its id; None where there is none."""
    exact = "".join(f"/{part}" for part in path)
    if exact in routes and "{id}" not in path:
        return routes[exact], ""
    if path and path[-1]:
        variable = "".join(f"/{part}" for part in (*path[:-1], "{id}"))
        if variable in routes:
            return routes[variable], path[-1]
    return None
