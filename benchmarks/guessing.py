"""``python -m benchmarks.guessing``: passwords are guessed, while honest people log in.

Real daemons on loopback, with the shipped settings, and where failed logins do not count. Guesses
at one account and at many, from one address over many connections and from many addresses (IPv4,
and IPv6 behind a trusted proxy). Prints how many of them the user backend was asked about, what
honest people noticed, and what the shipped fail2ban filter finds. Bounded: each attack takes
``--seconds``, all together some minutes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from benchmarks.figures import cpu_seconds, machine, percentile, print_table
from benchmarks.people import Group, Record
from daemonkit.networks import network_of
from tests.support import fail2ban
from tests.support.processes import ROOT, free_port
from tests.support.site import Site, making

PASSWORD = "wonderland"
SERVER, PROXY = "127.0.0.2", "127.0.0.3"
#: The address that one attacker, and some honest people, are behind.
SHARED = "127.1.0.1"
_MANY = 100
FROM_ONE = ((SHARED, ""),)
FROM_MANY = (
    *((f"127.1.0.{number}", "") for number in range(1, _MANY + 1)),
    *((PROXY, f"2001:db8:0:{number:x}::{number:x}") for number in range(1, _MANY + 1)),
)
NAMES = tuple(f"user{number}" for number in range(1000))
#: Of the shipped jail.
MAX_RETRY = 40
OWNER = "alice"
#: Who is there besides; the others of NAMES are not.
HONEST = NAMES[:8]


@dataclass(frozen=True)
class Attack:
    what: str
    users: tuple[str, ...] = ()
    places: tuple[tuple[str, str], ...] = ()


ATTACKS = (
    Attack("nobody guesses"),
    Attack("one account, one address", (OWNER,), FROM_ONE),
    Attack("1000 accounts, one address", NAMES, FROM_ONE),
    Attack("1000 accounts, 200 addresses", NAMES, FROM_MANY),
    Attack("one account, 200 addresses", (OWNER,), FROM_MANY),
)


def honest_people() -> list[Group]:
    """Those who log in meanwhile. Only the first come from where nobody else is."""

    def group(name: str, threads: int, user: str, source: str, **more: object) -> Group:
        return Group(name, threads, (user,), ((source, ""),), PASSWORD, 0.5, **more)  # type: ignore[arg-type]

    elsewhere = tuple((f"127.2.0.{number}", "") for number in range(1, 9))
    fresh = tuple((f"127.3.{number // 250}.{number % 250 + 1}", "") for number in range(1000))
    return [
        Group("elsewhere", 8, HONEST[:6], elsewhere, PASSWORD, 0.5),
        group("same address", 1, HONEST[6], SHARED),
        group("same address, by token", 1, HONEST[7], SHARED, token=True),
        group("owner at home", 1, OWNER, "127.2.1.1"),
        Group("owner on the road", 1, (OWNER,), fresh, PASSWORD, 0.5),
    ]


def make_site(counted: bool) -> Site:
    """An installation; ``counted``: with the shipped settings, else failures do not count."""
    with making(Site()) as site:
        port = free_port(SERVER)
        failed = {} if counted else {"enabled": "no"}
        site.server(
            address=SERVER,
            settings={
                "client": {
                    "websocket_listen": f"tcp:{port}:interface={SERVER}",
                    "trusted_proxies": PROXY,
                },
                "failed_logins": failed,
            },
        )
        bridge = site.bridge(settings={"failed_logins": failed})
        site.enrol(bridge)
        for name in (OWNER, *HONEST):
            site.user(name, PASSWORD)
        site.ports = {"STARTTLS": site.servers[0].client_port, "WebSocket": port}  # type: ignore[attr-defined]
    return site


def start(site: Site, groups: list[Group], seconds: float) -> subprocess.Popen[bytes]:
    """One process of people."""
    settings = {
        "address": SERVER,
        "domain": site.domain,
        "ports": site.ports,  # type: ignore[attr-defined]
        "authority": str(site.ca.certificate_path),
        "seconds": seconds,
        "groups": [asdict(one) for one in groups],
    }
    command = [sys.executable, "-m", "benchmarks.people", json.dumps(settings)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)


@dataclass
class Outcome:
    """What came of one attack. ``found``: by fail2ban, by address; None: it is not installed."""

    attack: Attack
    seconds: float
    records: list[Record]
    looked_at: int
    cpu: float
    found: Counter[str] | None

    def of(self, name: str) -> list[Record]:
        return [one for one in self.records if one[0] == name]


def run(site: Site, attack: Attack, options: argparse.Namespace) -> Outcome:
    """Start the daemons anew, let people log in for a moment, and attack."""
    site.servers[0].stop()
    site.bridges[0].stop()
    for daemon in (*site.servers, *site.bridges):
        daemon.process.start()
    server, bridge = site.servers[0], site.bridges[0]
    server.wait_serving(bridge.name)
    honest = start(site, honest_people(), options.seconds + options.before)
    time.sleep(options.before)
    marks = server.process.mark(), bridge.process.mark()
    pids = [server.process.pid, bridge.process.pid]
    used = sum(map(cpu_seconds, pids))
    began = time.monotonic()
    children = [honest]
    if attack.users:
        group = Group("guesses", options.connections, attack.users, attack.places)
        children.append(start(site, [group], options.seconds))
    outputs = [child.communicate(timeout=options.seconds + 120)[0] for child in children]
    ended = time.monotonic()
    records = [tuple(one) for output in outputs for one in json.loads(output)]
    looked_at = bridge.process.text(marks[1]).count(": not-authorized")
    found = None
    if shutil.which("fail2ban-regex"):
        log = site.directory / "during"
        log.write_text(server.process.text(marks[0]))
        found = fail2ban.found(log)
    return Outcome(
        attack,
        ended - began,
        [one for one in records if one[1] >= began],  # type: ignore[misc]
        looked_at,
        (sum(map(cpu_seconds, pids)) - used) / (ended - began),
        found,
    )


def guesses(outcome: Outcome) -> list[str]:
    """A row: of an attack, what came of the guesses."""
    made = outcome.of("guesses")
    per_minute = 60 / outcome.seconds
    attackers = {network_of(forwarded or source) for source, forwarded in outcome.attack.places}
    found = outcome.found
    shown = banned = "-"
    if found is not None:
        wrong = [one for one in found if network_of(one) not in attackers]
        shown = f"{found.total()} of {outcome.looked_at}, {len(wrong)} wrong"
        banned = str(sum(count >= MAX_RETRY for count in found.values()))
    return [
        outcome.attack.what,
        f"{len(made) * per_minute:.0f}",
        f"{outcome.looked_at * per_minute:.0f}",
        shown,
        banned,
        f"{outcome.cpu * 100:.0f} %",
    ]


def noticed(outcome: Outcome) -> list[str]:
    """A row: what honest people noticed."""
    elsewhere = outcome.of("elsewhere")
    good = sorted(took for _, _, took, how in elsewhere if how == "success")
    cells = [outcome.attack.what, f"{len(good) / outcome.seconds:.1f}"]
    cells += (
        [f"{percentile(good, percent) * 1000:.0f}" for percent in (50, 99)] if good else ["-"] * 2
    )
    cells.append(f"{len(elsewhere) - len(good)}")
    for name in ("same address", "same address, by token", "owner at home", "owner on the road"):
        tried = outcome.of(name)
        good = sorted(took for _, _, took, how in tried if how == "success")
        longest = f", {good[-1]:.1f} s" if good else ""
        cells.append(f"{len(good)} of {len(tried)}{longest}")
    return cells


def report(outcomes: Iterable[Outcome]) -> None:
    outcomes = list(outcomes)
    head = ["", "guesses/min", "looked at/min", "found by fail2ban", "it bans", "server CPU"]
    print_table(head, [guesses(one) for one in outcomes])
    print()
    head = ["honest logins", "elsewhere /s", "p50 ms", "p99 ms", "refused", "same address"]
    head += ["same, by token", "owner at home", "owner on the road"]
    print_table(head, [noticed(one) for one in outcomes])
    faults = Counter(
        f"{one[0]}: {one[3]}"
        for outcome in outcomes
        for one in outcome.records
        if one[3] != "success"
    )
    for fault, count in sorted(faults.items()):
        print(f"  {count} {fault}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="of each attack, at most 300")
    parser.add_argument("--before", type=float, default=5.0, help="seconds before it")
    parser.add_argument("--connections", type=int, default=20, choices=range(1, 201), metavar="N")
    parser.add_argument("--only", default="", metavar="WORDS", help="attacks that have these words")
    options = parser.parse_args()
    options.seconds = min(options.seconds, 300.0)
    print(machine())
    wanted = [one for one in ATTACKS if options.only in one.what]
    for counted in (False, True):
        site = make_site(counted)
        try:
            site.start()
            outcomes = [run(site, attack, options) for attack in wanted]
        finally:
            site.close()
        what = "with the shipped settings" if counted else "where failed logins do not count"
        print(f"\n{what}: {options.connections} connections guess for {options.seconds:.0f} s\n")
        report(outcomes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
