"""Work and calls in the background: a Deferred that nobody waits for, and what is called later."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure


def detach(
    work: Coroutine[Deferred[Any], Any, object] | Deferred[Any], log: Logger, what: str
) -> Deferred[Any]:
    """Let ``work`` run and answer it, so that it can be cancelled.

    A failure is logged to ``log`` with its traceback, as "``what`` failed": an exception that gets
    here is a bug of ours. Cancelling it is no failure. The Deferred that is answered never fails.
    """
    deferred: Deferred[Any] = work if isinstance(work, Deferred) else Deferred.fromCoroutine(work)

    def failed(failure: Failure) -> None:
        if not failure.check(CancelledError):
            log.failure("{what} failed", failure=failure, what=what)

    return deferred.addErrback(failed)


def cancel(call: IDelayedCall | None) -> None:
    """Take a call back, if there is one that has not happened."""
    if call is not None and call.active():
        call.cancel()
