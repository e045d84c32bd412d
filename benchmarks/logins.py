"""``python -m benchmarks.logins``: many logins at once through a backend that takes its time.

PLAIN over STARTTLS, from TCP connect to bound resource, with one xmppd and one callbridged on
loopback. Prints the rate in the steady state, failures, percentiles, and what a login costs each
daemon in CPU time. Bounded: it ends by itself after ``--seconds`` and some set-up.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence

from benchmarks.figures import cpu_seconds, machine
from tests.support.processes import ROOT
from tests.support.site import Site

#: Seconds before the steady state: connections start together and take a while to spread out.
_WARM_UP = 3.0
#: Of load: threads of one process wait for each other.
_PROCESSES = 2


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The value that ``percent`` of ``ordered`` do not exceed."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def make_site(delay: int, hashing: bool) -> Site:
    """An installation whose backend answers ``delay`` milliseconds late."""
    site = Site()
    site.server(settings={"session": {"max_sessions_per_user": 10_000}})  # all are alice's
    bridge = site.bridge()
    site.enrol(bridge)
    site.user("alice", "wonderland")
    text = bridge.ini.read_text()
    backend = f"slow:{delay}:{site.users}" if hashing else f"slow:{delay}"
    bridge.ini.write_text(text.replace(f"backend = file:{site.users}", f"backend = {backend}"))
    bridge.process.environment["PYTHONPATH"] = f"{ROOT}{os.pathsep}{ROOT / 'benchmarks'}"
    return site


def start_load(site: Site, at_once: int, seconds: float) -> subprocess.Popen[bytes]:
    server = site.servers[0]
    settings = {
        "address": server.address,
        "port": server.client_port,
        "domain": site.domain,
        "authority": str(site.ca.certificate_path),
        "user": "alice",
        "password": "wonderland",
        "at_once": at_once,
        "seconds": seconds,
    }
    command = [sys.executable, "-m", "benchmarks.load", json.dumps(settings)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)


def measure(site: Site, options: argparse.Namespace) -> bool:
    """Print the figures; True if no login failed."""
    daemons = [*site.servers, *site.bridges]
    whole = _WARM_UP + options.seconds + 1.0
    shares = [len(range(n, options.at_once, _PROCESSES)) for n in range(_PROCESSES)]
    loaded = resource.getrusage(resource.RUSAGE_CHILDREN)
    children = [start_load(site, share, whole) for share in shares if share]
    time.sleep(_WARM_UP)
    began = time.monotonic()
    before = [cpu_seconds(daemon.process.pid) for daemon in daemons]
    time.sleep(options.seconds)
    ended = time.monotonic()
    after = [cpu_seconds(daemon.process.pid) for daemon in daemons]
    outputs = [child.communicate(timeout=120)[0] for child in children]
    logins = [login for output in outputs for login in json.loads(output)]

    faults = [fault for _, _, fault in logins if fault]
    steady = sorted(took for when, took, fault in logins if began <= when < ended and not fault)
    print(machine())
    hashing = " and a SCRAM hash" if options.hash else ""
    print(f"{options.at_once} at once, backend {options.delay} ms{hashing}, PLAIN over STARTTLS")
    if steady:
        print(f"rate      {len(steady) / (ended - began):8.1f} logins/s over {ended - began:.1f} s")
        print(f"p50       {percentile(steady, 50) * 1000:8.1f} ms")
        print(f"p99       {percentile(steady, 99) * 1000:8.1f} ms")
        for daemon, start, end in zip(daemons, before, after, strict=True):
            cost = (end - start) / len(steady) * 1000
            busy = (end - start) / (ended - began) * 100
            print(f"{daemon.plugin:12}{cost:6.2f} ms CPU per login, {busy:.0f} % of one CPU")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    load = (used.ru_utime + used.ru_stime - loaded.ru_utime - loaded.ru_stime) / len(logins) * 1000
    print(f"{'load':12}{load:6.2f} ms CPU per login")
    print(f"failures  {len(faults):6} of {len(logins)}")
    for fault in sorted(set(faults))[:5]:
        print(f"  {fault[:200]}")
    return bool(steady) and not faults


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
    site = make_site(options.delay, options.hash)
    try:
        site.start()
        return 0 if measure(site, options) else 1
    finally:
        site.close()


if __name__ == "__main__":
    sys.exit(main())
