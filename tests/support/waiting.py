"""Wait for something to become true, with a deadline that is only reached when it never does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: Seconds. Long, because it is only reached by a failure: a passing run never waits for it.
DEADLINE = 30.0

_PAUSE = 0.02


class NeverHappened(AssertionError):
    """What was waited for did not come; the message says what was seen last."""


def wait_until(
    what: str,
    probe: Callable[[], T | None],
    deadline: float = DEADLINE,
    explain: Callable[[], str] = str,
) -> T:
    """Ask ``probe`` until its answer is true and return that; ``NeverHappened`` after ``deadline``.

    ``explain`` is asked only on failure, for the last lines of a log or the last status.
    """
    end = time.monotonic() + deadline
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > end:
            raise NeverHappened(f"not within {deadline:g} s: {what}\n{explain()}")
        time.sleep(_PAUSE)
