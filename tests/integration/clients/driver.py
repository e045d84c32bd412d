"""A foreign client in a process of its own, which says what happens to it, one event a line.

A driver is started with one argument, a JSON object (see ``Options``), and writes JSON objects
with a key ``event`` to its standard output; whatever else it writes is for people. It connects,
sends itself a message, asks the component who it is, and says ``done``. When the connection then
breaks, it lets its library connect again, does the same once more, and closes the stream.

==========  ==============================================================
event       more keys
==========  ==============================================================
version     ``version`` of the library
online      ``jid``; ``resumed`` where an XEP-0198 session went on
message     ``body``, ``from``: what it received
answer      ``name``, ``category``: the component's identity (XEP-0030)
done        one round is over; the connection may be cut
closed      the second round is over, and the stream was closed
refused     ``condition`` of a SASL failure; then it ends
==========  ==============================================================
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from tests.support.processes import Process
from tests.support.waiting import DEADLINE


class Options(TypedDict):
    """What a driver is told."""

    #: Where to connect: ``address`` and ``port``, or ``url`` for WebSocket.
    address: str
    port: int
    url: str
    #: ``starttls``, ``direct-tls`` or ``websocket``
    transport: str
    domain: str
    #: The server's own name, which its certificate has too.
    host: str
    user: str
    password: str
    #: PEM file of the CA to trust.
    authority: str
    #: Whom to ask who it is.
    component: str


class Driver(Process):
    """One run of a driver."""

    def __init__(
        self,
        command: Sequence[str | Path],
        options: Options,
        log: Path,
        environment: Mapping[str, str],
        explain: Callable[[], str],
    ) -> None:
        """``explain`` says what the servers make of it, for a failed test to tell."""
        super().__init__(
            f"the client of {options['user']}",
            [*command, json.dumps(options)],
            log,
            environment=environment,
        )
        self._taken = 0
        self._explain = explain

    def tail(self, lines: int = 25) -> str:
        return f"{self._explain()}\n{super().tail(lines)}"

    def events(self) -> list[dict[str, Any]]:
        """All events so far. A line that is not there in full yet is not one."""
        lines = self.text().split("\n")[:-1]
        return [json.loads(line) for line in lines if line.startswith('{"event"')]

    def expect(self, event: str, deadline: float = DEADLINE) -> dict[str, Any]:
        """The next event of this name; those before it are passed over."""

        def probe() -> dict[str, Any] | None:
            for number, one in enumerate(self.events()[self._taken :], self._taken):
                if one["event"] == event:
                    self._taken = number + 1
                    return one
            return None

        found: dict[str, Any] = self.wait_while_running(f"{event} of {self.name}", probe, deadline)
        return found
