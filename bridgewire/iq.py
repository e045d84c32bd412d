"""IQ requests on one stream: who asked what, and who may answer."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Protocol

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.words.xish.domish import Element

from bridgewire.namespaces import PING, STANZA_ERRORS


class RequestError(Exception):
    """A request that got no result."""


class RequestFailed(RequestError):
    """The peer answered with a stanza error; ``condition`` is from RFC 6120 section 8.3.3."""

    def __init__(self, condition: str) -> None:
        super().__init__(condition)
        self.condition = condition


class RequestTimedOut(RequestError):
    """No answer in time."""


class StreamLost(RequestError):
    """The stream went away before the answer came."""


class Sender(Protocol):
    """Something that takes stanzas to the peer."""

    def __call__(self, element: Element, /) -> None: ...


@dataclass(frozen=True)
class _Pending:
    result: Deferred[Element]
    timeout: IDelayedCall


def error_condition(stanza: Element) -> str:
    """Answer the defined condition of an error stanza, or ``undefined-condition``."""
    for part in stanza.elements():
        if part.name == "error":
            for child in part.elements():
                if child.uri == STANZA_ERRORS and child.name != "text":
                    return str(child.name[:50])
    return "undefined-condition"


class Requests:
    """The requests under way on one stream.

    An answer counts only with the id that we gave, which nobody can guess, and from the address
    that was asked.
    """

    def __init__(self, clock: IReactorTime, send: Sender) -> None:
        self._clock = clock
        self._send = send
        self._pending: dict[tuple[str, str], _Pending] = {}
        self._lost = False

    def __len__(self) -> int:
        return len(self._pending)

    def request(self, iq: Element, timeout: float) -> Deferred[Element]:
        """Send ``iq`` (type get or set, with a ``to``) and answer its result stanza.

        The Deferred fails with RequestFailed, RequestTimedOut (after ``timeout`` seconds) or
        StreamLost. Cancelling it gives up the wait.
        """
        if self._lost:
            return fail(StreamLost())
        iq["id"] = secrets.token_hex(8)
        key = (str(iq.getAttribute("to", "")), iq["id"])
        result: Deferred[Element] = Deferred(lambda _: self._give_up(key))
        self._pending[key] = _Pending(
            result, self._clock.callLater(timeout, self._fail, key, RequestTimedOut())
        )
        self._send(iq)
        return result

    def answer(self, iq: Element) -> bool:
        """Take a stanza of type result or error; True where it answers one of our requests."""
        key = (str(iq.getAttribute("from", "")), str(iq.getAttribute("id", "")))
        pending = self._forget(key)
        if pending is None:
            return False
        if iq.getAttribute("type") == "result":
            pending.result.callback(iq)
        else:
            pending.result.errback(RequestFailed(error_condition(iq)))
        return True

    def lost(self) -> None:
        """The stream is gone: nothing is answered any more, pending or yet to come."""
        self._lost = True
        for key in list(self._pending):
            self._fail(key, StreamLost())

    def _forget(self, key: tuple[str, str]) -> _Pending | None:
        pending = self._pending.pop(key, None)
        if pending is not None and pending.timeout.active():
            pending.timeout.cancel()
        return pending

    def _give_up(self, key: tuple[str, str]) -> None:
        self._forget(key)

    def _fail(self, key: tuple[str, str], why: RequestError) -> None:
        pending = self._forget(key)
        if pending is not None:
            pending.result.errback(why)


def new_request(kind: str, from_: str, to: str, payload: Element) -> Element:
    """Answer an IQ of ``kind`` get or set; `Requests` gives it its id."""
    iq = Element((None, "iq"))
    iq["type"] = kind
    iq["from"] = from_
    iq["to"] = to
    iq.addChild(payload)
    return iq


def ping(from_: str, to: str) -> Element:
    """Answer an XEP-0199 ping."""
    return new_request("get", from_, to, Element((PING, "ping")))
