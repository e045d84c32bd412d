"""Logins as lines for people: columns as wide as the terminal has room for. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from daemonkit.terminal import paint, printable
from daemonkit.units import format_duration

#: Columns of a terminal that has room for mechanism and link as well.
_WIDE = 112
_ID = 8
#: Milliseconds from which on it is worth saying who was waited for.
_SLOW = 1000
_FOR = {
    "backend": "the user backend",
    "callbridge": "the Call Bridge",
    "client": "the client",
    "pause": "its turn, after failed logins",
    "room": "a Call Bridge with room",
}
#: Outcomes that are not the user's doing, but for the operator to look at.
_OURS = frozenset({"temporary-auth-failure", "timeout", "link-lost", "resource-constraint"})


class Lines:
    """Makes lines of records (`LoginRecord.as_json`), with the day where it changes."""

    def __init__(self, width: int | None, domain: str, asked: str) -> None:
        """``width``: of the terminal; None: there is none, and nothing is cut.

        ``domain``: the one that needs not be said. ``asked``: see `add_logins_command`.
        """
        self._domain = domain
        self._cut = width is not None
        self._wide = width is None or width >= _WIDE
        user = 16 + max(0, min(24, (width or 120) - 120))
        heads = [("Time", 8), ("Login", _ID), ("User", user), ("From", 15), ("Took", 7)]
        if self._wide:
            heads += [("Mechanism", 18), (asked, 12)]
        self._heads = heads
        self._day = datetime.now().astimezone().date()

    def heading(self) -> str:
        """Answer the first line."""
        return self._line([head for head, _ in self._heads], "Outcome")

    def of(self, record: Mapping[str, Any]) -> Iterator[str]:
        """Answer a record's line, and before it the day if it is another."""
        ended = datetime.fromisoformat(record["time"]).astimezone()
        if ended.date() != self._day:
            self._day = ended.date()
            yield f"--- {self._day} ---"
        user = record["user"] or ""
        if user and record["domain"] != self._domain:
            user = f"{user}@{record['domain']}"
        cells = [
            ended.strftime("%H:%M:%S"),
            (record["login"] or "")[:_ID],
            user,
            record["peer"] or "",
            format_duration(record["ms"] / 1000),
        ]
        if self._wide:
            cells += [record["mechanism"] or "", _asked(record)]
        yield self._line(cells, _outcome(record))

    def _line(self, cells: list[str], last: str) -> str:
        shown = []
        for cell, (head, width) in zip(cells, self._heads, strict=True):
            text = printable(cell) or "-"
            if head == "User" and self._cut and len(text) > width:
                text = text[: width - 1] + "…"
            shown.append(text.ljust(width))
        return "  ".join((*shown, last)).rstrip()


def _asked(record: Mapping[str, Any]) -> str:
    """Who was asked; behind it who was asked before, in vain. In short: no domain, no port."""
    hosts = [str(one).rpartition(":")[0] or str(one) for one in record["asked"]]
    names = [host.removesuffix(f".{record['domain']}") for host in hosts]
    return " after ".join(reversed(names))


def _outcome(record: Mapping[str, Any]) -> str:
    outcome = str(record["outcome"])
    words = [outcome]
    if record["kind"] != "password":
        words.append(str(record["kind"]))
    if record["reason"]:
        words.append(str(record["reason"]))
    text = ", ".join(words)
    colour = "green" if outcome == "success" else "red" if outcome in _OURS else "yellow"
    more = ""
    if record["text"]:
        more += f": {record['text']}"
    waited = record.get("waited_ms") or {}
    if record["ms"] >= _SLOW and waited:
        whom, time = max(waited.items(), key=lambda one: one[1])
        more += f"; {format_duration(time / 1000)} for {_FOR.get(whom, whom)}"
    return paint(printable(text), colour) + printable(more)
