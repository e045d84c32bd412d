"""Which login is being answered: for backends that look at more than a name and a password.

It is a context variable, so that it needs no argument in each method of each backend; Twisted keeps
those for a coroutine over everything that it awaits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime

from daemonkit.waits import Waits, Whom


@dataclass(frozen=True)
class Attempt:
    """One login. ``peer``: the client's IP address, if it is known.

    ``ends``: when nobody waits for the answer any more, in seconds of the reactor's clock.
    ``waits``: for whom it waits, and for how long.
    """

    peer: str | None
    mechanism: str
    ends: float
    waits: Waits | None = None


#: The login that this code runs for.
ATTEMPT: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


@contextmanager
def waiting(whom: Whom) -> Iterator[None]:
    """The login that this code runs for waits for ``whom``; nothing where there is none."""
    attempt = ATTEMPT.get()
    waits = None if attempt is None else attempt.waits
    if waits is not None:
        waits.turn_to(whom)
    try:
        yield
    finally:
        if waits is not None:
            waits.turn_to(None)


def seconds_left(clock: IReactorTime, most: float) -> float:
    """Answer how long a backend may take: ``most``, or what is left of the login's deadline."""
    attempt = ATTEMPT.get()
    return most if attempt is None else max(0.0, min(most, attempt.ends - clock.seconds()))
