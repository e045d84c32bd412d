"""The addresses of a web hook's server, by the system's resolver, in a thread of its own."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from bridgewire.steps import Reason, Step, StepFailure
from daemonkit.hosts import is_address

#: host -> its addresses. Raises OSError. Blocks.
Lookup = Callable[[str], list[str]]


def system_lookup(host: str) -> list[str]:
    """Ask the system's resolver, /etc/hosts included: call it in a thread."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


class Addresses:
    """Looks one host up in a thread of its own: one question at a time, for all who ask meanwhile.

    A resolver that hangs must neither fill the reactor's threads, where passwords are checked, nor
    get a longer and longer queue of questions.
    """

    def __init__(
        self, reactor: Any, host: str, pool: ThreadPool, lookup: Lookup = system_lookup
    ) -> None:
        self._host = host
        self._reactor = reactor
        self._pool = pool
        self._lookup = lookup
        self._waiting: list[Deferred[list[str]]] = []

    async def find(self) -> list[str]:
        """Answer at least one address. Raises StepFailure: step address, dns-failure."""
        if is_address(self._host):
            return [self._host]
        turn: Deferred[list[str]] = Deferred()
        self._waiting.append(turn)
        if len(self._waiting) == 1:
            asked = deferToThreadPool(self._reactor, self._pool, self._lookup, self._host)
            asked.addBoth(self._found)
        return await turn

    def _found(self, result: list[str] | Failure) -> None:
        waiting, self._waiting = self._waiting, []
        for turn in waiting:
            if not isinstance(result, Failure):
                turn.callback(result)
            elif result.check(OSError, UnicodeError):
                turn.errback(Failure(self._unknown(result.value)))
            else:
                turn.errback(result)

    def _unknown(self, error: BaseException | None) -> StepFailure:
        return StepFailure(
            Step.ADDRESS,
            Reason.DNS_FAILURE,
            f"This system's resolver knows no address of {self._host}: "
            f"{getattr(error, 'strerror', None) or error}.",
            "Correct the host in url, or /etc/hosts, /etc/resolv.conf and the DNS.",
        )
