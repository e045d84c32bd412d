"""Runs a check in a reactor of its own, from its first step to its report."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from callbridged.check.login import try_login
from callbridged.check.report import Report
from callbridged.check.trace import Trace
from callbridged.check.walk import check
from callbridged.config import Config


def run_check(config: Config, trace: Trace, username: str | None, password: str) -> Report:
    """Answer what a check finds; with ``username``, step 12 as well. Ends the reactor."""
    from twisted.internet import reactor as installed

    reactor: Any = installed
    outcome: list[Report | Failure] = []

    async def work() -> Report:
        report = await check(reactor, config, trace)
        if username:
            report.login = await try_login(reactor, config, username, password)
        return report

    def begin() -> None:
        running = Deferred.fromCoroutine(work())
        running.addBoth(outcome.append).addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()
    if not outcome:  # Twisted has taken the signal
        raise KeyboardInterrupt
    found = outcome[0]
    if isinstance(found, Failure):
        found.raiseException()
    return found
