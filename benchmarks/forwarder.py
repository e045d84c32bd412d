"""``python -m benchmarks.forwarder PORT TARGET_PORT MILLISECONDS``: a service that is far away.

Forwards connections on loopback, and holds back whatever the service says for so long. So each
answer takes that much longer, whatever the protocol is, and however many are asked for at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path

from tests.support.processes import Process, free_port

_ADDRESS = "127.0.0.1"
_PIECE = 65536


class Forwarder(Process):
    """One, in a process of its own; ``port`` is where it listens."""

    def __init__(self, target_port: int, milliseconds: int, directory: Path) -> None:
        self.port = free_port(_ADDRESS)
        command = [sys.executable, "-m", "benchmarks.forwarder"]
        numbers = map(str, (self.port, target_port, milliseconds))
        super().__init__("the forwarder", [*command, *numbers], directory / "forwarder.log")

    def start(self) -> None:
        super().start()
        self.wait_for("listening")


async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, late: float) -> None:
    """Until one end is closed; then the other is, too."""
    now = asyncio.get_running_loop().time
    pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def write() -> None:
        while True:
            due, piece = await pieces.get()
            await asyncio.sleep(max(0.0, due - now()))
            if not piece:
                break
            writer.write(piece)
            await writer.drain()

    writing = asyncio.ensure_future(write())
    with contextlib.suppress(OSError):
        while piece := await reader.read(_PIECE):
            if late:
                await pieces.put((now() + late, piece))
            else:
                writer.write(piece)
    await pieces.put((now() + late, b""))
    with contextlib.suppress(OSError):
        await writing
    writer.close()


async def serve(port: int, target_port: int, late: float) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(_ADDRESS, target_port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(forward(reader, back, 0.0), forward(there, writer, late))

    server = await asyncio.start_server(connected, _ADDRESS, port, backlog=511)
    print("listening", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    listen, target, milliseconds = map(int, sys.argv[1:])
    asyncio.run(serve(listen, target, milliseconds / 1000))
