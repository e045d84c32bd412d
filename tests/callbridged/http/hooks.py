"""A web hook in memory: HTTP that tests type, over the network in memory."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from callbridged.backends import BackendUnavailable
from callbridged.backends.http.client import HookClient
from callbridged.backends.http.messages import Question
from callbridged.backends.http.settings import HookSettings, parse_url
from tests.callbridged.network import HOSTS, Network, Server

HOST = "xmpp1.example.com"
ALLOW = '{"result": "allow"}'
QUESTION = Question("check-password", "alice", "PLAIN", None, "wonderland")


def response(
    body: str, status: str = "200 OK", more: str = "", media_type: str = "application/json"
) -> str:
    """A whole HTTP response."""
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\n{more}"
        f"Content-Length: {len(body.encode())}\r\n\r\n{body}"
    )


def settings(url: str = f"http://{HOST}:8080/login", **changes: Any) -> HookSettings:
    """The settings of a hook, with round durations."""
    given: dict[str, Any] = {
        "name": "hook",
        "url": parse_url(url),
        "authorities": None,
        "identity": None,
        "bearer_token": "",
        "timeout": 5.0,
        "connections": 2,
        "mechanisms": frozenset({"PLAIN"}),
        "accounts": True,
        "iterations": 4096,
    }
    return HookSettings(**(given | changes))


class Hook(Network):
    """A reactor, and the client of a hook at the other end of its network."""

    def __init__(self, url: str = f"http://{HOST}:8080/login", **changes: Any) -> None:
        super().__init__()
        self.settings = settings(url, **changes)
        #: Lookups that have yet to be answered.
        self.lookups: list[Deferred[list[str]]] = []
        self.client = HookClient(self, self.settings, _Known())  # type: ignore[arg-type]

    def ask(self, seconds: float = 5.0) -> Asked:
        """Ask, up to where the network is needed."""
        asked = Asked(self.client, seconds)
        self.settle()
        return asked

    def connection(self) -> Server:
        """Accept the connection that is wanted."""
        return self.accept(HOST, plain=True)


class Asked:
    """A question under way. ``outcome``: the answer, or what was raised."""

    def __init__(self, client: HookClient, seconds: float) -> None:
        self.outcome: Any = None
        self.deferred = Deferred.fromCoroutine(client.ask(QUESTION, seconds))
        self.deferred.addBoth(self._done)

    def _done(self, outcome: Any) -> None:
        self.outcome = outcome.value if isinstance(outcome, Failure) else outcome

    @property
    def answer(self) -> Any:
        return json.loads(self.outcome)


class ClientCase(SynchronousTestCase):
    """A hook that tests type for."""

    def setUp(self) -> None:
        self.hook = Hook()

    def failed(self, asked: Asked, reason: str, *texts: str) -> str:
        """The question was given up for this reason, and says nothing that is secret."""
        self.assertIsInstance(asked.outcome, BackendUnavailable, asked.outcome)
        said = str(asked.outcome)
        self.assertTrue(said.startswith(f"{reason}: "), said)
        for text in texts:
            self.assertIn(text, said)
        self.assertNotIn("wonderland", said)
        self.assertNotIn("hunter2", said)
        return said

    def answered(self, text: str) -> Asked:
        """Ask, and answer."""
        asked = self.hook.ask()
        self.hook.connection().type(text)
        return asked


class _Known:
    """Addresses without a resolver."""

    async def find(self) -> list[str]:
        return [HOSTS[HOST]]
