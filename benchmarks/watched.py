"""``python -m benchmarks.watched``: what it costs logins that somebody watches.

One xmppd and one callbridged on loopback, and people who log in all the time, PLAIN over STARTTLS.
In turns they are watched and not: the web page's live stream is open ten times, and the metrics of
both daemons are read each second. The turns are short and alternate, so that what else the machine
does falls on both alike. Prints the rates, their ratio, and the CPU time per login of each daemon.
``--browsers chromium`` opens the page in ten tabs of a real Chromium, each with a session of its
own, and counts what each has drawn. Who watches has another machine: here, the last CPU for itself,
and logins have the others. Bounded: some minutes.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Protocol

from benchmarks.figures import cpu_seconds, machine, print_table, session_cpu_seconds
from benchmarks.measure import WARM_UP, Place, start
from callbridged.web.accounts import hash_password
from callbridged.web.admins_store import AdminsStore
from tests.support.chromium import Chromium
from tests.support.processes import ROOT, free_port
from tests.support.site import Site

ADMIN, PASSWORD = "watcher", "watch and learn"
#: Seconds at the beginning of a turn that do not count: streams open, pages are made.
SETTLE = 1.0


@dataclass(frozen=True)
class Turn:
    """A while in which it was watched, or not. ``cpu``: seconds of each daemon."""

    watched: bool
    began: float
    ended: float
    cpu: tuple[float, ...]


class Watching(Protocol):
    """Whoever watches."""

    def on(self) -> None: ...
    def off(self) -> str: ...


class Readers:
    """`benchmarks.watchers`, in a process of its own."""

    def __init__(self, settings: dict[str, object]) -> None:
        command = [sys.executable, "-m", "benchmarks.watchers", json.dumps(settings)]
        pipe = subprocess.PIPE
        self._child = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT)

    def _say(self, word: str) -> str:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(f"{word}\n")
        self._child.stdin.flush()
        return self._child.stdout.readline().strip()

    def on(self) -> None:
        self._say("on")

    def off(self) -> str:
        return self._say("off")

    def close(self) -> None:
        self._child.kill()
        self._child.wait()


class Tabs:
    """A real Chromium that shows the page in so many tabs, beside what scrapes."""

    def __init__(self, site: Site, url: str, tabs: int, more: Watching) -> None:
        self._more = more
        self._url = url
        self._browser = Chromium(site.directory / "chromium", site.ca.certificate_path, ())
        self._browser.start()
        self._pages = [self._browser.page() for _ in range(tabs)]
        for page in self._pages:
            page.goto(f"{url}/sign-in")
            for field, text in (("name", ADMIN), ("password", PASSWORD)):
                page.evaluate(f"document.querySelector('[name={field}]').focus()")
                page.type(text)
            page.evaluate("document.querySelector('form').submit()")
            page.wait("location.pathname === '/status'")
            page.goto("about:blank")

    def on(self) -> None:
        self._more.on()
        for page in self._pages:
            page.goto(f"{self._url}/status")
            page.evaluate("window.drawn = 0; addEventListener('sample', () => drawn++); 0")
        self._used = session_cpu_seconds(self._browser.pid)

    def off(self) -> str:
        used = session_cpu_seconds(self._browser.pid) - self._used
        drawn = [page.evaluate("drawn") for page in self._pages]
        for page in self._pages:
            page.goto("about:blank")
        return f"{self._more.off()}, drawn by each tab {drawn}, CPU seconds {used:.2f}"

    def close(self) -> None:
        self._browser.kill()


@contextmanager
def watched_site(users: int) -> Iterator[tuple[Site, dict[str, int]]]:
    """A pair whose backend does no work, with the web page and metrics on."""
    site = Site()
    admins = site.directory / "admins"
    ports = {name: free_port() for name in ("admin", "xmppd", "callbridged")}
    try:
        server = site.server(settings={"metrics": {"listen": f"tcp:{ports['xmppd']}"}})
        certificate, key = site.ca.issue("page", dns=["localhost"], ip=["127.0.0.1"])
        bridge = site.bridge(
            settings={
                "users": {"backend": "slow:0"},
                "metrics": {"listen": f"tcp:{ports['callbridged']}"},
                "admin": {
                    "listen": f"tcp:{ports['admin']}",
                    "certificate": certificate,
                    "private_key": key,
                    "users_file": admins,
                },
            }
        )
        bridge.process.environment["PYTHONPATH"] = f"{ROOT}{os.pathsep}{ROOT / 'benchmarks'}"
        site.enrol(bridge)
        AdminsStore(admins).add(ADMIN, "viewer", hash_password(PASSWORD))
        site.start()
        assert server.client_port
        yield site, ports
    finally:
        site.close()


def take_turns(watching: Watching, pids: list[int], options: argparse.Namespace) -> list[Turn]:
    """Watch and do not, in the order off, on, on, off, and so on."""
    found = []
    for number in range(2 * options.turns):
        watched = number % 4 in (1, 2)
        if watched:
            watching.on()
        time.sleep(SETTLE)
        began, before = time.monotonic(), [cpu_seconds(pid) for pid in pids]
        time.sleep(options.seconds)
        ended, after = time.monotonic(), [cpu_seconds(pid) for pid in pids]
        cpu = tuple(new - old for new, old in zip(after, before, strict=True))
        found.append(Turn(watched, began, ended, cpu))
        seen = watching.off() if watched else ""
        print(f"{'watched' if watched else 'alone'} {seen}", file=sys.stderr, flush=True)
    return found


def report(turns: list[Turn], logins: list[tuple[float, float, str | None]]) -> None:
    """Print what came of it."""

    def done(turn: Turn) -> int:
        return sum(turn.began <= at < turn.ended and not fault for at, _, fault in logins)

    rates: dict[bool, list[float]] = {False: [], True: []}
    costs: dict[bool, list[tuple[float, ...]]] = {False: [], True: []}
    for turn in turns:
        number = done(turn)
        rates[turn.watched].append(number / (turn.ended - turn.began))
        costs[turn.watched].append(tuple(used / number * 1000 for used in turn.cpu))
    ratios = [one / other for one, other in zip(rates[True], rates[False], strict=True)]
    error = statistics.stdev(ratios) / math.sqrt(len(ratios)) if len(ratios) > 1 else math.nan
    rows = [
        [name, f"{statistics.mean(rates[key]):.1f}"]
        + [f"{statistics.mean(one):.3f}" for one in zip(*costs[key], strict=True)]
        for name, key in (("alone", False), ("watched", True))
    ]
    print_table(["", "logins/s", "xmppd, ms CPU", "callbridged, ms CPU"], rows)
    falls = 1 - statistics.mean(rates[True]) / statistics.mean(rates[False])
    by_turns = 1 - statistics.mean(ratios)
    print(f"watched, it falls by {falls:.1%}; by turns {by_turns:.1%} ± {error:.1%}")
    faults = [fault for _, _, fault in logins if fault]
    print(f"failures {len(faults)} of {len(logins)}")
    for fault in sorted(set(faults))[:5]:
        print(f"  {fault[:200]}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--at-once", type=int, default=40, choices=range(1, 501), metavar="N")
    parser.add_argument("--turns", type=int, default=10, choices=range(2, 101), metavar="N")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each turn, at most 60")
    parser.add_argument("--browsers", choices=("readers", "chromium"), default="readers")
    parser.add_argument("--number", type=int, default=10, help="of browsers")
    options = parser.parse_args()
    options.seconds = min(options.seconds, 60.0)
    users = [f"user{number}" for number in range(options.at_once)]
    print(machine())
    print(f"{options.number} {options.browsers}, {options.at_once} log in at once")
    *ours, theirs = sorted(os.sched_getaffinity(0))
    if not ours:
        parser.error("who watches needs a CPU for itself, and there is only one")
    os.sched_setaffinity(0, ours)  # whoever is started now stays there
    with watched_site(options.at_once) as (site, ports), ExitStack() as stack:
        os.sched_setaffinity(0, {theirs})
        server = site.servers[0]
        real = options.browsers == "chromium"
        readers = Readers(
            {
                "admin": ports["admin"],
                "name": ADMIN,
                "password": PASSWORD,
                "authority": str(site.ca.certificate_path),
                "scraped": [ports["xmppd"], ports["callbridged"]],
                "browsers": 0 if real else options.number,
            }
        )
        stack.callback(readers.close)
        watching: Watching = readers
        if real:
            url = f"https://127.0.0.1:{ports['admin']}"
            tabs = Tabs(site, url, options.number, readers)
            stack.callback(tabs.close)
            watching = tabs
        place = Place(
            server.address, server.client_port, site.domain, str(site.ca.certificate_path)
        )
        whole = WARM_UP + 2 * options.turns * (options.seconds + SETTLE + (10.0 if real else 1.0))
        os.sched_setaffinity(0, ours)
        load = start(place, users, whole)
        os.sched_setaffinity(0, {theirs})
        time.sleep(WARM_UP)
        pids = [one.process.pid for one in (server, site.bridges[0])]
        turns = take_turns(watching, pids, options)
        logins = [one for child in load for one in json.loads(child.communicate(timeout=300)[0])]
    report(turns, logins)
    return 0


if __name__ == "__main__":
    sys.exit(main())
