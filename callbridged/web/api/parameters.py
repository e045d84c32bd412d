"""Which parameters an object takes, and whether those that came are such. No I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callbridged.web.api.failures import (
    INVALID,
    MISSING,
    TOO_LONG,
    UNKNOWN,
    Reason,
    bad_request,
    parameter_error,
)

#: The highest number that a parameter may be.
MAX_NUMBER = 2**31 - 1

_BOOLEANS = {"true": True, "false": False}
#: Control characters, and halves of characters.
_NO_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class Text:
    """A line of text. ``longest``: in characters. ``empty``: may it be.

    ``check`` raises ValueError with a sentence for what cannot be used; it is not asked about an
    empty text.
    """

    name: str
    longest: int
    required: bool = False
    empty: bool = False
    check: Callable[[str], object] = str

    def read(self, value: Any) -> str:
        """Answer the value. Raises Wrong."""
        if not isinstance(value, str):
            raise Wrong(INVALID, "it is not text. Send text.")
        if len(value) > self.longest:
            raise Wrong(TOO_LONG, f"it has more than {self.longest} characters. Shorten it.")
        if _NO_TEXT.search(value):
            raise Wrong(INVALID, "it has control characters in it. Leave them out.")
        if not value and not self.empty:
            raise Wrong(INVALID, "it is empty. Send a value, or leave the parameter out.")
        if value:
            try:
                self.check(value)
            except ValueError as error:
                raise Wrong(INVALID, str(error)) from None
        return value


@dataclass(frozen=True)
class Boolean:
    """``true`` or ``false``: as a text in a form, as such in JSON."""

    name: str
    required: bool = False

    def read(self, value: Any) -> bool:
        """Answer the value. Raises Wrong."""
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value in _BOOLEANS:
            return _BOOLEANS[value]
        raise Wrong(INVALID, "it is neither true nor false. Send one of the two.")


@dataclass(frozen=True)
class Number:
    """A whole number from 0, out of a URL."""

    name: str
    required: bool = False

    def read(self, value: Any) -> int:
        """Answer the value. Raises Wrong."""
        text = str(value)
        if not re.fullmatch("[0-9]{1,10}", text) or int(text) > MAX_NUMBER:
            raise Wrong(INVALID, f"it is no number from 0 to {MAX_NUMBER}. Send one in digits.")
        return int(text)


class Wrong(ValueError):
    """A value that cannot be used. ``error``: what CMS would call it; the text is a sentence."""

    def __init__(self, error: str, text: str) -> None:
        super().__init__(text)
        self.error = error


Parameter = Text | Boolean | Number


def read(declared: Sequence[Parameter], sent: Mapping[str, Any]) -> dict[str, Any]:
    """Answer the values of the parameters that were sent, by their names.

    Raises:
        ApiFailure: 400, with every fault at once. Only a ``check`` may quote a value, which may be
            a secret elsewhere.
    """
    known = {one.name: one for one in declared}
    found: dict[str, Any] = {}
    faults: list[Reason] = []
    for name, value in sent.items():
        parameter = known.get(name)
        if parameter is None:
            there_are = ", ".join(known) or "none"
            said = f"there is no such parameter here. Leave it out; there are: {there_are}."
            faults.append(parameter_error(name, UNKNOWN, said))
            continue
        try:
            found[name] = parameter.read(value)
        except Wrong as wrong:
            faults.append(parameter_error(name, wrong.error, str(wrong)))
    for one in declared:
        if one.required and one.name not in sent:
            said = "it is needed. Send it."
            faults.append(parameter_error(one.name, MISSING, said))
    if faults:
        raise bad_request(*faults)
    return found
