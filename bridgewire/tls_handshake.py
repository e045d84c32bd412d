"""A server's end of a TLS connection, whose peer may not make it keep an endless handshake.

A ClientHello may have 128 KiB by OpenSSL, and is kept until it is there as a whole: ten times what
anything else costs that a peer sends before it is known. Those of real clients have 2 KiB, and with
a long chain of certificates it all comes to less than 10.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL

from bridgewire.tls_failures import Connection

#: Bytes of a handshake, from a client.
MAX_HANDSHAKE = 16 * 1024


class ServerConnection(Connection):
    """Ends a handshake that is longer than `MAX_HANDSHAKE`, by an SSL.Error."""

    #: How many bytes more it may have; None once it is done.
    _room: int | None = MAX_HANDSHAKE
    #: What came with the end of it, and belongs to the stream; or is too much.
    _rest = b""

    def bio_write(self, buf: Any) -> int:
        """Take bytes from the peer. Until the handshake is done, `do_handshake` has to follow."""
        if self._room is None:
            return super().bio_write(buf)
        data = self._rest + bytes(buf)
        now, self._rest = data[: self._room], data[self._room :]
        self._room -= len(now)
        if now:
            super().bio_write(now)
        return len(buf)

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except SSL.WantReadError:
            if not self._room:
                # In the form of OpenSSL's own errors, since Twisted looks inside.
                raise SSL.Error([("SSL routines", "", "handshake too long")]) from None
            raise
        self._room = None
        rest, self._rest = self._rest, b""
        if rest:
            super().bio_write(rest)
