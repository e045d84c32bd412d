"""The users file: one user a line, with SCRAM keys in the form of RFC 5803.

::

    :decoys dGhpcnR5IHR3byBvY3RldHMsIG5vYm9keSdzIGJ1c2luZXNz
    alice:SCRAM-SHA-256$10000:c2FsdC4uLi4uLi4uLi4=$c3RvcmVk...:c2VydmVy...
    bob:SCRAM-SHA-256$10000:...$...:... SCRAM-SHA-1$10000:...$...:...

A user's keys for several mechanisms stand in one line with spaces between. Lines that are empty or
begin with ``#`` are comments. The line ``:decoys`` holds no user, but the secret that makes salts
for users who do not exist: copied with the file, it makes all Call Bridges answer alike.
"""

from __future__ import annotations

import base64
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from bridgewire.username import parse_username
from callbridged.scram_keys import ITERATIONS, SCHEMES, ScramKeys
from callbridged.scram_text import format_keys, parse_base64, parse_keys

#: Octets of a file that is read; some 500,000 users.
MAX_FILE = 64 * 1024 * 1024

_DECOYS = ":decoys"
_DECOY_OCTETS = 32


@dataclass(frozen=True)
class Fault:
    """A line that cannot be used. ``user`` is whom it was about, where that much is readable."""

    line: int
    text: str
    user: str | None = None

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


@dataclass(frozen=True)
class Users:
    """What a file says. ``keys``: user name -> mechanism -> keys."""

    keys: Mapping[str, Mapping[str, ScramKeys]] = field(default_factory=dict)
    decoy_key: bytes | None = None
    faults: Sequence[Fault] = ()

    @property
    def broken(self) -> frozenset[str]:
        """Users who are in the file, but not readably so."""
        return frozenset(fault.user for fault in self.faults if fault.user) - self.keys.keys()

    @cached_property
    def missing(self) -> Mapping[str, int]:
        """How many users have no keys for a mechanism, for each one where that is so."""
        have = Counter(scheme for one in self.keys.values() for scheme in one)
        return {
            scheme: len(self.keys) - have[scheme]
            for scheme in SCHEMES
            if have[scheme] < len(self.keys)
        }

    def mechanisms(self) -> frozenset[str]:
        """What all users can log in by; of the SCRAM mechanisms at least the most usual one."""
        missing = self.missing
        best = min(SCHEMES, key=lambda scheme: missing.get(scheme, 0))
        return frozenset({"PLAIN", best, *(one for one in SCHEMES if one not in missing)})

    def checked_first(self) -> str:
        """The mechanism whose keys check the passwords of most users."""
        counts = Counter(next(iter(_in_order(one))) for one in self.keys.values() if one)
        return counts.most_common(1)[0][0] if counts else SCHEMES[0]

    def iterations(self) -> int:
        """What most users have."""
        counts = Counter(keys.iterations for one in self.keys.values() for keys in one.values())
        return counts.most_common(1)[0][0] if counts else ITERATIONS


def parse(content: bytes) -> Users:
    """Read a file's content. A line that is broken is a fault and nothing worse."""
    keys: dict[str, Mapping[str, ScramKeys]] = {}
    decoy_key = None
    faults = []
    for number, raw in enumerate(content.split(b"\n"), start=1):
        user = None
        try:
            line = raw.decode("utf-8").strip()
            if line.startswith(_DECOYS):
                decoy_key = _decoy_key(line.removeprefix(_DECOYS).strip())
            elif line and not line.startswith("#"):
                name, _, values = line.partition(":")
                user = parse_username(name.strip())
                if user in keys:
                    raise ValueError(f"{user} is there already; the first line counts.")
                keys[user] = dict(parse_keys(value) for value in _values(values))
        except UnicodeDecodeError:
            faults.append(Fault(number, "this is not UTF-8 text.", user))
        except ValueError as error:
            faults.append(Fault(number, str(error), user))
    return Users(keys, decoy_key, tuple(faults))


def put(content: bytes, user: str, keys: Mapping[str, ScramKeys] | None) -> bytes:
    """Answer the content with these keys for ``user``, in the place of any before; None: none.

    Every other line stays as it is. A decoy key is made where there is none.
    """
    lines = content.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    new = [] if keys is None else [_format(user, keys).encode()]
    result = []
    for line in lines:
        if _name(line) != user:
            result.append(line)
        elif new:
            result.append(new.pop())
    if not any(line.strip().startswith(_DECOYS.encode()) for line in result):
        key = base64.b64encode(secrets.token_bytes(_DECOY_OCTETS))
        result.insert(0, _DECOYS.encode() + b" " + key)
    return b"".join(line + b"\n" for line in result + new)


def _in_order(keys: Mapping[str, ScramKeys]) -> Iterator[str]:
    return (scheme for scheme in SCHEMES if scheme in keys)


def _format(user: str, keys: Mapping[str, ScramKeys]) -> str:
    return f"{user}:" + " ".join(format_keys(mechanism, one) for mechanism, one in keys.items())


def _name(line: bytes) -> str | None:
    if line.lstrip().startswith(b"#"):
        return None
    try:
        return parse_username(line.partition(b":")[0].decode("utf-8").strip())
    except ValueError:
        return None


def _decoy_key(text: str) -> bytes:
    key = parse_base64(text)
    if len(key) < _DECOY_OCTETS:
        raise ValueError(f"{_DECOYS} needs {_DECOY_OCTETS} octets. Remove the line.")
    return key


def _values(text: str) -> list[str]:
    values = text.split()
    if not values:
        raise ValueError("there are no keys after the name. Run callbridgectl user passwd.")
    return values
