"""The settings of xmppd.ini that say how much is too much."""

from __future__ import annotations

from dataclasses import dataclass

from daemonkit.ini import Section
from daemonkit.throttle_limits import ThrottleLimits
from xmppd.networks import Network, parse_network

#: No limit on connections is higher than this; the kernel has one that is lower.
_MANY = 1_000_000
#: ``[failed_logins]`` of a network, behind which there may be many people.
FAILED_LOGINS = ThrottleLimits(free=20, most=50, window=600.0, pause=300.0)


@dataclass(frozen=True)
class Limits:
    """``[limits]``: client connections, all and those that have not logged in; 0: no limit.

    ``unlimited_networks``: what is counted by address, or network, is not counted for these.
    """

    max_connections: int = 20_000
    max_connections_per_address: int = 5000
    max_not_logged_in: int = 5000
    max_not_logged_in_per_address: int = 1250
    unlimited_networks: tuple[Network, ...] = ()


def read_limits(section: Section) -> Limits:
    """Answer what ``[limits]`` says."""
    default = Limits()

    def places(key: str) -> int:
        return section.integer(key, getattr(default, key), minimum=0, maximum=_MANY)

    return Limits(
        max_connections=places("max_connections"),
        max_connections_per_address=places("max_connections_per_address"),
        max_not_logged_in=places("max_not_logged_in"),
        max_not_logged_in_per_address=places("max_not_logged_in_per_address"),
        unlimited_networks=section.items("unlimited_networks", parse_network, (), separator=","),
    )
