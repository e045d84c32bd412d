"""What lies between a client and a server elsewhere: distance, and TLS for those who speak none."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Coroutine
from typing import Self

#: Seconds that an answer takes, as on a short way through the Internet.
DISTANCE = 0.02


class Tunnel:
    """Listens on ``port`` of both loopback addresses, and relays. A context manager.

    With ``context`` it connects by TLS, to a server that is called ``server_name``.
    """

    def __init__(
        self,
        port: int,
        to: tuple[str, int],
        server_name: str | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._port = port
        self._to = to
        self._tls = {"ssl": context, "server_hostname": server_name} if context else {}
        self._listening: list[asyncio.Server] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.open()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def open(self) -> None:
        """Listen, as a server that has started does."""
        self._run(self._listen())

    def close(self) -> None:
        """Refuse new connections, as where no server runs."""
        self._run(self._refuse())

    def _run(self, work: Coroutine[object, object, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        for address in ("127.0.0.1", "::1"):
            server = await asyncio.start_server(self._relay, address, self._port)
            self._listening.append(server)

    async def _refuse(self) -> None:
        while self._listening:
            self._listening.pop().close()

    async def _relay(self, inside: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            outside, out = await asyncio.open_connection(*self._to, **self._tls)
        except OSError:  # the server is down
            back.close()
            return
        await asyncio.gather(_pump(inside, out, 0), _pump(outside, back, DISTANCE))


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, wait: float) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            await asyncio.sleep(wait)
            sink.write(data)
            await sink.drain()
    with contextlib.suppress(OSError):
        sink.close()
