"""What a test of new values has found, as the page shows it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bridgewire.steps import Step
from callbridged.check.report import Outcome, Report, Walk
from callbridged.web.pages.flow import Error, Row

#: The steps that a check walks.
_STEPS = [step for step in Step if step not in (Step.READY, Step.LOGIN)]


@dataclass(frozen=True)
class TestedServer:
    """The steps towards one XMPP server, the common ones included."""

    target: str
    rows: Sequence[Row]


@dataclass(frozen=True)
class Tested:
    """The whole test. ``warnings`` are sentences in English."""

    walks: Sequence[TestedServer]
    warnings: Sequence[str]

    @property
    def failed(self) -> Row | None:
        """The first step that failed, at whichever server; None where all went well."""
        rows = (row for walk in self.walks for row in walk.rows if row.error is not None)
        return min(rows, key=lambda row: row.step.number, default=None)


def make_tested(report: Report) -> Tested:
    """Answer what there is to show of a report."""
    servers = report.servers or [Walk(report.domain, [])]
    return Tested(
        [
            TestedServer(one.target, _rows([*report.common.outcomes, *one.outcomes]))
            for one in servers
        ],
        report.warnings,
    )


def _rows(outcomes: Sequence[Outcome]) -> list[Row]:
    found = {one.step: one for one in outcomes}
    rows = []
    for step in _STEPS:
        one = found.get(step)
        if one is not None:
            rows.append(_row(one))
        elif step is Step.PORT and Step.SRV in found:
            rows.append(Row(step, "done"))  # it failed before it could say so
        elif step is Step.SRV and Step.PORT in found:
            rows.append(Row(step, "skipped"))
        else:
            rows.append(Row(step, "open"))
    return rows


def _row(one: Outcome) -> Row:
    failure = one.failure
    if failure is None:
        return Row(one.step, "done", one.text, one.seconds)
    error = Error(str(failure.reason), failure.text, failure.remedy)
    return Row(one.step, "failed", seconds=one.seconds, error=error)
