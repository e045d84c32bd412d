"""Runs a check in a reactor of its own, from its first step to its report."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.python.failure import Failure

from callbridged.check.login import try_login
from callbridged.check.report import Report
from callbridged.check.trace import Trace
from callbridged.check.walk import check
from callbridged.config import Config


def run_check(config: Config, trace: Trace, username: str | None, password: str) -> Report:
    """Answer what a check finds; with ``username``, step 12 as well. Ends the reactor."""
    outcome: list[Report | Failure] = []

    async def work(reactor: Any) -> Report:
        report = await check(reactor, config, trace)
        if username:
            report.login = await try_login(reactor, config, username, password)
        return report

    def begin(reactor: Any) -> Deferred[None]:
        return Deferred.fromCoroutine(work(reactor)).addBoth(outcome.append)

    with suppress(SystemExit):  # which is how `react` ends
        react(begin)
    if not outcome:  # Twisted has taken the signal
        raise KeyboardInterrupt
    found = outcome[0]
    if isinstance(found, Failure):
        found.raiseException()
    return found
