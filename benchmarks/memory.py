"""``python -m benchmarks.memory``: what a connection costs a server, from TCP to a session.

Each figure comes from a server that was just started and has seen a few connections of the kind:
its private memory with N connections, less that without, divided by N. Prosody and ejabberd, where
they are installed, have the same load in the same run. Bounded: it ends after some minutes.
"""

from __future__ import annotations

import argparse
import resource
import socket
import struct
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks import worst
from benchmarks.client import Client, Refused, Target
from benchmarks.figures import (
    descriptors,
    machine,
    print_table,
    private_kib,
    settle,
    wait_descriptors,
)
from benchmarks.ours import Subject, subjects
from benchmarks.peers import PASSWORD
from benchmarks.sasl import Credentials

_WARM_UP = 50
_AT_ONCE = 8
#: Of connections in a state that does not last. A Call Bridge takes 200 logins at once.
_FEW = 150

Step = Callable[[Client, int], None]
#: Addresses that connections come from: a server gives each only a share of its places.
_SOURCES = [f"127.0.1.{number}" for number in range(1, 101)]


def nothing(client: Client, number: int) -> None:
    """TCP is connected, and nothing sent."""


def offered(client: Client, number: int) -> None:
    client.open()


def secured(client: Client, number: int) -> None:
    client.secure()
    client.open()


def session(client: Client, number: int) -> None:
    secured(client, number)
    client.log_in("PLAIN", Credentials(f"user{number}", PASSWORD))
    client.bind()


def managed(client: Client, number: int) -> None:
    session(client, number)
    client.manage()


@dataclass(frozen=True)
class Case:
    """How far connections go. ``away``: they are then cut, and their sessions wait for them.

    ``short``: it does not last, so there are fewer of them, and no rest.
    """

    what: str
    transport: str
    reach: Step
    away: bool = False
    short: bool = False


CASES = (
    Case("TCP connected, nothing sent", "STARTTLS", nothing),
    Case("stream open, STARTTLS offered", "STARTTLS", offered),
    Case("TLS, not logged in", "STARTTLS", secured),
    Case("idle session", "STARTTLS", session),
    Case("TLS, not logged in", "TLS", secured),
    Case("idle session", "TLS", session),
    Case("TLS, not logged in", "WebSocket", secured),
    Case("idle session", "WebSocket", session),
    Case("session, stream management", "STARTTLS", managed),
    Case("session whose client is away", "STARTTLS", managed, away=True),
)


def after(first: Step, then: Step) -> Step:
    def both(client: Client, number: int) -> None:
        first(client, number)
        then(client, number)

    return both


def proceed(client: Client, number: int) -> None:
    """TLS is about to begin."""
    client.open()
    client.ask("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", b"<proceed")


def https(client: Client, number: int) -> None:
    client.start_tls()


#: What a peer can reach without logging in, and costs more than the states above on the way.
WORST = (
    Case("half a text", "STARTTLS", after(offered, worst.half_text)),
    Case("many elements", "STARTTLS", after(offered, worst.many_elements)),
    Case("half a ClientHello, 2 KB", "STARTTLS", after(proceed, worst.half_short_hello)),
    Case("half a ClientHello, 16 KB", "TLS", worst.half_long_hello),
    Case("half a ClientHello, 128 KB", "TLS", worst.half_longest_hello),
    Case("TLS, half a text", "STARTTLS", after(secured, worst.half_text)),
    Case("TLS, half a tag", "STARTTLS", after(secured, worst.half_tag)),
    Case("TLS, many elements", "STARTTLS", after(secured, worst.many_elements)),
    Case("TLS, half a record", "STARTTLS", after(secured, worst.half_record)),
    Case("many elements, half a record", "STARTTLS", after(secured, worst.all_at_once)),
    Case("SCRAM begun", "STARTTLS", after(secured, worst.challenged), short=True),
    Case("SCRAM, half an answer", "STARTTLS", after(secured, worst.half_response), short=True),
    Case("TLS, half a text", "TLS", after(secured, worst.half_text)),
    Case("TLS, many elements", "TLS", after(secured, worst.many_elements)),
    Case("half an HTTP request", "WebSocket", after(https, worst.half_request), short=True),
    Case("half an HTTP body", "WebSocket", after(https, worst.half_body), short=True),
    Case("half a frame", "WebSocket", after(secured, worst.half_frame)),
    Case("many elements in fragments", "WebSocket", after(secured, worst.many_frames)),
    Case("SCRAM begun", "WebSocket", after(secured, worst.challenged), short=True),
)


def hold(target: Target, case: Case, numbers: range) -> list[Client]:
    """Make so many connections, and keep them."""

    def one(number: int, again: bool = True) -> Client:
        client = Client(target, case.transport, _SOURCES[number % len(_SOURCES)])
        try:
            case.reach(client, number)
        except Refused:  # ejabberd closes a WebSocket now and then
            client.socket.close()
            if not again:
                raise
            return one(number, again=False)
        return client

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return list(threads.map(one, numbers))


def cut(client: Client) -> None:
    """As where a network goes away: no word, and a reset."""
    linger = struct.pack("ii", 1, 0)
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    client.socket.close()


def measure(subject: Subject, target: Target, case: Case, count: int, rest: float) -> float:
    """KiB per connection, of the process that clients are connected to, after ``rest`` seconds."""
    if case.short:
        count, rest = min(count, _FEW), 0.0
    subject.start()
    try:
        pid = next(iter(subject.pids.values()))
        settle(subject.pids.values())
        idle = descriptors(pid)
        for client in hold(target, case, range(count, count + _WARM_UP)):
            client.close() if case.reach in (session, managed) else client.socket.close()
        wait_descriptors(pid, 0, idle)
        settle(subject.pids.values())
        time.sleep(rest)
        before = private_kib(pid)
        clients = hold(target, case, range(count))
        settle(subject.pids.values())
        held = descriptors(pid) - idle
        if case.away:
            for client in clients:
                cut(client)
            wait_descriptors(pid, 0, idle)
            settle(subject.pids.values())
        time.sleep(rest)  # ejabberd gives memory back for some seconds
        after = private_kib(pid)
        for client in clients:
            client.socket.close()
        if held <= 0:
            raise Refused("it kept none")
        if held < 0.9 * count:
            print(f"{subject.name}, {case.what}: it kept {held} of {count}, which count")
        return (after - before) / held
    finally:
        subject.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--connections", type=int, default=1000, choices=range(100, 4001), metavar="N"
    )
    parser.add_argument(
        "--rest", type=float, default=7.0, metavar="SECONDS", help="until memory is looked at"
    )
    parser.add_argument("--only", default="", metavar="WORDS", help="cases that have these words")
    parser.add_argument(
        "--worst", action="store_true", help="what costs most before a login, in the place of these"
    )
    parser.add_argument("--alone", action="store_true", help="ours, without the others")
    parser.add_argument("--hashed", action="store_true", help="the others keep no passwords")
    options = parser.parse_args()
    count = options.connections
    wanted = options.only.lower()
    every = WORST if options.worst else CASES
    cases = [one for one in every if wanted in f"{one.what}, {one.transport}".lower()]
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    print(machine())
    with subjects(users=count + _WARM_UP, hashed=options.hashed) as found:
        if options.alone:
            del found[1:]
        rows = []
        for case in cases:
            figures: list[float | None] = []
            for subject, target in found:
                if case.transport not in target.ports:
                    figures.append(None)
                    continue
                try:
                    figures.append(measure(subject, target, case, count, options.rest))
                except Refused as fault:
                    print(f"{subject.name}, {case.what}, {case.transport}: {str(fault)[:200]!a}")
                    figures.append(None)
            rows.append((case, figures))
            print(case.what, case.transport, figures, file=sys.stderr)
        names = [subject.name for subject, _ in found]
        print(f"KiB of private memory per connection, {count} connections from loopback")
        print_table(
            ["", *names, *(f"{names[0]} : {other}" for other in names[1:])],
            ([f"{case.what}, {case.transport}", *_cells(figures)] for case, figures in rows),
        )
    return 0


def _cells(figures: list[float | None]) -> list[str]:
    ours = figures[0]
    shown = ["-" if one is None else f"{one:.1f}" for one in figures]
    ratios = ["-" if not ours or not one or one < 1 else f"{ours / one:.2f}" for one in figures[1:]]
    return shown + ratios


if __name__ == "__main__":
    sys.exit(main())
