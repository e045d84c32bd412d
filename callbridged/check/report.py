"""What a check has found: by step, for each XMPP server, with what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from bridgewire.steps import Reason, Step, StepFailure
from daemonkit.terminal import paint, wrapped
from daemonkit.units import counted, format_duration

#: Where the texts begin: behind number, name and outcome of a step.
_COLUMN = len("12 configuration  FAILED  ")


@dataclass(frozen=True)
class Outcome:
    """One step. ``seconds``: how long it took, None where that says nothing.

    ``failure`` None: it went well, and ``text`` says what was found.
    """

    step: Step
    text: str
    seconds: float | None = None
    failure: StepFailure | None = None

    @classmethod
    def failed(cls, failure: StepFailure, seconds: float | None = None) -> Outcome:
        """Answer the outcome of a step that failed."""
        return cls(failure.step, failure.text, seconds, failure)

    def as_json(self) -> dict[str, object]:
        """Answer ``{"step", "number", "ok", "text", "seconds", "reason", "remedy"}``."""
        failure = self.failure
        return {
            "step": str(self.step),
            "number": self.step.number,
            "ok": failure is None,
            "text": self.text,
            "seconds": None if self.seconds is None else round(self.seconds, 4),
            "reason": None if failure is None else str(failure.reason),
            "remedy": None if failure is None else failure.remedy,
        }


@dataclass(frozen=True)
class Walk:
    """Steps towards one XMPP server, ``target``, or common to all. The first that fails is last."""

    target: str
    outcomes: Sequence[Outcome]
    warnings: Sequence[str] = ()

    @property
    def failure(self) -> StepFailure | None:
        """The step that failed, None where all went well."""
        return next((one.failure for one in self.outcomes if one.failure is not None), None)

    def despite(self, reason: Reason, text: str) -> Walk:
        """Answer the same walk; if it ended with ``reason``, as gone well, and as ``text`` says."""
        if self.failure is None or self.failure.reason is not reason:
            return self
        last = self.outcomes[-1]
        outcomes = [*self.outcomes[:-1], Outcome(last.step, text, last.seconds)]
        return replace(self, outcomes=outcomes)

    def as_json(self) -> dict[str, object]:
        """Answer ``{"target", "ok", "steps"}``."""
        return {
            "target": self.target,
            "ok": self.failure is None,
            "steps": [outcome.as_json() for outcome in self.outcomes],
        }


@dataclass
class Report:
    """A whole check. ``common``: the steps before any server; ``login``: the step after all."""

    callbridge: str
    domain: str
    common: Walk
    servers: list[Walk] = field(default_factory=list)
    login: Walk | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def walks(self) -> list[Walk]:
        """All of them, in order."""
        return [self.common, *self.servers, *([self.login] if self.login else [])]

    @property
    def failures(self) -> list[Walk]:
        """Those that failed."""
        return [walk for walk in self.walks if walk.failure is not None]

    def as_json(self) -> dict[str, object]:
        """Answer ``{"callbridge", "domain", "ok", "steps", "targets", "login", "warnings"}``."""
        return {
            "callbridge": self.callbridge,
            "domain": self.domain,
            "ok": not self.failures,
            "steps": [one.as_json() for one in self.common.outcomes],
            "targets": [walk.as_json() for walk in self.servers],
            "login": None if self.login is None else self.login.outcomes[0].as_json(),
            "warnings": self.warnings,
        }

    def lines(self) -> Iterator[str]:
        """Answer it for people."""
        yield f"Call Bridge {self.callbridge} of {self.domain}"
        for walk in self.walks:
            yield ""
            if walk is not self.common:
                yield paint(walk.target, "bold")
            for outcome in walk.outcomes:
                yield from _lines(outcome)
        if self.warnings:
            yield ""
            for warning in self.warnings:
                yield from wrapped(f"{paint('WARNING', 'yellow')}  ", warning, len("WARNING  "))
        yield ""
        yield self._verdict()

    def _verdict(self) -> str:
        failures = self.failures
        if not failures:
            where = f"at {counted(len(self.servers), 'XMPP server')}"
            return f"{paint('SUCCESS', 'green')}: all steps, {where}"
        said = [f"{walk.target}: step {_spell(walk)}" for walk in failures]
        return f"{paint('FAILURE', 'red')}: {'; '.join(said)}"


def _spell(walk: Walk) -> str:
    assert walk.failure is not None  # noqa: S101  only failures are spelled
    failure = walk.failure
    return f"{failure.step.number} ({failure.step}), {failure.reason}"


def _lines(outcome: Outcome) -> Iterator[str]:
    good = outcome.failure is None
    head = f"{outcome.step.number:2} {outcome.step:<15}  "
    word = paint("ok", "green") + "    " if good else paint("FAILED", "red")
    took = "" if outcome.seconds is None else f" ({format_duration(outcome.seconds)})"
    text = outcome.text if outcome.failure is None else f"{outcome.failure.reason}: {outcome.text}"
    yield from wrapped(f"{head}{word}  ", text + took, _COLUMN)
    if outcome.failure is not None and outcome.failure.remedy:
        yield from wrapped(" " * _COLUMN, outcome.failure.remedy, _COLUMN)
