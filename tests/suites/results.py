"""What a suite's run came to, held against what is known not to apply."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """One test of a suite: ``outcome`` is passed, failed or skipped, ``text`` says why."""

    name: str
    outcome: str
    text: str = ""


def report(results: Iterable[Result], not_applicable: Mapping[str, str]) -> int:
    """Print all results; the exit status is 1 where one is not as it ought to be.

    ``not_applicable`` has the reason for each test that cannot pass here, by its name. One that
    has vanished is told as well: then the list is wrong.
    """
    results = sorted(results, key=lambda result: result.name)
    passed, wrong = 0, 0
    for result in results:
        reason = not_applicable.get(result.name)
        if result.outcome == "passed":
            passed += 1
            note = f"passed {result.text}".strip()
        elif reason is not None:
            note = f"does not apply: {reason}"
        else:
            wrong += 1
            note = f"{result.outcome.upper()}: {result.text}"
        print(f"{result.name}: {note}")
    for name in sorted(set(not_applicable) - {result.name for result in results}):
        wrong += 1
        print(f"{name}: VANISHED, though it is listed as not applicable")
    print(f"{passed} passed, {len(results) - passed} not, {wrong} not as they ought to be")
    return int(wrong > 0 or not passed)
