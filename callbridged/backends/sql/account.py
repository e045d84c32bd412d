"""What the rows of one user say: keys, hashes, and whether the account may be used.

A row that makes no sense is never a wrong password: it is a fault that names the column.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bridgewire.steps import Reason
from callbridged.backends import BrokenAccount, unavailable
from callbridged.backends.sql.hashes import Checkable, ScramSecret, parse_hash
from callbridged.backends.sql.rows import MAX_ROWS, Row, Rows, WrongValue
from callbridged.scram_keys import OCTETS, SCHEMES, ScramKeys
from callbridged.scram_text import format_keys, parse_keys

#: Columns whose names begin so have SCRAM keys as text.
_SCRAM = "scram"
#: SCRAM keys of one mechanism, in their parts.
_PARTS = ("salt", "iterations", "stored_key", "server_key")
_HASH = "password_hash"
_REFUSALS = {"disabled": "account-disabled", "expired": "credentials-expired"}
_USERNAME = "username"


@dataclass(frozen=True)
class Account:
    """One user.

    ``scram``: mechanism -> keys, with ``username`` and ``refusal`` in them. ``checkable``: what
    passwords are checked against, if there is something. ``username``: the localpart, where it is
    not the one that was asked for. ``refusal``: the SASL condition that the user is told after a
    right password.
    """

    scram: Mapping[str, ScramKeys]
    password_hash: str = field(repr=False)
    checkable: Checkable | None
    username: str | None
    refusal: str | None

    def fingerprint(self) -> bytes:
        """Answer a hash over all that is kept of the password."""
        kept = [format_keys(mechanism, keys) for mechanism, keys in sorted(self.scram.items())]
        return hashlib.sha256("\0".join([*kept, self.password_hash]).encode()).digest()


def read_account(asked: str, found: Rows, max_memory: int) -> Account | None:
    """Answer the account of user ``asked``; None: there is no row.

    ``max_memory``: octets that a hash may take. Raises BackendUnavailable where the columns are not
    those that a password can be checked by, and BrokenAccount where a value makes no sense.
    """
    if not found.rows and not found.columns:
        return None
    names = _meaningful(found.columns)
    if len(found.rows) > MAX_ROWS:
        raise unavailable(
            Reason.PROTOCOL_ERROR,
            f"the query answers more than {MAX_ROWS} rows for one user.",
            "Correct query.",
        )
    if not found.rows:
        return None
    try:
        return _read([Row(names, row) for row in found.rows], asked, max_memory)
    except WrongValue as fault:
        text = f"what the query answers for {asked!r:.80} cannot be used, column {fault}"
        raise BrokenAccount(f"{Reason.PROTOCOL_ERROR}: {text}") from None


def _meaningful(columns: Sequence[str]) -> list[str]:
    """Answer the names of the columns, "" for those that mean nothing."""
    known = {*_PARTS, _HASH, *_REFUSALS, _USERNAME}
    lower = [name.lower() for name in columns]
    names = [name if name in known or name.startswith(_SCRAM) else "" for name in lower]
    there = [name for name in names if name]
    parts = [name for name in _PARTS if name in there]
    twice = next((name for name in there if there.count(name) > 1), None)
    if twice is not None:
        problem = f"the column {twice} is there twice"
    elif parts and len(parts) < len(_PARTS):
        missing = ", ".join(name for name in _PARTS if name not in there)
        problem = f"beside the column {parts[0]} these are missing: {missing}"
    elif not parts and not any(name == _HASH or name.startswith(_SCRAM) for name in there):
        problem = f"there is no column {_SCRAM} or {_HASH}, and not {', '.join(_PARTS)}"
    else:
        return names
    shown = ", ".join(lower[:20])
    text = f"{problem}, in what the query answers ({shown:.200})."
    raise unavailable(Reason.PROTOCOL_ERROR, text, "Correct query.")


def _read(rows: Sequence[Row], asked: str, max_memory: int) -> Account:
    scram: dict[str, ScramKeys] = {}
    for row in rows:
        for column, mechanism, keys in _keys_of(row):
            if scram.setdefault(mechanism, keys) != keys:
                raise WrongValue(column, f"there are two {mechanism} keys. Is it two users?")
    text = _only_one(_HASH, {row.text(_HASH) for row in rows} - {""})
    name = _only_one(_USERNAME, {_name_of(row, asked) for row in rows})
    refused = [what for row in rows for what in _REFUSALS if row.boolean(what)]
    refusal = next((_REFUSALS[what] for what in _REFUSALS if what in refused), None)
    username = None if name == asked else name
    return Account(
        {
            mechanism: replace(keys, username=username, refusal=refusal)
            for mechanism, keys in scram.items()
        },
        text,
        _checkable(text, scram, max_memory),
        username,
        refusal,
    )


def _only_one(column: str, values: set[str]) -> str:
    """Answer it, or the empty text."""
    if len(values) > 1:
        raise WrongValue(column, "there are different ones. Is it two users?")
    return next(iter(values), "")


def _name_of(row: Row, asked: str) -> str:
    if not row.has(_USERNAME):
        return asked
    name = row.text(_USERNAME)
    if not name:
        raise WrongValue(_USERNAME, "it is empty.")
    return name


def _checkable(text: str, scram: Mapping[str, ScramKeys], max_memory: int) -> Checkable | None:
    if text:
        try:
            return parse_hash(text, max_memory)
        except ValueError as error:
            raise WrongValue(_HASH, str(error)) from None
    first = next((one for one in SCHEMES if one in scram), None)
    return None if first is None else ScramSecret(first, scram[first])


def _keys_of(row: Row) -> Iterator[tuple[str, str, ScramKeys]]:
    """Answer column, mechanism and keys for all that are there."""
    for column in row.named(_SCRAM):
        text = row.text(column)
        if text:
            try:
                mechanism, keys = parse_keys(text)
            except ValueError as error:
                raise WrongValue(column, str(error)) from None
            yield column, mechanism, keys
    if any(row.has(part) for part in _PARTS):
        yield "stored_key", *_join_parts(row)


def _join_parts(row: Row) -> tuple[str, ScramKeys]:
    """Answer the keys, and the mechanism that has keys of that length."""
    keys = ScramKeys(
        row.octets("salt"),
        row.integer("iterations"),
        row.octets("stored_key"),
        row.octets("server_key"),
    )
    mechanism = next((one for one in SCHEMES if OCTETS[one] == len(keys.stored_key)), None)
    if mechanism is None:
        raise WrongValue("stored_key", f"no mechanism has keys of {len(keys.stored_key)} octets.")
    try:
        keys.check_form(mechanism)
    except ValueError as error:
        raise WrongValue(", ".join(_PARTS), str(error)) from None
    return mechanism, keys
