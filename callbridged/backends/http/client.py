"""Asks a web hook over HTTP: one question, one answer, over connections that are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore, succeed
from twisted.internet.interfaces import IConsumer
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.client import (
    Agent,
    HTTPConnectionPool,
    RequestTransmissionFailed,
    ResponseDone,
    ResponseFailed,
    ResponseNeverReceived,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer, IResponse
from zope.interface import implementer

from bridgewire.steps import StepFailure
from callbridged.backends.addresses import Addresses
from callbridged.backends.http.connection import MAX_RESPONSE, Dialer, Endpoint
from callbridged.backends.http.failures import Explanations
from callbridged.backends.http.messages import Question
from callbridged.backends.http.settings import HookSettings

#: Seconds that a connection is kept without a question. Firewalls forget sooner than servers.
KEEP = 60

_UNANSWERED = (RequestTransmissionFailed, ResponseNeverReceived)


class HookClient:
    """Asks one hook. Nothing is kept of questions and answers."""

    def __init__(self, reactor: Any, settings: HookSettings, addresses: Addresses) -> None:
        """``reactor`` provides IReactorTCP and IReactorTime. Raises CertificateFault."""
        self.explanations = Explanations(settings, MAX_RESPONSE)
        self._reactor = reactor
        self._settings = settings
        self._url = str(settings.url).encode("ascii")
        self._dialer = Dialer(reactor, settings, addresses, self.explanations.side)
        self._places = DeferredSemaphore(settings.connections)
        self._pool = HTTPConnectionPool(reactor)
        self._pool.maxPersistentPerHost = settings.connections
        self._pool.cachedConnectionTimeout = KEEP
        self._pool.retryAutomatically = False

    async def ask(self, question: Question, seconds: float) -> bytes:
        """Answer the JSON text of the answer, which has yet to be looked at.

        Gives up after ``seconds``, the wait for a free connection included. Cancelling it closes
        the connection. Raises BackendUnavailable.
        """
        doing = ["one of its connections"]
        until = self._reactor.seconds() + seconds

        def too_late(*_: object) -> NoReturn:
            raise self.explanations.too_late(doing[0])

        def say(what: str) -> None:
            doing[0] = what

        work = Deferred.fromCoroutine(self._in_turn(question, until, say))
        work.addTimeout(seconds, self._reactor, onTimeoutCancel=too_late)
        return await work

    async def close(self) -> None:
        """Close the connections that are kept."""
        await self._pool.closeCachedConnections()

    async def _in_turn(self, question: Question, until: float, say: Callable[[str], None]) -> bytes:
        await self._places.acquire()
        try:
            return await self._request(question, until, say)
        except StepFailure as failure:
            raise self.explanations.not_connected(failure) from None
        except (*_UNANSWERED, ResponseFailed) as why:
            raise self.explanations.broken_off(why) from None
        finally:
            self._places.release()

    async def _request(self, question: Question, until: float, say: Callable[[str], None]) -> bytes:
        endpoint = Endpoint(self._dialer, say)
        try:
            return await self._exchange(endpoint, question, until, say)
        except _UNANSWERED:
            # The server may have closed a connection that was kept, just when we used it again. A
            # question that was answered with nothing may be asked twice: it changes nothing.
            if endpoint.fresh:
                raise
        # The others that are kept have most likely gone the same way.
        self._pool.closeCachedConnections()
        return await self._exchange(Endpoint(self._dialer, say), question, until, say)

    async def _exchange(
        self, endpoint: Endpoint, question: Question, until: float, say: Callable[[str], None]
    ) -> bytes:
        say("its answer")
        seconds = max(0.0, until - self._reactor.seconds())
        agent = Agent.usingEndpointFactory(self._reactor, endpoint, self._pool)
        request = _Content(question.encode(seconds))
        try:
            response = await agent.request(b"POST", self._url, self._headers(seconds), request)
        except (*_UNANSWERED, ResponseFailed) as why:
            if any(reason.check(CancelledError) for reason in why.reasons):
                raise CancelledError from None
            raise
        say("the rest of its answer")
        body: Deferred[bytes] = Deferred(lambda _: collector.give_up())
        collector = _Collector(body)
        response.deliverBody(collector)
        content = await body
        self._check(response)
        return content

    def _headers(self, seconds: float) -> Headers:
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            # RFC 7240 section 4.3, in whole seconds; the exact number is in the question.
            "Prefer": f"wait={int(seconds)}",
            "User-Agent": "callbridged",
        }
        if self._settings.bearer_token:
            headers["Authorization"] = f"Bearer {self._settings.bearer_token}"
        return Headers({name: [value] for name, value in headers.items()})

    def _check(self, response: IResponse) -> None:
        """Raises BackendUnavailable for a response that has no answer in it."""

        def header(name: str) -> bytes | None:
            values = response.headers.getRawHeaders(name.encode())
            return values[-1].strip().lower() if values else None

        if response.code != 200:
            raise self.explanations.refused(response.code, header("Retry-After"))
        media_type = (header("Content-Type") or b"").partition(b";")[0].strip()
        encoding = header("Content-Encoding") or b"identity"
        if media_type != b"application/json" or encoding != b"identity":
            raise self.explanations.wrong_type()


class _Collector(Protocol):
    """Gathers the body of a response. (Twisted's own cannot close the connection.)"""

    def __init__(self, whole: Deferred[bytes]) -> None:
        self._whole = whole
        self._parts: list[bytes] = []

    def dataReceived(self, data: bytes) -> None:
        self._parts.append(data)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        if self._whole.called:  # given up
            return
        # Without a length a body ends where the connection does; JSON shows whether it is whole.
        if reason.check(ResponseDone, PotentialDataLoss):
            self._whole.callback(b"".join(self._parts))
        else:
            self._whole.errback(reason)

    def give_up(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()


@implementer(IBodyProducer)
class _Content:
    """The body of a request, written in one go."""

    def __init__(self, content: bytes) -> None:
        self.length = len(content)
        self._content = content

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self._content)
        return succeed(None)

    def pauseProducing(self) -> None:
        pass

    def resumeProducing(self) -> None:
        pass

    def stopProducing(self) -> None:
        pass
