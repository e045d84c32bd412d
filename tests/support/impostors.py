"""Servers that are not what a Call Bridge hopes to find, each in a thread of its own."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import warnings
from pathlib import Path
from typing import Self


class Talker:
    """Accepts every connection, says ``greeting``, and then nothing. A context manager.

    ``hangs_up``: it closes the connection instead.
    """

    def __init__(
        self, address: str, port: int, greeting: bytes = b"", *, hangs_up: bool = False
    ) -> None:
        #: How many connections came so far.
        self.accepted = 0
        self._greeting = greeting
        self._hangs_up = hangs_up
        self._listener = socket.create_server((address, port), backlog=16)
        self._connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread up
        self._listener.close()
        self._thread.join()
        for connection in self._connections:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            self._connections.append(connection)
            with contextlib.suppress(OSError):
                self.greet(connection)

    def greet(self, connection: socket.socket) -> None:
        connection.sendall(self._greeting)
        if self._hangs_up:
            connection.close()


class TlsTalker(Talker):
    """The same after a TLS handshake with some certificate.

    ``newest``: the newest version of TLS that it knows.
    """

    def __init__(
        self,
        address: str,
        port: int,
        certificate: tuple[Path, Path],
        greeting: bytes = b"",
        *,
        hangs_up: bool = False,
        newest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED,
    ) -> None:
        super().__init__(address, port, greeting, hangs_up=hangs_up)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*map(str, certificate))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of versions, which is the point
            if newest is not ssl.TLSVersion.MAXIMUM_SUPPORTED:
                self._context.minimum_version = ssl.TLSVersion.TLSv1
            self._context.maximum_version = newest

    def greet(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        secured = self._context.wrap_socket(connection, server_side=True)
        self._connections.append(secured)
        super().greet(secured)


class FullListener:
    """A listening socket whose queue is full, so that the kernel drops every further SYN."""

    def __init__(self, address: str, port: int) -> None:
        self._sockets = [socket.create_server((address, port), backlog=0)]
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex((address, port))
            self._sockets.append(filler)

    def close(self) -> None:
        for one in self._sockets:
            one.close()
