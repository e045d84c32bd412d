"""Rows as a database answers them, and getters for their values that say what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from callbridged.scram_text import parse_base64

#: Rows of one user that are read: some for each mechanism.
MAX_ROWS = 16
#: Characters or octets of a value; hashes and keys are shorter.
MAX_LENGTH = 1024

T = TypeVar("T", str, bytes)


@dataclass(frozen=True)
class Rows:
    """What a query answers: up to one row more than `MAX_ROWS`, which shows that there are more.

    With no rows, nobody may know the ``columns`` either.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]] = field(repr=False)


class WrongValue(Exception):
    """A value that makes no sense: ``column: sentence``, without the value."""

    def __init__(self, column: str, sentence: str) -> None:
        super().__init__(f"{column}: {sentence}")


class Row:
    """One row. Each getter raises WrongValue."""

    def __init__(self, names: Sequence[str], values: Sequence[object]) -> None:
        """``names``: of the columns; those that are empty are left out."""
        self._values = {name: value for name, value in zip(names, values, strict=True) if name}

    def named(self, prefix: str) -> Iterable[str]:
        """Answer the columns whose names begin so."""
        return (name for name in self._values if name.startswith(prefix))

    def has(self, column: str) -> bool:
        """True where there is such a column, and it is not NULL."""
        return self._values.get(column) is not None

    def text(self, column: str) -> str:
        """Answer text, without the spaces that CHAR(n) fills up with; empty for NULL."""
        value = self._values.get(column)
        if value is None:
            return ""
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if not isinstance(value, str):
            raise WrongValue(column, f"it is {type(value).__name__}, and not text.")
        return _bounded(column, value).strip()

    def octets(self, column: str) -> bytes:
        """Answer octets, which may be written as base64; none for NULL."""
        value = self._values.get(column)
        if isinstance(value, bytes):
            return _bounded(column, value)
        try:
            return parse_base64(self.text(column))
        except ValueError as error:
            raise WrongValue(column, str(error)) from None

    def integer(self, column: str) -> int:
        """Answer a whole number; NULL is none."""
        value = self._values.get(column)
        if not isinstance(value, int) or isinstance(value, bool):
            raise WrongValue(column, f"it is {type(value).__name__}, and no integer.")
        return value

    def boolean(self, column: str) -> bool:
        """Answer a boolean, which SQLite has as 0 and 1; False for NULL."""
        value = self._values.get(column)
        if value is None:
            return False
        if not isinstance(value, int) or value not in (0, 1):
            raise WrongValue(column, f"it is {type(value).__name__}, and no boolean.")
        return bool(value)


def _bounded(column: str, value: T) -> T:
    if len(value) > MAX_LENGTH:
        raise WrongValue(column, f"it is longer than {MAX_LENGTH}.")
    return value
