"""``python -m benchmarks.cpu``: what a login costs the servers in CPU time, in all its ways.

From TCP connect to bound resource, over each transport and with each SASL mechanism, so many
logins of each. User and system time of each daemon, divided by the logins. Prosody and ejabberd,
where they are installed, do what they can of the same in the same run, with their own password
stores. Bounded: it ends after some minutes.
"""

from __future__ import annotations

import argparse
import ssl
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.client import TRANSPORTS, Client, Refused, Target
from benchmarks.figures import cpu_seconds, machine, print_table, settle
from benchmarks.ours import Pair, Subject, subjects
from benchmarks.peers import PASSWORD
from benchmarks.sasl import Credentials

_WARM_UP = 20
_WHO = Credentials("user0", PASSWORD)
_FAST = "HT-SHA-256-NONE"
_REQUEST_TOKEN = f"<request-token xmlns='urn:xmpp:fast:0' mechanism='{_FAST}'/>"


class NotOffered(Exception):
    """The server does not offer it."""


def classic(mechanism: str) -> Callable[[Client], None]:
    """Log in by RFC 6120: SASL, a new stream, a resource."""

    def log_in(client: Client) -> None:
        _begin(client, mechanism)
        client.log_in(mechanism, _WHO)
        client.bind()

    return log_in


def inline(client: Client) -> None:
    """SASL2 with Bind 2."""
    _begin(client, "SCRAM-SHA-256", b"urn:xmpp:sasl:2")
    client.log_in_inline("SCRAM-SHA-256", _WHO)


def _begin(client: Client, mechanism: str, needed: bytes = b"") -> None:
    client.secure()
    client.open()
    if mechanism not in client.offered() or needed not in client.features:
        raise NotOffered


class Tokens:
    """FAST (XEP-0484): the tokens of some installations of a client, used in turn."""

    def __init__(self) -> None:
        self._agents: list[tuple[str, str]] = []

    def log_in(self, client: Client) -> None:
        _begin(client, _FAST, b"urn:xmpp:fast:0")
        try:
            client.agent, token = self._agents.pop()
        except IndexError:  # while the servers warm up
            client.log_in_inline("SCRAM-SHA-256", _WHO, _REQUEST_TOKEN)
            self._agents.append((client.agent, client.token))
            return
        client.log_in_inline(_FAST, replace(_WHO, token=token), "<fast xmlns='urn:xmpp:fast:0'/>")
        self._agents.append((client.agent, client.token or token))


@dataclass(frozen=True)
class Case:
    what: str
    log_in: Callable[[Client], None]
    transports: tuple[str, ...] = TRANSPORTS


CASES = (
    *(
        Case(mechanism, classic(mechanism))
        for mechanism in ("PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512")
    ),
    Case("SCRAM-SHA-256-PLUS", classic("SCRAM-SHA-256-PLUS")),
    Case("SASL2, Bind 2, SCRAM-SHA-256", inline),
    Case(f"SASL2, Bind 2, {_FAST}", Tokens().log_in),
    Case("EXTERNAL", classic("EXTERNAL"), ("STARTTLS", "TLS")),
    Case("ANONYMOUS", classic("ANONYMOUS")),
)


def measure(
    subject: Subject, target: Target, case: Case, transport: str, options: argparse.Namespace
) -> list[float] | None:
    """Milliseconds of CPU per login, of each process; None where there is no such login."""
    if transport not in target.ports:
        return None

    def one(_: int) -> None:
        client = Client(target, transport)
        try:
            case.log_in(client)
            client.close()
        finally:
            client.socket.close()

    pids = list(subject.pids.values())
    try:
        with ThreadPoolExecutor(options.at_once) as threads:
            list(threads.map(one, range(_WARM_UP)))
            settle(pids)
            before = [cpu_seconds(pid) for pid in pids]
            list(threads.map(one, range(options.logins)))
            settle(pids)
    except NotOffered:
        return None
    except (Refused, OSError) as fault:
        print(f"{subject.name}, {case.what}, {transport}: {str(fault)[:300]!a}")
        return None
    after = [cpu_seconds(pid) for pid in pids]
    return [(new - old) / options.logins * 1000 for new, old in zip(after, before, strict=True)]


def with_certificate(target: Target, pair: tuple[Path, Path]) -> Target:
    """The same server, with a client certificate to show it."""
    context = ssl.create_default_context()
    context.load_verify_locations(cadata=_authority(target))
    context.load_cert_chain(*pair)
    return replace(target, tls=context)


def _authority(target: Target) -> bytes:
    [der] = target.tls.get_ca_certs(binary_form=True)
    return der


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--logins", type=int, default=200, choices=range(20, 5001), metavar="N")
    parser.add_argument("--at-once", type=int, default=4, choices=range(1, 65), metavar="N")
    parser.add_argument("--only", default="", metavar="WORDS", help="cases that have these words")
    parser.add_argument("--alone", action="store_true", help="ours, without the others")
    options = parser.parse_args()
    began = time.monotonic()
    print(machine())
    with subjects(users=1, real_users=1) as found:
        if options.alone:
            del found[1:]
        for subject, _ in found:
            subject.start()
        rows = [
            (f"{case.what}, {transport}", _measure_all(found, case, transport, options))
            for case in CASES
            for transport in case.transports
            if options.only.lower() in f"{case.what}, {transport}".lower()
        ]
        others = [subject.name for subject, _ in found[1:]]
        print(f"ms of server CPU per login, {options.logins} logins, {options.at_once} at once")
        head = ["", "xmppd", "callbridged", "both", *others, *(f"both : {one}" for one in others)]
        print_table(head, ([what, *_cells(figures)] for what, figures in rows))
    print(f"took {time.monotonic() - began:.0f} s")
    return 0


def _measure_all(
    found: list[tuple[Subject, Target]], case: Case, transport: str, options: argparse.Namespace
) -> list[list[float] | None]:
    figures = []
    for subject, target in found:
        if case.what == "EXTERNAL" and isinstance(subject, Pair):
            target = with_certificate(target, subject.user_certificate)
        figures.append(measure(subject, target, case, transport, options))
    print(case.what, transport, figures, file=sys.stderr)
    return figures


def _cells(figures: list[list[float] | None]) -> list[str]:
    totals = [None if one is None else sum(one) for one in figures]
    ours, *others = totals
    shown = ["-"] * 2 if figures[0] is None else [f"{one:.2f}" for one in figures[0]]
    shown += ["-" if one is None else f"{one:.2f}" for one in totals]
    return shown + ["-" if ours is None or not one else f"{ours / one:.2f}" for one in others]


if __name__ == "__main__":
    sys.exit(main())
