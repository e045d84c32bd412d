"""``[failed_logins]``: the limits of a throttle, as both daemons have them in their settings."""

from __future__ import annotations

from dataclasses import dataclass

from daemonkit.section import Section


@dataclass(frozen=True)
class ThrottleLimits:
    """``free`` failures in each ``window`` cost nothing, ``most`` begin a ``pause``. Seconds."""

    free: int
    most: int
    window: float
    pause: float


def read_failed_logins(
    section: Section, default: ThrottleLimits, *, highest: int
) -> ThrottleLimits | None:
    """Answer what the section says; None where failures are not to be counted.

    ``highest``: of ``most``; of ``free`` it is a tenth.
    """
    enabled = section.boolean("enabled", True)
    limits = ThrottleLimits(
        free=section.integer("free", default.free, minimum=1, maximum=highest // 10),
        most=section.integer("most", default.most, minimum=2, maximum=highest),
        window=section.duration("window", default.window, minimum=10.0, maximum=86_400.0),
        pause=section.duration("pause", default.pause, minimum=1.0, maximum=86_400.0),
    )
    if limits.free >= limits.most:
        section.fault("free", "it must be less than most. Make it smaller.")
    return limits if enabled else None
