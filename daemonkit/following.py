"""An answer on the control socket that goes on, as records come; the daemon waits for nobody."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from daemonkit.feed import Feed

T = TypeVar("T")

#: Records that are looked at before the transport is asked whether it takes more.
_AT_ONCE = 100


@dataclass(frozen=True)
class Following(Generic[T]):
    """What a command answers: ``result``, and then what ``shown`` makes of the records of ``feed``.

    ``shown`` answers something for JSON, or None for a record that the asker does not want.
    """

    result: object
    feed: Feed[T]
    shown: Callable[[T], object | None]


@implementer(IPushProducer)
class Follower(Generic[T]):
    """Sends one asker the records, until `stop`.

    What waits to be sent is what the transport takes before it says that this is enough (64 KiB).
    From then on nothing is done for the asker until it has read all of it.
    """

    def __init__(self, following: Following[T], transport: Any) -> None:
        """Begins behind what was written to ``transport`` before."""
        self._following = following
        self._transport = transport
        self._paused = False
        self._reader = following.feed.follow(self._send)
        transport.registerProducer(self, True)

    def hang_up(self) -> None:
        """End it from our side."""
        self.stop()
        self._transport.unregisterProducer()
        self._transport.loseConnection()

    def stop(self) -> None:
        """Send no more: the asker has gone."""
        self._paused = True
        self._reader.stop()

    def _send(self) -> None:
        more = True
        while more and not self._paused:
            missed, records = self._reader.read(_AT_ONCE)
            lines: list[dict[str, object]] = [{"missed": missed}] if missed else []
            shown = map(self._following.shown, records)
            lines += [{"record": one} for one in shown if one is not None]
            if lines:
                self._transport.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
            more = len(records) == _AT_ONCE

    # IPushProducer

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        self._send()

    def stopProducing(self) -> None:
        self.stop()
