"""DNS zones for tests and the demo, and two name servers to serve them on loopback ports."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import dns.exception
import dns.message
import dns.query

from tests.support.processes import Process, free_port
from tests.support.waiting import wait_until

#: The service whose SRV records lead a Call Bridge to its servers.
SERVICE = "_xmpp-component._tcp"
#: And the one for clients.
CLIENTS = "_xmpp-client._tcp"


class Zone:
    """The records of one domain. Change them at any time, then tell the name server."""

    def __init__(self, domain: str) -> None:
        self.domain = domain
        #: (priority, weight, port, target)
        self.srv: list[tuple[int, int, int, str]] = []
        #: The same, of the service for clients.
        self.clients: list[tuple[int, int, int, str]] = []
        #: name -> IPv4 and IPv6 addresses
        self.hosts: dict[str, list[str]] = {}
        #: name -> of what it is an alias; `Dnsmasq` alone serves these
        self.aliases: dict[str, str] = {}

    @property
    def service(self) -> str:
        return f"{SERVICE}.{self.domain}"

    def records(self) -> list[tuple[str, int, int, int, str]]:
        """All SRV records: name, priority, weight, port, target."""
        services = {self.service: self.srv, f"{CLIENTS}.{self.domain}": self.clients}
        return [(name, *record) for name, records in services.items() for record in records]

    def write(self, path: Path) -> None:
        """As JSON, replaced in one step so that a reader sees the old zone or the new one."""
        new = path.with_suffix(".new")
        zone = {"domain": self.domain, "srv": self.records(), "hosts": self.hosts}
        new.write_text(json.dumps(zone, indent=1))
        os.replace(new, path)


class NameServer:
    """What both name servers below have in common: a process, an address and a zone."""

    process: Process

    def __init__(
        self, zone: Zone, directory: Path, address: str = "127.0.0.1", port: int = 0
    ) -> None:
        """``port``: one that is known to be free."""
        self.zone = zone
        self.directory = directory
        self.address = address
        self.port = port or free_port(address)

    @property
    def where(self) -> str:
        """``host:port`` as the ``nameservers`` setting takes it."""
        return f"{self.address}:{self.port}"

    def start(self) -> None:
        self.process.start()
        self.process.wait_while_running(f"{self.process.name} answers", self._answers)

    def stop(self) -> None:
        self.process.kill()

    def update(self) -> None:
        """Serve the zone as it is now."""
        raise NotImplementedError

    def _answers(self) -> bool:
        query = dns.message.make_query(self.zone.service, "SRV")
        try:
            dns.query.udp(query, self.address, timeout=0.5, port=self.port)
            dns.query.tcp(query, self.address, timeout=0.5, port=self.port)
        except (OSError, dns.exception.DNSException):
            return False
        return True


class TwistedNameServer(NameServer):
    """Twisted Names' authoritative server in a process of its own; reads a changed zone anew."""

    def __init__(self, zone: Zone, directory: Path, address: str = "127.0.0.1") -> None:
        super().__init__(zone, directory, address)
        self._file = directory / "zone.json"
        self.process = Process(
            "the name server",
            [sys.executable, "-m", "tests.support.nameserver", address, str(self.port), self._file],
            directory / "nameserver.log",
        )

    def start(self) -> None:
        self.update()
        super().start()

    def update(self) -> None:
        self.zone.write(self._file)


class Dnsmasq(NameServer):
    """Debian's dnsmasq. It reads SRV records only at its start, so an update restarts it."""

    def start(self) -> None:
        program = shutil.which("dnsmasq", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        assert program, "dnsmasq is missing: apt-get install dnsmasq-base"
        command = [
            program,
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
            "--log-facility=-",
            "--bind-interfaces",
            "--user=",
            "--group=",
            "--pid-file=",
            f"--listen-address={self.address}",
            f"--port={self.port}",
            f"--local=/{self.zone.domain}/",
            *self._records(),
        ]
        self.process = Process("dnsmasq", command, self.directory / "dnsmasq.log")
        super().start()

    def _records(self) -> Iterable[str]:
        for name, priority, weight, port, target in self.zone.records():
            # Without a target it says that there is no such service.
            where = "" if target == "." else f",{target},{port},{priority},{weight}"
            yield f"--srv-host={name}{where}"
        for alias, name in self.zone.aliases.items():
            yield f"--cname={alias},{name}"
        for name, addresses in self.zone.hosts.items():
            yield f"--host-record={','.join([name, *addresses])}"

    def update(self) -> None:
        self.process.kill()
        wait_until("dnsmasq is down", lambda: not self._answers())
        self.start()
