"""The administrators' file: one account a line, with its role and the hash of its password.

::

    alice:admin:$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHRzYWx0c2Fs$aGFzaGhhc2hoYXNo...
    wallboard:viewer:$argon2id$...

Lines that are empty or begin with ``#`` are comments. What hashes there may be: RFC 9106.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from bridgewire.username import parse_username
from callbridged.backends.sql.hashes import USUAL_ARGON2, Argon2Hash, parse_hash
from callbridged.backends.users_file import Fault
from callbridged.web.access import Role

#: Octets of a file that is read; some 300 accounts.
MAX_FILE = 64 * 1024
#: Octets that one hash may take.
MAX_MEMORY = 1024 * 1024 * 1024
#: Letters of a name.
MAX_NAME = 64


@dataclass(frozen=True)
class Account:
    """Who may sign in."""

    name: str
    role: Role
    hash: Argon2Hash = field(repr=False)

    @property
    def mark(self) -> bytes:
        """Another one where the password or the role is."""
        return hashlib.sha256(f"{self.role}:{self.hash.text}".encode()).digest()

    @property
    def is_weak(self) -> bool:
        """True where the hash was made otherwise than it would be today."""
        return self.hash.decoy() != USUAL_ARGON2


@dataclass(frozen=True)
class Admins:
    """What a file says."""

    accounts: Mapping[str, Account] = field(default_factory=dict)
    faults: Sequence[Fault] = ()


def parse_name(text: str) -> str:
    """Answer a name in its normal form. Raises ValueError with a sentence."""
    if len(text) > MAX_NAME:
        raise ValueError(f"a name has at most {MAX_NAME} letters.")
    try:
        return parse_username(text)
    except ValueError:
        raise ValueError(
            "a name is one word without any of \"&'/:<>@ and control characters."
        ) from None


def parse_role(text: str) -> Role:
    """Answer a role. Raises ValueError with a sentence."""
    for role in get_args(Role):
        if text == role:
            return role  # type: ignore[no-any-return]
    raise ValueError("the role is neither admin nor viewer.")


def parse(content: bytes) -> Admins:
    """Read a file's content. A line that is broken is a fault and nothing worse."""
    accounts: dict[str, Account] = {}
    faults = []
    for number, raw in enumerate(content.split(b"\n"), start=1):
        name = None
        try:
            line = raw.decode("utf-8").strip()
            if line and not line.startswith("#"):
                name = parse_name(line.partition(":")[0].strip())
                if name in accounts:
                    raise ValueError(f"{name} is there already; the first line counts.")
                accounts[name] = _account(name, line)
        except UnicodeDecodeError:
            faults.append(Fault(number, "this is not UTF-8 text."))
        except ValueError as error:
            faults.append(Fault(number, str(error), name))
    return Admins(accounts, tuple(faults))


def put(content: bytes, name: str, account: Account | None) -> bytes:
    """Answer the content with this account in the place of any of that name; None: with none.

    Every other line stays as it is.
    """
    new = [] if account is None else [f"{name}:{account.role}:{account.hash.text}".encode()]
    result = []
    for line in content.removesuffix(b"\n").split(b"\n") if content else []:
        if _name(line) != name:
            result.append(line)
        elif new:
            result.append(new.pop())
    return b"".join(line + b"\n" for line in result + new)


def _account(name: str, line: str) -> Account:
    parts = line.split(":", 2)
    if len(parts) != 3:
        raise ValueError(f"this is not NAME:ROLE:HASH. Run callbridgectl admin passwd {name}.")
    role = parse_role(parts[1].strip())
    try:
        hashed = parse_hash(parts[2].strip(), MAX_MEMORY)
    except ValueError:
        hashed = None
    if not isinstance(hashed, Argon2Hash) or not hashed.text.startswith("$argon2id$"):
        raise ValueError(
            f"the hash of {name} is no argon2id hash that can be used. Run callbridgectl admin "
            f"passwd {name}."
        )
    return Account(name, role, hashed)


def _name(line: bytes) -> str | None:
    if line.lstrip().startswith(b"#"):
        return None
    try:
        return parse_name(line.partition(b":")[0].decode("utf-8").strip())
    except ValueError:
        return None
