"""``python -m benchmarks.logins``: many logins at once through a backend that takes its time.

PLAIN over STARTTLS, from TCP connect to bound resource, with one xmppd and one callbridged on
loopback. Prints the rate in the steady state, failures, percentiles, and what a login costs each
daemon in CPU time. Bounded: it ends by itself after ``--seconds`` and some set-up.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys

from benchmarks.figures import cpu_seconds, machine
from benchmarks.measure import Place, measure
from benchmarks.ours import add_users
from tests.support.processes import ROOT
from tests.support.site import Site


def make_site(delay: int, users: list[str], hashing: bool) -> Site:
    """An installation whose backend answers ``delay`` milliseconds late."""
    site = Site()
    site.server()
    backend = f"slow:{delay}:{site.users}" if hashing else f"slow:{delay}"
    bridge = site.bridge(settings={"users": {"backend": backend}})
    bridge.process.environment["PYTHONPATH"] = f"{ROOT}{os.pathsep}{ROOT / 'benchmarks'}"
    site.enrol(bridge)
    if hashing:
        add_users(site, users)
    return site


def report(site: Site, users: list[str], options: argparse.Namespace) -> bool:
    """Print the figures; True if no login failed."""
    server = site.servers[0]
    authority = str(site.ca.certificate_path)
    place = Place(server.address, server.client_port, site.domain, authority)
    daemons = [*site.servers, *site.bridges]
    loaded = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = measure(
        place,
        users,
        options.seconds,
        watch=lambda: [cpu_seconds(daemon.process.pid) for daemon in daemons],
    )
    print(machine())
    hashing = " and a SCRAM hash" if options.hash else ""
    print(f"{len(users)} at once, backend {options.delay} ms{hashing}, PLAIN over STARTTLS")
    if found.took:
        print(f"rate      {found.rate:8.1f} logins/s over {found.seconds:.1f} s")
        print(f"p50       {found.percentile(50) * 1000:8.1f} ms")
        print(f"p99       {found.percentile(99) * 1000:8.1f} ms")
        for daemon, used in zip(daemons, found.used, strict=True):
            cost, busy = used / len(found.took) * 1000, used / found.seconds * 100
            print(f"{daemon.plugin:12}{cost:6.2f} ms CPU per login, {busy:.0f} % of one CPU")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    load = (used.ru_utime + used.ru_stime - loaded.ru_utime - loaded.ru_stime) / found.count * 1000
    print(f"{'load':12}{load:6.2f} ms CPU per login")
    print(f"failures  {len(found.faults):6} of {found.count}")
    for fault in sorted(set(found.faults))[:5]:
        print(f"  {fault[:200]}")
    return bool(found.took) and not found.faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--at-once", type=int, default=40, choices=range(1, 501), metavar="N")
    parser.add_argument("--delay", type=int, default=100, metavar="MS", help="of the backend")
    parser.add_argument("--seconds", type=float, default=10.0, help="of steady state, at most 60")
    parser.add_argument(
        "--hash", action="store_true", help="check the password as the file backend does"
    )
    options = parser.parse_args()
    options.seconds = min(options.seconds, 60.0)
    users = [f"user{number}" for number in range(options.at_once)]
    site = make_site(options.delay, users, options.hash)
    try:
        site.start()
        return 0 if report(site, users, options) else 1
    finally:
        site.close()


if __name__ == "__main__":
    sys.exit(main())
