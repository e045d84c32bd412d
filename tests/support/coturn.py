"""A real coturn in a directory of its own, for tests of TURN and STUN; and its client.

Debian's coturn on loopback ports, with TLS by a certificate of the test authority. It takes the
credentials of the TURN REST API, by a secret that is in its configuration file.
"""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.ca import CertificateAuthority
from tests.support.foreign import Foreign
from tests.support.processes import Process, free_port
from tests.support.waiting import DEADLINE

_CONFIGURATION = """
listening-ip={address}
relay-ip={address}
listening-port={port}
tls-listening-port={tls_port}
use-auth-secret
static-auth-secret={secret}
realm=example.com
cert={certificate}
pkey={key}
userdb={directory}/turndb
pidfile={directory}/pid
log-file=stdout
verbose
no-cli
no-dtls
no-rfc5780
no-multicast-peers
# What it relays to is on this machine, too.
allow-loopback-peers
"""
#: STUN's question for one's own address (RFC 8489 section 5).
_BINDING_REQUEST = bytes.fromhex("00010000 2112a442") + bytes(12)


class Coturn(Foreign):
    """One server, not started yet. ``secret`` counts from the next start on."""

    def __init__(
        self,
        directory: Path,
        ca: CertificateAuthority,
        *,
        secret: str = "secret-of-coturn",
        address: str = "127.0.0.1",
    ) -> None:
        directory.mkdir(parents=True)
        self.directory = directory
        self.address = address
        self.port = free_port(address)
        self.tls_port = free_port(address)
        self.secret = secret
        self.secret_file = directory / "secret"
        write_private(self.secret_file, secret)
        self._certificate, self._key = ca.issue("coturn", ip=[address])
        configuration = directory / "turnserver.conf"
        self.process = Process("coturn", ["turnserver", "-c", configuration], directory / "log")

    @property
    def services(self) -> tuple[str, ...]:
        """What it serves: STUN, and TURN over UDP, TCP and TLS, as URIs."""
        where = f"{self.address}:{self.port}"
        return (
            f"stun:{where}",
            f"turn:{where}?transport=udp",
            f"turn:{where}?transport=tcp",
            f"turns:{self.address}:{self.tls_port}?transport=tcp",
        )

    def settings(self, **more: object) -> dict[str, object]:
        """A section ``[turn]`` of xmppd.ini for it."""
        services = "\n  " + "\n  ".join(self.services)
        return {"services": services, "secret_file": self.secret_file, **more}

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        write_private(
            self.directory / "turnserver.conf",
            _CONFIGURATION.format(
                address=self.address,
                port=self.port,
                tls_port=self.tls_port,
                secret=self.secret,
                certificate=self._certificate,
                key=self._key,
                directory=self.directory,
            ),
        )
        self.process.start()
        self.process.wait_while_running("coturn listens", self._listens)

    def outcomes(self, username: str) -> set[str]:
        """What became of requests for an allocation with this username, by its log: ``success``
        or an error, as in ``error 401: Unauthorized``.
        """
        who = re.escape(f"user <{username}>: incoming packet ")
        found = re.findall(rf"{who}(?:ALLOCATE|message) processed, (.+)", self.process.text())
        return set(found)

    def _listens(self) -> bool:
        """Over UDP it does so last."""
        try:
            for port in (self.port, self.tls_port):
                socket.create_connection((self.address, port), 1).close()
            with socket.socket(type=socket.SOCK_DGRAM) as udp:
                udp.settimeout(0.5)
                udp.connect((self.address, self.port))
                udp.send(_BINDING_REQUEST)
                return bool(udp.recv(1024))
        except OSError:
            return False


def write_private(path: Path, text: str) -> None:
    """What only its owner may read."""
    path.touch(mode=0o600)
    path.write_text(text)


class Peer(Process):
    """coturn's own peer: sends back over UDP what it gets."""

    def __init__(self, directory: Path, address: str = "127.0.0.1") -> None:
        self.address, self.port = address, free_port(address)
        command = ["turnutils_peer", "-L", address, "-p", str(self.port)]
        super().__init__("the peer", command, directory / "peer.log")


def relay(service: Mapping[str, Any], peer: Peer) -> bool:
    """Let coturn's own client send one message through a TURN server to ``peer``, and back.

    ``service``: host, port, transport, type, username and password, as XEP-0215 has them. True if
    the message came back, False if there was no allocation. Takes some seconds in any case.
    """
    kinds = {"turn": [], "turns": ["-S"]}
    done = subprocess.run(
        [
            *("turnutils_uclient", "-c", "-n", "1", *kinds[service["type"]]),
            *(["-t"] if service["transport"] == "tcp" else []),
            *("-u", service["username"], "-w", service["password"], "-p", str(service["port"])),
            *("-e", peer.address, "-r", str(peer.port), service["host"]),
        ],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,  # its exit status says nothing
    )
    if "tot_send_msgs=1, tot_recv_msgs=1" in done.stdout:
        return True
    if "Cannot complete Allocation" in done.stdout:
        return False
    raise AssertionError(f"turnutils_uclient:\n{done.stdout}{done.stderr}")
