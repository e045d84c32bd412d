"""The audit log: who signed in or was refused, and who changed what, from where.

Each entry is an event in the log, and one line of JSON in STATE/audit.log (0600), for
`callbridgectl audit` and for the page. Refusals have a file of their own, STATE/refused.log: who
cannot sign in cannot push out what administrators did. Both are bounded: a full one becomes FILE.1,
and so on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from twisted.logger import Logger

from callbridged.events import (
    ADMIN_CHANGED,
    ADMIN_DENIED,
    ADMIN_REFUSED,
    ADMIN_SIGNED_IN,
    AUDIT_LOST,
)
from callbridged.web.access import Caller
from daemonkit.feed import Feed
from daemonkit.logging.line import MAX_FIELD, safe

#: Octets of one file, and how many there are: the one that is written to, and older ones.
MAX_FILE = 1024 * 1024
FILES = 5
#: Entries that are held for the page.
KEPT = 500

#: What stands in the place of a secret, which is never written.
CHANGED = "changed"

_NAMES = ("audit.log", "refused.log")


@dataclass(frozen=True)
class Entry:
    """``action``: ``signed-in``, ``signed-out``, ``refused`` or ``changed``. ``who``: the account;
    empty where that is nobody's name, ``root`` for what was changed in files on this host.

    ``values``: what was changed -> its old and its new value, or `CHANGED`.
    """

    at: str
    action: str
    who: str
    peer: str
    what: str
    values: Mapping[str, tuple[str, str] | str] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """Answer it as it stands in the file."""
        values = {
            key: value if isinstance(value, str) else {"old": value[0], "new": value[1]}
            for key, value in self.values.items()
        }
        told: dict[str, object] = {"at": self.at, "action": self.action, "who": self.who}
        return {**told, "peer": self.peer, "what": self.what, "values": values}

    @property
    def shown(self) -> str:
        """Answer ``values`` in one line, for people."""
        return ", ".join(
            f"{key} {value}" if isinstance(value, str) else f"{key} {value[0]!r} -> {value[1]!r}"
            for key, value in self.values.items()
        )


class Audit:
    """Writes entries to the files in the state directory. What cannot be written is in the log."""

    log = Logger()

    def __init__(self, directory: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)):
        self._directory = directory
        self._now = now
        #: What administrators did, and who was refused; the latest, those of former runs included.
        self.feed: Feed[Entry] = Feed(KEPT)
        self.refusals: Feed[Entry] = Feed(KEPT)
        for name, feed in zip(_NAMES, (self.feed, self.refusals), strict=True):
            try:
                for entry in _read(directory / name, KEPT):
                    feed.add(entry)
            except OSError as error:
                self.log.warn(AUDIT_LOST, path=directory / name, why=error.strerror or error)

    def latest(self, number: int) -> list[Entry]:
        """Answer the latest entries of both kinds, oldest first."""
        found = [one for feed in (self.feed, self.refusals) for one in feed.last(number, _any)]
        return _latest(found, number)

    def signed_in(self, caller: Caller, how: str) -> None:
        """``how``: ``page`` or ``API``."""
        self._add("signed-in", caller.name, caller.peer, how)
        self.log.info(ADMIN_SIGNED_IN, user=caller.name, peer=caller.peer, how=how)

    def signed_out(self, caller: Caller) -> None:
        """By the button on the page."""
        self._add("signed-out", caller.name, caller.peer, "page")

    def refused(self, name: str, peer: str, why: str) -> None:
        """``name``: of an account that there is; else nothing, as it may be a password."""
        self._add("refused", name, peer, why)
        self.log.warn(ADMIN_REFUSED, user=name or "an unknown name", peer=peer, why=why)

    def denied(self, caller: Caller, why: str) -> None:
        """Somebody who is signed in may not do this; ``why``: the reason of a `Denied`."""
        self._add("refused", caller.name, caller.peer, f"a change: {why}")
        self.log.warn(ADMIN_DENIED, user=caller.name, peer=caller.peer, why=why)

    def changed(
        self,
        caller: Caller,
        what: str,
        values: Mapping[str, tuple[str, str]],
        secrets: Collection[str] = (),
    ) -> None:
        """``caller`` changed these values of ``what``, key -> old and new. ``secrets``: the keys of
        which neither may be written."""
        told: dict[str, tuple[str, str] | str] = {
            key: CHANGED if key in secrets else (_short(old), _short(new))
            for key, (old, new) in values.items()
        }
        entry = self._add("changed", caller.name, caller.peer, what, told)
        self.log.info(
            ADMIN_CHANGED, user=caller.name, peer=caller.peer, what=what, values=entry.shown
        )

    def accounts_changed(self, changes: Mapping[str, str]) -> None:
        """The administrators' file has changed, account -> how: by root, with an editor or not."""
        self._changed_here("administrators", changes)

    def settings_reset(self, names: Iterable[str]) -> None:
        """These settings are as in the ini file again, by `callbridgectl config reset`."""
        self._changed_here("settings", dict.fromkeys(names, "as in the ini file"))

    def _changed_here(self, what: str, values: Mapping[str, str]) -> None:
        entry = self._add("changed", "root", "", what, values)
        self.log.info(ADMIN_CHANGED, user="root", peer="this host", what=what, values=entry.shown)

    def _add(
        self,
        action: str,
        who: str,
        peer: str,
        what: str,
        values: Mapping[str, tuple[str, str] | str] | None = None,
    ) -> Entry:
        at = self._now().isoformat(timespec="milliseconds")
        entry = Entry(at, action, _short(who), _short(peer), _short(what), values or {})
        is_refusal = action == "refused"
        (self.refusals if is_refusal else self.feed).add(entry)
        path = self._directory / _NAMES[is_refusal]
        try:
            _append(path, json.dumps(entry.as_json(), ensure_ascii=False).encode() + b"\n")
        except OSError as error:
            self.log.warn(AUDIT_LOST, path=path, why=error.strerror or error)
        return entry


def last(directory: Path, number: int) -> list[Entry]:
    """Answer the latest entries of both files, oldest first. Raises OSError."""
    found = [entry for name in _NAMES for entry in _read(directory / name, number)]
    return _latest(found, number)


def _latest(entries: list[Entry], number: int) -> list[Entry]:
    entries.sort(key=lambda entry: entry.at)
    return entries[max(0, len(entries) - number) :]


def _any(_: Entry) -> bool:
    return True


def _read(newest: Path, number: int) -> list[Entry]:
    lines: list[bytes] = []
    for path in (newest, *_older(newest)):
        if len(lines) < number:
            with suppress(FileNotFoundError):
                lines = path.read_bytes().splitlines() + lines
    return [*_entries(lines[max(0, len(lines) - number) :])]


def _entries(lines: list[bytes]) -> Iterator[Entry]:
    for line in lines:
        with suppress(ValueError, TypeError, LookupError, AttributeError):  # one that was cut off
            told = json.loads(line)
            values = {
                str(key): value
                if isinstance(value, str)
                else (str(value["old"]), str(value["new"]))
                for key, value in told.pop("values").items()
            }
            yield Entry(**told, values=values)


def _append(path: Path, line: bytes) -> None:
    with suppress(FileNotFoundError):
        if path.stat().st_size + len(line) > MAX_FILE:
            for newer, older in reversed([*_pairs(path)]):
                with suppress(FileNotFoundError):
                    os.replace(newer, older)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(line)


def _older(path: Path) -> list[Path]:
    return [path.with_name(f"{path.name}.{number}") for number in range(1, FILES)]


def _pairs(path: Path) -> Iterator[tuple[Path, Path]]:
    older = _older(path)
    return zip([path, *older[:-1]], older, strict=True)


def _short(text: str) -> str:
    return safe(text, MAX_FIELD)
