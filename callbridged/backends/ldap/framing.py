"""Cuts what a directory sends into LDAP messages (RFC 4511 section 5.1), and bounds them."""

from __future__ import annotations

#: Octets of one message. An entry comes with the few attributes that were asked for.
MAX_MESSAGE = 64 * 1024

_SEQUENCE = 0x30


class NotLdap(Exception):
    """What came is no LDAP message, or too large; a sentence."""


class Framer:
    """Takes octets as they come, gives whole messages."""

    def __init__(self) -> None:
        self._buffer = b""

    @property
    def partial(self) -> bool:
        """True where the beginning of a message has come, and not its end."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """Answer the messages that are now whole. Raises NotLdap, and is of no use any more."""
        self._buffer += data
        messages = []
        while (size := _size(self._buffer)) is not None and len(self._buffer) >= size:
            messages.append(self._buffer[:size])
            self._buffer = self._buffer[size:]
        return messages


def _size(data: bytes) -> int | None:
    """The octets of the message that begins here, header included; None: that is yet to come."""
    if not data:
        return None
    if data[0] != _SEQUENCE:
        raise NotLdap("What came is no LDAP message.")
    if len(data) < 2:
        return None
    length, header = data[1], 2
    if length >= 0x80:
        octets = length & 0x7F
        if not 1 <= octets <= 4:
            raise NotLdap("What came is no LDAP message.")
        header += octets
        if len(data) < header:
            return None
        length = int.from_bytes(data[2:header], "big")
    if header + length > MAX_MESSAGE:
        raise NotLdap(f"A message of {header + length} octets, and {MAX_MESSAGE} may be.")
    return header + length
