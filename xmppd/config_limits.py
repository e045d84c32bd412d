"""The settings of xmppd.ini that say how much is too much: ``[limits]`` and ``[failed_logins]``."""

from __future__ import annotations

from dataclasses import dataclass

from daemonkit.ini import Section
from xmppd.networks import Network, parse_network

#: No limit on connections is higher than this; the kernel has one that is lower.
_MANY = 1_000_000


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


@dataclass(frozen=True)
class FailedLoginLimits:
    """``[failed_logins]``: as `daemonkit.throttle` has them. ``window``, ``pause``: seconds."""

    free: int = 20
    most: int = 50
    window: float = 600.0
    pause: float = 300.0


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


def read_failed_logins(section: Section) -> FailedLoginLimits | None:
    """Answer what ``[failed_logins]`` says; None where they are not to be counted."""
    default = FailedLoginLimits()
    enabled = section.boolean("enabled", True)
    limits = FailedLoginLimits(
        free=section.integer("free", default.free, minimum=1, maximum=10_000),
        most=section.integer("most", default.most, minimum=2, maximum=100_000),
        window=section.duration("window", default.window, minimum=10.0, maximum=86_400.0),
        pause=section.duration("pause", default.pause, minimum=1.0, maximum=86_400.0),
    )
    if limits.free >= limits.most:
        section.fault("free", "it must be less than most. Make it smaller.")
    return limits if enabled else None
