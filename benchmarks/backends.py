"""``python -m benchmarks.backends``: logins while each answer about a user takes 100 ms.

Our user backends, and what ejabberd has in their place, with real directories that answer late;
many clients at once, PLAIN over STARTTLS, from connect to bound resource. Prints a table. Nothing
keeps answers: the cache of ejabberd is off, ours has none.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.directories import Directory, makers
from benchmarks.ejabberd_auth import EjabberdWith, extauth, ldap
from benchmarks.figures import machine, print_table
from benchmarks.measure import Outcome, Place, measure
from benchmarks.ours import add_users
from benchmarks.peers import Ejabberd
from tests.support.ca import CertificateAuthority
from tests.support.processes import free_port
from tests.support.site import Site

#: Connections to a directory, or extauth programs, where they are to be no limit.
MANY = 40
#: What others are held against: lines of ejabberd.
EXTAUTH, LDAP = "extauth", "ldap"
HEAD = ("", "users are in", "alone", "logins/s", "p50", "p99", "failures", "to extauth", "to ldap")


@dataclass(frozen=True)
class Row:
    """One line of the table: a server, and where its users are."""

    server: str
    users_in: str
    run: Callable[[], AbstractContextManager[Place]]


class Bench:
    """Where the servers are made, one after the other."""

    def __init__(self, directory: Path, users: Sequence[str], late: int) -> None:
        self.directory = directory
        self.users = users
        self.late = late
        self.authority = CertificateAuthority(directory / "ca")
        self._domain = "example.com"
        self._pair = self.authority.issue("server", dns=[self._domain])
        self._made = 0

    @contextmanager
    def ours(self, sections: Mapping[str, Mapping[str, object]]) -> Iterator[Place]:
        """xmppd and callbridged, with these settings of callbridged.ini."""
        site = Site()
        try:
            server = site.server()
            site.enrol(site.bridge(settings=sections))
            add_users(site, self.users)
            site.start()
            authority = str(site.ca.certificate_path)
            yield Place(server.address, server.client_port, site.domain, authority)
        finally:
            site.close()

    @contextmanager
    def ejabberd(self, authentication: str, users: int = 0) -> Iterator[Place]:
        """ejabberd, with these lines of ejabberd.yml."""
        self._made += 1
        address = "127.0.0.3"
        ports = {name: free_port(address) for name in ("STARTTLS", "TLS", "WebSocket")}
        peer = EjabberdWith(
            self.directory / f"ejabberd{self._made}", address, ports, self._domain, self._pair,
            authentication, users,
        )  # fmt: skip
        try:
            peer.start()
            authority = str(self.authority.certificate_path)
            yield Place(address, ports["STARTTLS"], self._domain, authority)
        finally:
            peer.stop()

    def rows(self, directories: Sequence[Directory]) -> Iterator[Row]:
        """What is measured, in the order of the table."""
        yield Row("xmppd", "file:, no wait", partial(self.ours, {}))
        for one in directories:
            name = f"{one.kind}:"
            yield Row("xmppd", name, partial(self.ours, one.sections()))
            if one.may_be_more:
                more = partial(self.ours, one.sections(connections=MANY))
                yield Row("xmppd", f"{name}, {MANY} connections", more)
        if not Ejabberd.installed():
            print("ejabberd is not installed (apt install ejabberd): left out")
            return
        yield Row("ejabberd", "its own, no wait", partial(self.ejabberd, "", len(self.users)))
        yield Row("ejabberd", EXTAUTH, partial(self.ejabberd, extauth(self.late)))
        yield Row(
            "ejabberd",
            f"{EXTAUTH}, {MANY} programs",
            partial(self.ejabberd, extauth(self.late, MANY)),
        )
        for one in directories:
            if one.kind == "ldap":
                yield Row("ejabberd", LDAP, partial(self.ejabberd, ldap(one.port, one.settings)))


def look(row: Row, users: Sequence[str], seconds: float) -> tuple[Outcome, Outcome]:
    """Answer what one client alone sees, and what all of them at once."""
    with row.run() as place:
        return measure(place, users[:1], min(seconds, 5.0)), measure(place, users, seconds)


def cells(row: Row, alone: Outcome, found: Outcome, rates: Sequence[float | None]) -> list[str]:
    """Answer the line of the table. ``rates``: what it is held against."""
    return [
        row.server,
        row.users_in,
        f"{alone.percentile(50) * 1000:.0f} ms",
        f"{found.rate:.1f}",
        *(f"{found.percentile(percent) * 1000:.0f} ms" for percent in (50, 99)),
        f"{len(alone.faults) + len(found.faults)} of {alone.count + found.count}",
        *(f"{found.rate / rate:.1f}" if rate else "-" for rate in rates),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--at-once", type=int, default=40, choices=range(1, 501), metavar="N")
    parser.add_argument("--late", type=int, default=100, metavar="MS", help="each answer")
    parser.add_argument("--seconds", type=float, default=10.0, help="of steady state, each")
    parser.add_argument("--only", metavar="TEXT", default="", help="lines with this in them")
    options = parser.parse_args()
    users = [f"user{number}" for number in range(options.at_once)]
    found: list[tuple[Row, Outcome, Outcome]] = []
    with tempfile.TemporaryDirectory(prefix="backends-") as name, ExitStack() as stack:
        bench = Bench(Path(name), users, options.late)
        directories = [
            stack.enter_context(make(bench.directory / label, bench.authority, users, options.late))
            for label, make in makers()
        ]
        for row in bench.rows(directories):
            if options.only in f"{row.server} {row.users_in}":
                found.append((row, *look(row, users, options.seconds)))
                print(f"{row.server}, {row.users_in}: {found[-1][2].rate:.1f}/s", flush=True)
    print(machine())
    print(f"{options.at_once} at once, {options.late} ms, {options.seconds:g} s")
    rate_of = {(row.server, row.users_in): late.rate for row, _, late in found}
    rates = [rate_of.get(("ejabberd", name)) for name in (EXTAUTH, LDAP)]
    print_table(HEAD, (cells(*one, rates) for one in found))
    faults = {fault for _, alone, late in found for fault in (*alone.faults, *late.faults)}
    for fault in sorted(faults)[:10]:
        print(f"  {fault[:200]}")
    return 0 if found and not faults else 1


if __name__ == "__main__":
    sys.exit(main())
