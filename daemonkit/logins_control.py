"""What the control socket answers about logins that have ended: the latest, and those to come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from daemonkit.calling import CommandError
from daemonkit.feed import KEPT, Feed
from daemonkit.following import Following
from daemonkit.login_record import LoginRecord


@dataclass(frozen=True)
class Wanted:
    """Which logins are asked for. What is empty or None is no condition.

    ``user``: a localpart or a bare JID; ``login``: how its id begins.
    """

    failed: bool = False
    user: str = ""
    peer: IPv4Network | IPv6Network | None = None
    login: str = ""

    @classmethod
    def read(cls, arguments: dict[str, Any]) -> Wanted:
        """Read the arguments of a command. Raises CommandError."""
        peer = arguments.get("peer")
        return cls(
            bool(arguments.get("failed")),
            str(arguments.get("user") or "").lower(),
            None if peer is None else _network(str(peer)),
            str(arguments.get("login") or "").lower(),
        )

    def __call__(self, record: LoginRecord) -> bool:
        """True for a login that is asked for."""
        return (
            not (self.failed and record.succeeded)
            and record.login.startswith(self.login)
            and (not self.user or self._is_user(record))
            and (self.peer is None or _is_in(record.peer, self.peer))
        )

    def _is_user(self, record: LoginRecord) -> bool:
        name = record.user.lower()
        return self.user in (name, f"{name}@{record.domain}")


def logins_command(
    feed: Feed[LoginRecord], domain: Callable[[], str]
) -> Callable[[dict[str, Any]], object]:
    """Answer the command ``logins``. ``domain`` answers the daemon's first domain."""

    def logins(arguments: dict[str, Any]) -> object:
        """The latest ``lines`` logins that are asked for, and with ``follow`` those to come."""
        wanted, lines = Wanted.read(arguments), arguments.get("lines", KEPT)
        if not isinstance(lines, int) or not 0 <= lines <= KEPT:
            raise CommandError(f"lines is a number from 0 to {KEPT}.")
        latest = [record.as_json() for record in feed.last(lines, wanted)]
        result = {"domain": domain(), "total": feed.total, "logins": latest}
        if not arguments.get("follow"):
            return result
        return Following(result, feed, lambda one: one.as_json() if wanted(one) else None)

    return logins


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise CommandError(
            f"{text!r:.100} is neither an address nor a network. Write it like 203.0.113.7 or "
            "203.0.113.0/24."
        ) from None


def _is_in(peer: str, network: IPv4Network | IPv6Network) -> bool:
    try:
        return ip_address(peer.partition("%")[0]) in network
    except ValueError:  # a UNIX socket, or nobody has said
        return False
