"""``python -m tests.support.nameserver ADDRESS PORT ZONE.json``: one zone by Twisted Names.

The zone file is looked at before every answer, so records can change while the server runs.
"""

from __future__ import annotations

import json
import sys
from ipaddress import ip_address
from pathlib import Path

from twisted.internet import defer, reactor
from twisted.names import authority, dns, server
from twisted.python import log

#: Seconds. Short, since tests change records; ours is the only cache that could keep them.
_TTL = 1


class LiveZone(authority.FileAuthority):
    """Twisted Names' authority, over a JSON file as ``tests.support.zones.Zone`` writes it."""

    def loadFile(self, filename: Path) -> None:
        self._file = filename
        self._version = filename.stat().st_mtime_ns
        zone = json.loads(filename.read_text())
        domain = zone["domain"].encode()
        self.soa = (
            domain,
            dns.Record_SOA(
                mname=b"ns." + domain,
                rname=b"root." + domain,
                serial=self._version // 1_000_000_000,
                refresh=_TTL,
                retry=_TTL,
                expire=_TTL,
                minimum=_TTL,
            ),
        )
        self.records = {domain: [self.soa[1]]}
        for name, priority, weight, port, target in zone["srv"]:
            self._add(name, dns.Record_SRV(priority, weight, port, target.encode(), ttl=_TTL))
        for name, addresses in zone["hosts"].items():
            for address in addresses:
                record = dns.Record_A if ip_address(address).version == 4 else dns.Record_AAAA
                self._add(name, record(address, ttl=_TTL))

    def _add(self, name: str, record: dns.IRecord) -> None:
        self.records.setdefault(name.lower().encode(), []).append(record)

    def _lookup(self, name: bytes, cls: int, kind: int, timeout: object = None) -> defer.Deferred:
        if self._file.stat().st_mtime_ns != self._version:
            self.loadFile(self._file)
        return super()._lookup(name, cls, kind, timeout)


def main() -> None:
    address, port, file = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    log.startLogging(sys.stdout)
    factory = server.DNSServerFactory(authorities=[LiveZone(file)])
    reactor.listenUDP(port, dns.DNSDatagramProtocol(factory), interface=address)
    reactor.listenTCP(port, factory, interface=address)
    reactor.run()


if __name__ == "__main__":
    main()
