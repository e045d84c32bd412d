"""The addresses of a service's host, by the system's resolver."""

from __future__ import annotations

import socket

from twisted.internet.defer import Deferred

from bridgewire.steps import Reason, Step, StepFailure
from daemonkit.hosts import is_address
from daemonkit.workers import Workers


class Addresses:
    """Looks one host up in threads of its own, /etc/hosts included.

    The reactor's threads check passwords, and a resolver that hangs must not fill them.
    """

    def __init__(self, host: str, workers: Workers) -> None:
        self._host = host
        self._workers = workers

    async def find(self) -> list[str]:
        """Answer at least one address. Raises StepFailure: step address, dns-failure."""
        if is_address(self._host):
            return [self._host]
        asked: Deferred[list[str]] = self._workers.run(look_up, self._host)
        try:
            return await asked
        except (OSError, UnicodeError) as error:
            raise StepFailure(
                Step.ADDRESS,
                Reason.DNS_FAILURE,
                f"This system's resolver knows no address of {self._host}: "
                f"{getattr(error, 'strerror', None) or error}.",
                "Correct the host in url, or /etc/hosts, /etc/resolv.conf and the DNS.",
            ) from None


def look_up(host: str) -> list[str]:
    """Ask the system's resolver: call it in a thread. Raises OSError."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))
