"""Users, clients and threads for tests of logins."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from scramp import ScramClient
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.words.xish.domish import Element
from zope.interface import implementer

from bridgewire.sasl import sasl_data, sasl_message
from callbridged.backends import IUserBackend
from callbridged.scram_keys import ScramKeys

PASSWORDS = {"alice": "wonderland", "zoë": "käse,=brot", "o=b": "x"}
#: Few, so that tests are fast.
ITERATIONS = 4096

SCHEMES = ("SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512")

_KEYS = {
    (name, scheme): ScramKeys.derive(scheme, password, ITERATIONS)
    for name, password in PASSWORDS.items()
    for scheme in SCHEMES
}


@implementer(IUserBackend)
class MemoryBackend:
    """Knows `PASSWORDS`; ``hold`` makes it wait, ``error`` makes it fail."""

    mechanisms = frozenset({"SCRAM-SHA-256", "PLAIN"})

    def __init__(self) -> None:
        self.waiting: list[Deferred[None]] = []
        self.hold = False
        self.error: Exception | None = None
        self.asked: list[str] = []

    async def _look(self, username: str) -> None:
        self.asked.append(username)
        if self.hold:
            turn: Deferred[None] = Deferred()
            self.waiting.append(turn)
            await turn
        if self.error is not None:
            raise self.error

    async def scram_keys(self, username: str, mechanism: str) -> ScramKeys | None:
        await self._look(username)
        return _KEYS.get((username, mechanism))

    async def check_password(self, username: str, password: str) -> bool:
        await self._look(username)
        return PASSWORDS.get(username) == password


def auth(mechanism: str, message: str | bytes | None) -> Element:
    """A client's first message."""
    data = message.encode() if isinstance(message, str) else message
    element = sasl_message("auth", data)
    element["mechanism"] = mechanism
    return element


def plain(name: str, password: str, authzid: str = "") -> Element:
    return auth("PLAIN", f"{authzid}\0{name}\0{password}")


class ScramUser:
    """scramp's own client, which the code under test does not use; it may send any GS2 header.

    ``bound``: the channel binding data that it claims.
    """

    def __init__(
        self,
        name: str,
        password: str,
        header: str = "n,,",
        mechanism: str = "SCRAM-SHA-256",
        bound: bytes = b"",
    ) -> None:
        self.client = ScramClient([mechanism.removesuffix("-PLUS")], name, password)
        self.header = header
        self.mechanism = mechanism
        # scramp's client can neither send an authzid nor pretend that it could bind.
        self.client.gs2_header = _AnyHeader(header, bound)

    def first(self) -> Element:
        first = self.client.get_client_first()
        self.bare = first.removeprefix("n,,")
        return auth(self.mechanism, self.header + self.bare)

    def final(self, challenge: Element) -> Element:
        self.client.set_server_first((sasl_data(challenge) or b"").decode())
        return sasl_message("response", self.client.get_client_final().encode())

    def check(self, success: Element) -> None:
        """Raises where the server does not know the password."""
        self.client.set_server_final((sasl_data(success) or b"").decode())


class _AnyHeader:
    def __init__(self, header: str, bound: bytes) -> None:
        self._header = header
        self._bound = bound

    def __str__(self) -> str:
        return "n,,"

    def make_cbind_input(self, _: object) -> bytes:
        return self._header.encode() + self._bound


def salt_of(challenge: Element) -> bytes:
    """The salt in a server's first message."""
    text = (sasl_data(challenge) or b"").decode()
    return base64.b64decode(text.split(",")[1].removeprefix("s="))


def iterations_of(challenge: Element) -> int:
    return int((sasl_data(challenge) or b"").decode().split(",")[2].removeprefix("i="))


class Threads(Clock):
    """A reactor whose threads run when the test says so, or at once."""

    def __init__(self, at_once: bool = True) -> None:
        super().__init__()
        self.at_once = at_once
        self.jobs: list[Callable[[], None]] = []

    def getThreadPool(self) -> Threads:
        return self

    def callFromThread(self, function: Callable[..., Any], *args: Any) -> None:
        function(*args)

    def callInThreadWithCallback(
        self, done: Callable[[bool, Any], None], function: Callable[..., Any], *args: Any
    ) -> None:
        def job() -> None:
            try:
                result = function(*args)
            except Exception:  # noqa: BLE001 - as a thread pool does
                done(False, Failure())
            else:
                done(True, result)

        self.jobs.append(job)
        if self.at_once:
            self.work()

    def work(self) -> None:
        """Do what waits to be done."""
        while self.jobs:
            self.jobs.pop(0)()
