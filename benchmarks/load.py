"""``python -m benchmarks.load JSON``: one process of load for ``benchmarks.logins``.

Blocking sockets in threads, and bytes rather than XML: a login costs this process about as much
as its share of TLS. Prints a JSON list of ``[when it ended, seconds it took, fault or null]``.
"""

from __future__ import annotations

import base64
import json
import socket
import ssl
import sys
import threading
import time
from dataclasses import dataclass, field

_PATIENCE = 30.0
_STARTTLS = b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
_BIND = b"<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"


@dataclass
class Load:
    address: str
    port: int
    domain: str
    authority: str
    user: str
    password: str
    at_once: int
    seconds: float
    done: list[tuple[float, float, str | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.context = ssl.create_default_context(cafile=self.authority)
        self.context.options |= ssl.OP_NO_TICKET
        self.header = (
            f"<stream:stream to='{self.domain}' version='1.0' xmlns='jabber:client' "
            "xmlns:stream='http://etherx.jabber.org/streams'>"
        ).encode()
        message = base64.b64encode(f"\0{self.user}\0{self.password}".encode())
        self.auth = (
            b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>%b</auth>" % message
        )

    def run(self) -> None:
        end = time.monotonic() + self.seconds
        threads = [threading.Thread(target=self.repeat, args=(end,)) for _ in range(self.at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def repeat(self, end: float) -> None:
        while (began := time.monotonic()) < end:
            try:
                fault = self.log_in()
            except OSError as error:
                fault = repr(error)
            ended = time.monotonic()
            self.done.append((ended, ended - began, fault))

    def log_in(self) -> str | None:
        """From connect to the bound resource; the fault, or None."""
        plain = socket.create_connection((self.address, self.port), _PATIENCE)
        with plain:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if fault := ask(plain, self.header, b"features>") or ask(plain, _STARTTLS, b"<proceed"):
                return fault
            with self.context.wrap_socket(plain, server_hostname=self.domain) as stream:
                fault = (
                    ask(stream, self.header, b"features>")
                    or ask(stream, self.auth, b"<success")
                    or ask(stream, self.header, b"features>")
                    or ask(stream, _BIND, b"</iq>")
                )
                if fault is None:
                    stream.sendall(b"</stream:stream>")
                return fault


def ask(stream: socket.socket, question: bytes, wanted: bytes) -> str | None:
    """Send, and read until ``wanted`` has come; the fault, or None."""
    stream.sendall(question)
    seen = b""
    while wanted not in seen:
        data = stream.recv(16384)
        seen += data
        if not data or b"<failure" in seen or b"error>" in seen:
            return seen.decode(errors="replace") or "closed"
    return None


if __name__ == "__main__":
    load = Load(**json.loads(sys.argv[1]))
    load.run()
    json.dump(load.done, sys.stdout)
