"""Where a user's name stands in a search filter or in a DN, and how it is put there unharmed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

#: What stands for the name.
USERNAME = "{username}"
#: Characters of a filter or a DN in the configuration.
MAX_TEMPLATE = 1024


@dataclass(frozen=True)
class Template:
    """A text with `USERNAME` in it. ``escape`` makes a name harmless there."""

    text: str
    escape: Callable[[str], str] = field(repr=False)

    def __str__(self) -> str:
        return self.text

    def fill(self, username: str) -> str:
        """Answer the text with the name in it, taken literally whatever it has in it."""
        return self.text.replace(USERNAME, self.escape(username))


def escape_in_filter(value: str) -> str:
    r"""Answer an assertion value as a filter has it: ``*`` becomes ``\2a`` (RFC 4515 section 3)."""
    return "".join(f"\\{ord(one):02x}" if one in "*()\\\0" else one for one in value)


def escape_in_dn(value: str) -> str:
    r"""Answer an attribute value as a DN has it: ``,`` becomes ``\,`` (RFC 4514 section 2.4)."""
    last = len(value) - 1

    def escape(place: int, one: str) -> str:
        if one == "\0":
            return "\\00"
        edge = (one in " #" and place == 0) or (one == " " and place == last)
        return f"\\{one}" if edge or one in '"+,;<>=\\' else one

    return "".join(escape(place, one) for place, one in enumerate(value))


def parse_filter(text: str) -> Template:
    """Answer the filter that finds a user. Raises ValueError with a sentence."""
    _check(text, "(uid={username})")
    if not text.startswith("("):
        text = f"({text})"
    depth = 0
    for place, one in enumerate(text):
        depth += {"(": 1, ")": -1}.get(one, 0)
        if depth < 0 or (depth == 0 and place + 1 < len(text)):
            raise ValueError(f"{text!r} is more than one filter. Join them, like (&(...)(...)).")
    if depth:
        raise ValueError(f"{text!r} lacks a closing parenthesis.")
    return Template(text, escape_in_filter)


def parse_user_dn(text: str) -> Template:
    """Answer what makes a user's DN of the name. Raises ValueError with a sentence."""
    _check(text, "uid={username},ou=people,dc=example,dc=com")
    before, _, _ = text.partition(USERNAME)
    if not before.endswith("="):
        raise ValueError(
            f"{text!r} is no DN: {USERNAME} is the whole value of an attribute, like "
            "uid={username},ou=people,dc=example,dc=com. To find users by something else, use base "
            "and filter."
        )
    return Template(text, escape_in_dn)


def _check(text: str, example: str) -> None:
    if USERNAME not in text:
        raise ValueError(f"{USERNAME} is not in it, so it is the same for all. Write it {example}.")
    if len(text) > MAX_TEMPLATE or not text.isprintable():
        raise ValueError(f"it is longer than {MAX_TEMPLATE} characters, or is no plain text.")
