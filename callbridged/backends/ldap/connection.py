"""A connection to a directory server: LDAP over Twisted's TCP and TLS, one operation at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

from twisted.internet import protocol
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener
from twisted.python.failure import Failure
from zope.interface import implementer

from bridgewire import tls
from bridgewire.certificates import check_host_name
from bridgewire.steps import StepFailure
from callbridged.backends.ldap.framing import Framer, NotLdap
from callbridged.backends.ldap.interface import Entry, Result, ResultCode, Search
from callbridged.backends.ldap.messages import Codec, Done, Notice, Reference
from callbridged.backends.ldap.words import Words

#: Entries and references that one search may bring before it is given up.
MAX_ANSWERS = 64


@dataclass
class _Operation:
    """What is waited for, and what has come of it."""

    ended: Deferred[Done]
    entries: list[Entry] = field(default_factory=list)
    answers: int = 0


@implementer(IHandshakeListener)
class LdapConnection(protocol.Protocol):
    """Provides `interface.Connection`."""

    def __init__(self, name: str, codec: Codec, words: Words, seconds: float) -> None:
        """``seconds``: how long the server may search."""
        self.name = name
        self.usable = False
        self._codec = codec
        self._words = words
        self._seconds = max(1, round(seconds))
        self._framer = Framer()
        self._operation: _Operation | None = None
        self._handshake: Deferred[None] | None = None
        #: Messages that have come in one piece with the one that is looked at.
        self._unread = 0
        self._fault: StepFailure | None = None

    # What its owner calls

    async def secure(self, context: tls.ClientConnections, host: str, *, start: bool) -> None:
        """Put it under TLS, and check that the server is ``host``. Raises StepFailure.

        ``start``: by StartTLS; else the server expects TLS from the first byte.
        """
        if start:
            answer = await self._ask(self._codec.start_tls())
            if answer.result.code != ResultCode.SUCCESS:
                raise self._give_up(self._words.no_start_tls(answer.result))
            if self._unread or self._framer.partial:
                # Somebody on the way may have put it there, to be taken for the server's.
                raise self._give_up(self._words.nonsense("More came in plain text after StartTLS."))
        self._handshake = Deferred(lambda _: self.close())
        self.transport.startTLS(context)  # type: ignore[union-attr]
        await self._handshake
        certificate = tls.peer_certificate(self.transport)
        assert certificate is not None  # noqa: S101  it was verified
        try:
            check_host_name(certificate, host, "The directory's", self._words.correct_url)
        except StepFailure as fault:
            raise self._give_up(fault) from None

    async def bind(self, dn: str, password: str) -> Result:
        """Bind with a simple password. Neither is empty."""
        assert dn.strip()  # noqa: S101  else it would succeed, and mean nothing
        assert password  # noqa: S101  likewise
        return (await self._ask(self._codec.bind(dn, password))).result

    async def search(self, search: Search) -> tuple[Result, tuple[Entry, ...]]:
        """Answer what was found, up to one more than was wanted. References are left out."""
        request = self._codec.search(search, self._seconds)
        entries: list[Entry] = []
        answer = await self._ask(request, entries)
        return answer.result, tuple(entries[: search.limit + 1])

    async def who_am_i(self) -> tuple[Result, str]:
        """Ask whom the directory takes us for (RFC 4532); empty: for nobody in particular."""
        answer = await self._ask(self._codec.who_am_i())
        return answer.result, answer.value.decode("utf-8", "replace")

    def close(self) -> None:
        """At once; whatever is waited for fails."""
        self.usable = False
        if self.transport is not None:
            self.transport.abortConnection()  # type: ignore[attr-defined]

    # What Twisted calls

    def connectionMade(self) -> None:
        self.usable = True
        self.transport.setTcpNoDelay(True)  # type: ignore[union-attr]
        self.transport.setTcpKeepAlive(True)  # type: ignore[union-attr]

    def handshakeCompleted(self) -> None:
        waiting, self._handshake = self._handshake, None
        if waiting is not None:
            waiting.callback(None)

    def dataReceived(self, data: bytes) -> None:
        try:
            messages = self._framer.feed(data)
            for place, message in enumerate(messages):
                self._unread = len(messages) - place - 1
                self._take(message)
        except NotLdap as fault:
            self._give_up(self._words.nonsense(str(fault)))

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        self.usable = False
        self._codec.close()
        fault = self._fault or self._words.lost(reason, during_tls=self._handshake is not None)
        operation, self._operation = self._operation, None
        handshake, self._handshake = self._handshake, None
        for waiting in (operation.ended if operation else None, handshake):
            if waiting is not None and not waiting.called:
                waiting.errback(fault)

    async def _ask(self, request: bytes, entries: list[Entry] | None = None) -> Done:
        """Send, and wait for the result; ``entries`` takes what comes before it."""
        assert self._operation is None  # noqa: S101  one at a time
        if not self.usable:
            raise self._fault or self._words.gone()
        ended: Deferred[Done] = Deferred(self._cancelled)
        self._operation = _Operation(ended, [] if entries is None else entries)
        self.transport.write(request)  # type: ignore[union-attr]
        return await ended

    def _cancelled(self, _: Deferred[Done]) -> None:
        """An answer that nobody waits for would be taken for the next one's."""
        self._operation = None
        self.close()

    def _take(self, message: bytes) -> None:
        if not self.usable:
            return
        answer = self._codec.decode(message)
        operation = self._operation
        if isinstance(answer, Notice):
            self._give_up(self._words.ended(answer.result))
        elif operation is None:
            raise NotLdap("What came answers nothing that was asked.")
        elif isinstance(answer, Done):
            self._operation = None
            operation.ended.callback(answer)
        else:
            operation.answers += 1
            if operation.answers > MAX_ANSWERS:
                raise NotLdap(f"One search has brought more than {MAX_ANSWERS} answers.")
            if not isinstance(answer, Reference):
                operation.entries.append(answer)

    def _give_up(self, fault: StepFailure) -> StepFailure:
        if self._fault is None:
            self._fault = fault
        self.close()
        return self._fault
