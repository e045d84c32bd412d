"""Server-sent events: a page follows what happens. No browser is waited for, and none has a queue.

https://html.spec.whatwg.org/multipage/server-sent-events.html

::

    live = Live(reactor)
    ...
    stream = live.open(request, owner=session, gone=stop)     # in a page's `show`
    if stream is None:
        return answer(request, http.SERVICE_UNAVAILABLE, "...")
    stream.send("status", {"links": []})
    return NOT_DONE_YET
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.web.server import Request
from zope.interface import implementer

from daemonkit.tasks import cancel

#: Seconds between comments that keep proxies from forgetting a connection, and find dead ones.
HEARTBEAT = 15.0
#: Milliseconds after which a browser that has lost its stream asks again.
RETRY = 3000
#: Seconds in which a browser has to read something; its place is another one's then.
PATIENCE = 120.0


class Live:
    """The streams of one site: at most ``most`` at once, and ``each`` for one owner."""

    def __init__(self, clock: IReactorTime, most: int = 50, each: int = 6) -> None:
        self.clock = clock
        self._most = most
        self._each = each
        self._owners: Counter[Hashable] = Counter()

    def __len__(self) -> int:
        """How many there are."""
        return self._owners.total()

    def open(
        self, request: Request, owner: Hashable, gone: Callable[[], None] = lambda: None
    ) -> LiveStream | None:
        """Answer a stream on ``request``, which is then not done yet; None where all are taken.

        None also where the browser has gone meanwhile. ``gone`` is called once when it ends, by
        whomever.
        """
        if (
            getattr(request, "channel", None) is None
            or len(self) >= self._most
            or self._owners[owner] >= self._each
        ):
            return None
        self._owners[owner] += 1

        def end() -> None:
            self._owners[owner] -= 1
            if not self._owners[owner]:
                del self._owners[owner]
            gone()

        return LiveStream(request, self.clock, end)


@dataclass(frozen=True)
class _Message:
    event: str
    data: object

    def encoded(self) -> bytes:
        # JSON has no line breaks of its own, which would end the field.
        data = json.dumps(self.data, ensure_ascii=False)
        return f"event: {self.event}\ndata: {data}\n\n".encode()


@implementer(IPushProducer)
class LiveStream:
    """What one browser follows. While it does not read, only the latest of each event is kept, and
    not even put into JSON."""

    def __init__(self, request: Request, clock: IReactorTime, end: Callable[[], None]) -> None:
        """By `Live.open`."""
        self._request = request
        self._clock = clock
        self._end = end
        self._waiting: dict[str, _Message] = {}
        self._paused = False
        self._open = True
        self._timer: IDelayedCall | None = None
        request.notifyFinish().addBoth(lambda _: self._ended())
        request.setHeader(b"content-type", b"text/event-stream; charset=utf-8")
        request.setHeader(b"cache-control", b"no-store")
        request.setHeader(b"x-accel-buffering", b"no")  # nginx would keep it to itself
        request.registerProducer(self, True)
        self._write(b"retry: %d\n\n" % RETRY)

    def send(self, event: str, data: object) -> bool:
        """Let the browser know; ``data`` goes as JSON. False where that is not now, or never.

        ``event`` is a word of ours. While the browser does not read, this waits, and takes the
        place of what waited with the same ``event``.
        """
        if not self._open:
            return False
        message = _Message(event, data)
        if self._paused:
            self._waiting[event] = message
            return False
        self._write(message.encoded())
        return True

    def close(self) -> None:
        """End it from our side; the browser asks again."""
        if self._open:
            self._request.unregisterProducer()
            self._request.finish()

    def _write(self, data: bytes) -> None:
        self._set_timer(HEARTBEAT, self._beat)  # before: it may pause us
        self._request.write(data)

    def _beat(self) -> None:
        self._write(b":\n\n")

    def _give_up(self) -> None:
        channel: Any = self._request.channel
        channel.transport.abortConnection()

    def _set_timer(self, seconds: float, call: Callable[[], None]) -> None:
        cancel(self._timer)
        self._timer = self._clock.callLater(seconds, call)

    def _ended(self) -> None:
        self._open = self._paused = False
        self._waiting.clear()
        cancel(self._timer)
        self._end()

    # IPushProducer

    def pauseProducing(self) -> None:
        if self._open and not self._paused:
            self._paused = True
            self._set_timer(PATIENCE, self._give_up)

    def resumeProducing(self) -> None:
        if not self._open or not self._paused:
            return
        self._paused = False
        self._set_timer(HEARTBEAT, self._beat)
        waiting, self._waiting = self._waiting, {}
        for message in waiting.values():
            self.send(message.event, message.data)

    def stopProducing(self) -> None:
        """The connection is lost; `notifyFinish` says so, too."""
