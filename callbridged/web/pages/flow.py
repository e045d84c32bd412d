"""The twelve steps of one link, as the diagram shows them. Pure; knows no language.

What it is made of is an entry of ``links`` in ``callbridgectl status --json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bridgewire.steps import Step
from callbridged.links.link_interface import State

#: ``skipped``: this link has no need of it. ``open``: not reached yet.
Progress = Literal["done", "now", "failed", "open", "skipped"]
Lane = Literal["bridge", "dns", "xmpp"]
#: Who speaks: ``out`` the Call Bridge, ``in`` the other one, ``both`` in turns, ``own`` nobody.
Direction = Literal["own", "out", "in", "both"]

#: Between whom a step happens.
_LANES: Mapping[Step, tuple[Lane, Direction]] = {
    Step.READY: ("bridge", "own"),
    Step.CONFIGURATION: ("bridge", "own"),
    Step.PORT: ("bridge", "own"),
    Step.SRV: ("dns", "both"),
    Step.ADDRESS: ("dns", "both"),
    Step.CONNECT: ("xmpp", "out"),
    Step.TLS: ("xmpp", "both"),
    Step.CERTIFICATE: ("xmpp", "in"),
    Step.REGISTER: ("xmpp", "out"),
    Step.REGISTERED: ("xmpp", "in"),
    Step.ACTIVE: ("xmpp", "both"),
    Step.LOGIN: ("xmpp", "in"),
}

#: Which step is under way in which state; where a step has been reported it is the next one.
_UNDER_WAY = {
    State.RESOLVING: Step.ADDRESS,
    State.CONNECTING: Step.CONNECT,
    State.SECURING: Step.TLS,
    State.REGISTERING: Step.REGISTER,
    State.REGISTERED: Step.ACTIVE,
}


@dataclass(frozen=True)
class Error:
    """Why a step failed. ``text`` and ``remedy`` are English sentences, the latter may be empty."""

    reason: str
    text: str
    remedy: str

    @classmethod
    def of(cls, error: Mapping[str, str]) -> Error:
        """Read ``last_error`` of the status."""
        remedy = error.get("remedy", "")
        return cls(error["reason"], error["text"].removesuffix(remedy).strip(), remedy)


@dataclass(frozen=True)
class Row:
    """One step. ``seconds``: how long it took. ``text``: what was found, in English."""

    step: Step
    progress: Progress
    text: str = ""
    seconds: float | None = None
    at: str = ""
    error: Error | None = None

    @property
    def lane(self) -> Lane:
        """Between the Call Bridge and whom it happens; ``bridge``: with itself."""
        return _LANES[self.step][0]

    @property
    def direction(self) -> Direction:
        """Who speaks."""
        return _LANES[self.step][1]


@dataclass(frozen=True)
class Served:
    """What a server has asked in the last minutes: how many logins, and how long one took."""

    logins: int = 0
    seconds: float = 0.0


def make_rows(
    link: Mapping[str, Any], component: str, served: Served, *, draining: bool
) -> list[Row]:
    """Answer the rows for an entry of ``links``, in the order of the steps.

    ``component``: the Call Bridge's address on it. ``served``: of its server.
    """
    state = State(link["state"])
    passed = {Step(one["step"]): one for one in link.get("steps", [])}
    error = link["last_error"] if state is not State.REGISTERED else None
    failed = Step(error["step"]) if error else None
    now = _under_way(state, passed)
    up = state is State.REGISTERED and bool(link.get("ready", True))
    reached = failed.number if failed and state is State.WAITING else len(Step)
    rows = []
    for step in Step:
        one = passed.get(step) if step.number <= reached else None
        if error and failed is step and (one is None or state is State.WAITING):
            rows.append(Row(step, "failed", error=Error.of(error)))
        elif step is Step.READY:
            rows.append(Row(step, "done" if up and not draining else "open"))
        elif step is Step.CONFIGURATION:
            rows.append(Row(step, "done", component))
        elif step is Step.LOGIN:
            seconds = served.seconds if served.logins else None
            rows.append(Row(step, "done" if up and served.logins else "open", seconds=seconds))
        elif one is not None:
            rows.append(Row(step, "done", one["text"], one["seconds"], one["at"]))
        elif step is Step.PORT and failed is Step.SRV:
            rows.append(Row(step, "done"))
        elif step is Step.SRV and Step.PORT in passed:
            rows.append(Row(step, "skipped"))  # an address is set, or it would be there
        else:
            rows.append(Row(step, "now" if step is now else "open"))
    return rows


def _under_way(state: State, passed: Mapping[Step, object]) -> Step | None:
    """Answer the first step that is not passed, from the one that the state begins with."""
    first = _UNDER_WAY.get(state)
    if first is None:
        return None
    steps = [step for step in Step if first.number <= step.number <= Step.ACTIVE.number]
    return next((step for step in steps if step not in passed), None)
