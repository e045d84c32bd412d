"""Tests of daemonkit.control: what the daemon answers. Sockets are in tests/integration/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ServerFactory
from twisted.internet.testing import MemoryReactor, StringTransport
from twisted.trial.unittest import SynchronousTestCase

from daemonkit.control import MAX_REQUEST, CommandError, ControlService, ControlSocketFault


class ControlTests(SynchronousTestCase):
    """One connection to a daemon with a few commands."""

    def setUp(self) -> None:
        self.waiting: Deferred[object] = Deferred()
        self.path = Path(self.mktemp())
        self.reactor = MemoryReactor()
        self.service = ControlService(
            self.reactor,
            self.path,
            {"echo": self.echo, "later": self.later, "wait": lambda _: self.waiting}
            | {"refuse": self.refuse, "break": self.fail_badly, "odd": lambda _: object()},
        )
        self.service.startService()

    def echo(self, arguments: dict[str, Any]) -> object:
        return arguments

    async def later(self, arguments: dict[str, Any]) -> object:
        return [await self.waiting, arguments]

    def refuse(self, arguments: dict[str, Any]) -> object:
        raise CommandError("not today")

    def fail_badly(self, arguments: dict[str, Any]) -> object:
        raise ZeroDivisionError

    def connect(self) -> tuple[Any, StringTransport]:
        factory = self.reactor.unixServers[-1][1]
        assert isinstance(factory, ServerFactory)
        protocol: Any = factory.buildProtocol(None)
        transport = StringTransport()
        protocol.makeConnection(transport)
        return protocol, transport

    def ask(self, line: bytes) -> Any:
        protocol, transport = self.connect()
        protocol.dataReceived(line + b"\n")
        self.assertTrue(transport.disconnecting)
        answer = transport.value()
        self.assertTrue(answer.endswith(b"\n"))
        return json.loads(answer)

    def test_mode(self) -> None:
        """Only the daemon's own user may open the socket."""
        address, _, _, mode, _ = self.reactor.unixServers[0]
        self.assertEqual((address, mode), (str(self.path), 0o600))

    def test_result(self) -> None:
        """A command gets the arguments, and its result is the answer."""
        self.assertEqual(
            self.ask(b'{"command": "echo", "arguments": {"a": [1]}}'),
            {"ok": True, "result": {"a": [1]}},
        )
        self.assertEqual(self.ask(b'{"command": "echo"}'), {"ok": True, "result": {}})

    def test_result_that_takes_time(self) -> None:
        """A command may be a coroutine or answer a Deferred, and is waited for."""
        for command in ("later", "wait"):
            self.waiting = Deferred()
            protocol, transport = self.connect()
            protocol.dataReceived(f'{{"command": "{command}"}}\n'.encode())
            self.assertEqual(transport.value(), b"")
            self.waiting.callback("x")
            self.assertIn(b'"x"', transport.value())
            self.assertTrue(transport.disconnecting)

    def test_asker_leaves(self) -> None:
        """Who does not wait for the answer harms nobody."""
        protocol, transport = self.connect()
        protocol.dataReceived(b'{"command": "later"}\n')
        protocol.connectionLost()
        self.waiting.callback(None)
        self.assertEqual(transport.value(), b"")

    def test_refusal(self) -> None:
        """A command that cannot be done is answered with its own words."""
        self.assertEqual(self.ask(b'{"command": "refuse"}'), {"ok": False, "error": "not today"})

    def test_bug(self) -> None:
        """A bug is logged with its traceback, and the asker is sent to the log."""
        answer = self.ask(b'{"command": "break"}')
        self.assertIn("internal error", answer["error"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.ask(b'{"command": "odd"}')
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_nonsense(self) -> None:
        """What is no request is answered with an error."""
        for line in (
            *(b"", b"x", b"[]", b"1", b"{}", b'{"arguments": {}}', b"\xff", b"[" * 50_000),
            *(b'{"command": "none"}', b'{"command": []}', b'{"command": "echo", "arguments": 1}'),
        ):
            self.assertFalse(self.ask(line)["ok"], line)

    def test_long_request(self) -> None:
        """A request beyond the limit is refused before it is whole."""
        protocol, transport = self.connect()
        protocol.dataReceived(b"x" * (MAX_REQUEST + 10))
        self.assertIn(str(MAX_REQUEST), json.loads(transport.value())["error"])
        self.assertTrue(transport.disconnecting)

    def test_one_request(self) -> None:
        """A second request on the same connection is not done."""
        protocol, transport = self.connect()
        protocol.dataReceived(b'{"command": "echo"}\n{"command": "echo"}\n')
        self.assertEqual(transport.value().count(b"\n"), 1)

    def test_file_in_the_way(self) -> None:
        """A file that is no socket is left alone, and the daemon does not start."""
        self.path.write_text("precious")
        service = ControlService(MemoryReactor(), self.path, {})
        fault = self.assertRaises(ControlSocketFault, service.startService)
        self.assertIn(str(self.path), str(fault))
        self.assertEqual(self.path.read_text(), "precious")

    def test_directory(self) -> None:
        """The directory of the socket is made, or the daemon says why it cannot start."""
        path = Path(self.mktemp()) / "control.sock"
        ControlService(MemoryReactor(), path, {}).startService()
        self.assertTrue(path.parent.is_dir())
        service = ControlService(MemoryReactor(), Path("/nowhere/at/all.sock"), {})
        self.assertIn(
            "/nowhere/at", str(self.assertRaises(ControlSocketFault, service.startService))
        )
