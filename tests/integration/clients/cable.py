"""A network cable between clients and a server, which can be cut: a TCP relay on a port of its own.

It looks at nothing that passes, so TLS goes through it from end to end.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import Self

from tests.support.processes import free_port

#: ``SO_LINGER``: close at once, by a reset. What a broken network looks like, not a polite end.
_RESET = struct.pack("ii", 1, 0)


class Cable:
    """Relays every connection to ``address`` and ``port``. A context manager."""

    def __init__(self, address: str, port: int, at: str = "127.0.0.1") -> None:
        self._server = (address, port)
        self.address = at
        self.port = free_port(at)
        self._listener = socket.create_server((at, self.port), backlog=16)
        self._lock = threading.Lock()
        self._ends: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread up
        self._listener.close()
        self._thread.join()
        self.cut()

    def cut(self) -> int:
        """Break all connections that there are, for both sides; returns how many. New ones work."""
        with self._lock:
            ends, self._ends = self._ends, []
            for end in ends:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    end.shutdown(socket.SHUT_RD)  # wakes the thread that reads here
                end.close()
        return len(ends) // 2

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._server, 10)
            except OSError:  # as if nobody listened there
                client.close()
                continue
            server.settimeout(None)
            with self._lock:
                self._ends += [client, server]
            for pair in ((client, server), (server, client)):
                pair[0].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=_pump, args=pair, daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
