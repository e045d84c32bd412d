"""XMPP by hand over a plain or TLS socket: for peers that break the rules on purpose."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import ssl
import time
from pathlib import Path

from tests.support.waiting import NeverHappened

_ERROR = re.compile(
    rb"<(?:stream:)?error\b[^>]*>\s*<([a-z-]+)\s+xmlns=['\"]urn:ietf:params:xml:ns:xmpp-streams['\"]"
)

#: Seconds for one answer.
_PATIENCE = 20.0


class RawStream:
    """One connection. Everything received so far is in ``seen``."""

    def __init__(self, address: str, port: int, *, source: str = "") -> None:
        """``source``: the address to connect from."""
        origin = (source, 0) if source else None
        self._socket: socket.socket = socket.create_connection((address, port), _PATIENCE, origin)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.seen = b""
        self.ended = False

    def close(self) -> None:
        self._socket.close()

    def secure(
        self,
        authority: Path,
        server_name: str | None,
        certificate: tuple[Path, Path] | None = None,
    ) -> bytes:
        """Start TLS now, and answer the peer's certificate, in DER. None: no SNI, any name."""
        context = ssl.create_default_context(cafile=str(authority))
        context.check_hostname = server_name is not None
        if certificate:
            context.load_cert_chain(*map(str, certificate))
        secured = context.wrap_socket(self._socket, server_hostname=server_name)
        self._socket = secured
        return secured.getpeercert(binary_form=True) or b""

    def start_tls(
        self, authority: Path, domain: str, certificate: tuple[Path, Path] | None = None
    ) -> bytes:
        """As a client: STARTTLS, and a header whose answer is still to be read.

        Answers what `secure` does.
        """
        self.send(client_header(domain))
        self.read_until("</stream:features>")
        self.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        self.read_until("<proceed[^>]*/>")
        shown = self.secure(authority, domain, certificate)
        self.send(client_header(domain))
        return shown

    def send(self, text: str | bytes, piece: int | None = None) -> None:
        """All of it, in writes of ``piece`` bytes; a peer that hung up meanwhile is no error."""
        data = text.encode() if isinstance(text, str) else text
        step = piece or len(data) or 1
        try:
            for start in range(0, len(data), step):
                self._socket.sendall(data[start : start + step])
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            pass  # what the peer said before it hung up is still to be read

    def read_until(self, pattern: str, patience: float = _PATIENCE) -> bytes:
        """Up to and including ``pattern``, which is taken out of ``seen``."""
        compiled = re.compile(pattern.encode(), re.DOTALL)
        end = time.monotonic() + patience
        while not (match := compiled.search(self.seen)):
            if not self._receive(end):
                raise NeverHappened(f"no /{pattern}/ came, but {self.seen!r}")
        taken, self.seen = self.seen[: match.end()], self.seen[match.end() :]
        return taken

    def read_to_end(self, patience: float = _PATIENCE) -> bytes:
        """Until the peer hangs up; ``NeverHappened`` if it does not."""
        end = time.monotonic() + patience
        while self._receive(end):
            pass
        if not self.ended:
            raise NeverHappened(f"the peer did not hang up; it said {self.seen!r}")
        return self.seen

    def has_ended(self) -> bool:
        """True once the peer has hung up; waits for nothing."""
        self._receive(time.monotonic() + 0.001)
        return self.ended

    def stream_error(self, patience: float = _PATIENCE) -> str | None:
        """The condition of the stream error with which the peer ended the stream, if any."""
        match = _ERROR.search(self.read_to_end(patience))
        return match[1].decode() if match else None

    def _receive(self, end: float) -> bool:
        left = end - time.monotonic()
        if left <= 0 or self.ended:
            return False
        self._socket.settimeout(left)
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            return False
        except (ConnectionResetError, ssl.SSLError):
            data = b""
        self.ended = not data
        self.seen += data
        return bool(data)


def client_header(to: str | None = "example.com", namespace: str = "jabber:client") -> str:
    address = f"to='{to}' " if to is not None else ""
    return (
        f"<?xml version='1.0'?><stream:stream {address}version='1.0' xmlns='{namespace}' "
        "xmlns:stream='http://etherx.jabber.org/streams'>"
    )


def component_header(to: str, namespace: str = "jabber:component:accept") -> str:
    return (
        f"<stream:stream to='{to}' xmlns='{namespace}' "
        "xmlns:stream='http://etherx.jabber.org/streams'>"
    )


def component_digest(answered_header: bytes, secret: str) -> str:
    """XEP-0114: hex SHA-1 of the stream id and the secret, for the header we were answered."""
    match = re.search(rb"""\bid=['"]([^'"]+)['"]""", answered_header)
    assert match, f"no stream id in {answered_header!r}"
    return hashlib.sha1(match[1] + secret.encode()).hexdigest()


def plain(user: str, password: str, authzid: str = "") -> str:
    """The ``<auth/>`` of SASL PLAIN (RFC 4616)."""
    message = base64.b64encode(f"{authzid}\0{user}\0{password}".encode()).decode()
    return f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{message}</auth>"
