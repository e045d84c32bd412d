"""Threads of one's own, for work that may hang: it holds up nobody else, nor the process's end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

P = ParamSpec("P")
T = TypeVar("T")


class _DaemonThread(threading.Thread):
    """Does not keep the interpreter alive."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, daemon=True, **kwargs)


class _DaemonThreads(ThreadPool):
    threadFactory = _DaemonThread


class Workers(Service):
    """A bounded number of threads, which are there from the start of the service to its end."""

    def __init__(self, reactor: Any, threads: int, name: str, pool: Any = None) -> None:
        """``threads``: at most. ``pool``: somebody else's, in the place of one of its own."""
        self._reactor = reactor
        self._own = _DaemonThreads(0, threads, name)
        self._pool = self._own if pool is None else pool

    def startService(self) -> None:
        super().startService()
        self._own.start()

    def stopService(self) -> None:
        """Let the threads end when they can. Nobody waits for them."""
        super().stopService()
        threading.Thread(target=self._own.stop, daemon=True).start()

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """Answer what ``function`` does, in a thread, once one is free.

        Cancelling the answer spares the work if it has not begun. What has begun goes on.
        """
        answer: Deferred[T] = Deferred()

        def work() -> T | None:
            return None if answer.called else function(*args, **kwargs)

        def done(result: Any) -> None:
            if not answer.called:
                answer.callback(result)

        deferToThreadPool(self._reactor, self._pool, work).addBoth(done)
        return answer
