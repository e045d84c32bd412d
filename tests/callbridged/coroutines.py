"""Running coroutines that do not wait."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")


def result_of(work: Coroutine[Deferred[Any], Any, T]) -> T:
    """Answer the result of a coroutine that needs no reactor, or raise what it raised."""
    results: list[Any] = []
    Deferred.fromCoroutine(work).addBoth(results.append)
    assert results, "it still waits"
    if isinstance(results[0], Failure):
        results[0].raiseException()
    result: T = results[0]
    return result
