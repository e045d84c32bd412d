"""``xmppctl check``."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from daemonkit.ctl import Frame, argument, show
from daemonkit.hosts import HostPort, parse_host_port
from daemonkit.ini import ConfigurationFault
from xmppd.check import conditions
from xmppd.check.condition import Condition, Result, failure, success
from xmppd.check.ports import held_by_systemd, ports
from xmppd.config import DEFAULT_PATH, load

_DETAILS = """\
One line for each condition: SUCCESS, WARNING or FAILURE, and what to do. The
exit status is 1 if there is a FAILURE. It needs no running xmppd, and does not
disturb one. Run it as root, or as the daemon's user: it reads the keys."""


def add_check_command(frame: Frame) -> None:
    """Add ``check``."""
    command = frame.command(
        "check", check, "looks at all that xmppd needs, before it runs", details=_DETAILS
    )
    command.add_argument(
        "--nameserver",
        metavar="HOST[:PORT]",
        type=argument(parse_host_port),
        help="ask this one for DNS records, and not the system's",
    )


def check(options: Namespace) -> int:
    """Print every condition; 1 if one does not hold."""
    found = list(every_condition(options.config, options.nameserver))
    show(
        options,
        [one.as_json() for one in found],
        lambda: (line for one in found for line in one.lines()),
    )
    return 1 if any(one.result is Result.FAILURE for one in found) else 0


def every_condition(path: Path, nameserver: HostPort | None = None) -> Iterator[Condition]:
    """Answer all that can be said of the server whose configuration is at ``path``."""
    # Here, as it takes a while to load, and the other commands do not need it.
    from xmppd.check.records import records

    try:
        config = load(path)
    except ConfigurationFault as fault:
        for one in fault.each:
            yield failure("configuration", one)
        return
    yield success("configuration", f"{path} can be used.")
    daemon, status = conditions.running(config)
    yield daemon
    if status is not None:
        yield from conditions.troubles(status)
    yield from conditions.certificates(config)
    yield from conditions.registry(config)
    sockets = held_by_systemd() if path == DEFAULT_PATH else []
    yield from ports(config, sockets, held=status is not None)
    yield from records(config, nameserver)
    yield from conditions.room(config)
    yield from conditions.limits(status)
    yield from conditions.clock()
