"""xmppd and callbridged as one of the servers to measure, and the others beside it."""

from __future__ import annotations

import os
import ssl
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from cryptography import x509

from benchmarks.client import TRANSPORTS, Target
from benchmarks.peers import PASSWORD, PEERS
from callbridged.scram_keys import ITERATIONS, ScramKeys
from callbridged.scram_text import format_keys
from tests.support.processes import ROOT, free_port
from tests.support.site import Site

_XMPP_ADDRESS = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.5")  # RFC 6120 section 13.7.1.4

#: What `add_users` makes keys for.
SCHEME = "SCRAM-SHA-256"


class Subject(Protocol):
    """A server that can be measured. ``pids``: its processes, the one that clients see first."""

    name: str

    @property
    def pids(self) -> dict[str, int]: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def version(self) -> str: ...


class Pair:
    """Both of our daemons. ``user0`` and others are there with the password ``wonderland``.

    ``real_users`` 0: a backend that does no work knows all names, and PLAIN alone is offered. Else
    so many are in a file, and there are guests, and ``user_certificate`` is user0's.
    """

    name = "xmppd"

    def __init__(self, site: Site, address: str, real_users: int) -> None:
        self._site = site
        client: dict[str, object] = {
            "direct_tls_listen": f"tcp:{free_port(address)}:interface={address}",
            "websocket_listen": f"tcp:{free_port(address)}:interface={address}",
            "login_timeout": "10m",
        }
        settings: dict[str, dict[str, object]] = {
            "client": client,
            "session": {"max_sessions_per_user": 10_000},
            "login": {"deadline": "2m"},
        }
        if real_users:
            settings["tls"] = {"client_ca": site.ca.certificate_path}
        server = site.server(address=address, settings=settings)
        self.ports = {"STARTTLS": server.client_port}
        for transport, key in (("TLS", "direct_tls_listen"), ("WebSocket", "websocket_listen")):
            self.ports[transport] = int(str(client[key]).split(":")[1])
        self._make_bridge(real_users)
        self._running = False

    def _make_bridge(self, real_users: int) -> None:
        site = self._site
        more: dict[str, dict[str, object]] = {"users": {"backend": "slow:0"}}
        if real_users:
            more = {"tls": {"user_ca": site.ca.certificate_path}, "guest": {"enabled": "yes"}}
        bridge = site.bridge(settings=more)
        bridge.process.environment["PYTHONPATH"] = f"{ROOT}{os.pathsep}{ROOT / 'benchmarks'}"
        site.enrol(bridge)
        for number in range(real_users):
            site.user(f"user{number}", PASSWORD)
        name = f"user0@{site.domain}".encode()
        address = x509.OtherName(_XMPP_ADDRESS, bytes([0x0C, len(name)]) + name)  # a UTF8String
        self.user_certificate = site.ca.issue("user0", other=[address], server=False)

    @property
    def pids(self) -> dict[str, int]:
        site = self._site
        return {one.plugin: one.process.pid for one in (*site.servers, *site.bridges)}

    def start(self) -> None:
        site = self._site
        if not self._running:
            site.nameserver.start()
            self._running = True
        for daemon in (*site.servers, *site.bridges):
            daemon.process.start()
        site.servers[0].wait_serving(site.bridges[0].name)

    def stop(self) -> None:
        for daemon in (*self._site.bridges, *self._site.servers):
            daemon.kill()

    def version(self) -> str:
        said = subprocess.run(
            ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, cwd=ROOT
        )
        return said.stdout.strip() or "of this checkout"


def add_users(site: Site, users: Iterable[str], iterations: int = ITERATIONS) -> None:
    """Put users with one password, and the same keys, into the users file."""
    keys = format_keys(SCHEME, ScramKeys.derive(SCHEME, PASSWORD, iterations))
    with site.users.open("a") as file:
        file.writelines(f"{name}:{keys}\n" for name in users)


@contextmanager
def subjects(
    users: int, real_users: int = 0, hashed: bool = True
) -> Iterator[list[tuple[Subject, Target]]]:
    """Ours, and the peers that are installed, not started; with where each is.

    ``users``: of the peers, who look at their passwords in any case. ``hashed``: see `Peer`.
    """
    site = Site()
    found: list[tuple[Subject, Target]] = []
    try:
        context = ssl.create_default_context(cafile=str(site.ca.certificate_path))
        context.options |= ssl.OP_NO_TICKET
        ours = Pair(site, "127.0.0.2", real_users)
        found.append((ours, Target("127.0.0.2", site.domain, ours.ports, context)))
        pair = site.directory / "ca" / "xmpp1.crt", site.directory / "ca" / "xmpp1.key"
        for number, kind in enumerate(PEERS, start=3):
            if not kind.installed():
                print(f"{kind.name} is not installed (apt install {kind.package}): left out")
                continue
            address = f"127.0.0.{number}"
            ports = {transport: free_port(address) for transport in TRANSPORTS}
            here = Path(site.directory) / kind.package
            peer = kind(here, address, ports, site.domain, pair, users, hashed)
            found.append((peer, Target(address, site.domain, ports, context)))
        for subject, _ in found:
            print(f"{subject.name} {subject.version()}")
        yield found
    finally:
        for subject, _ in found:
            subject.stop()
        site.close()
