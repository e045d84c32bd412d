"""Passwords that are checked by a bind: what reaches the directory, and what its answer means."""

from __future__ import annotations

import secrets
from contextlib import suppress
from re import search
from stringprep import in_table_b1

from callbridged.backends import AccountRefused
from callbridged.backends.ldap.account_state import DISABLED, EXPIRED
from callbridged.backends.ldap.interface import PolicyError, Result, ResultCode
from callbridged.scram_keys import normal_password

#: "Wrong", in whatever words, of a directory that has looked.
_WRONG = (
    ResultCode.INVALID_CREDENTIALS,
    ResultCode.INAPPROPRIATE_AUTHENTICATION,  # the entry has no password
    ResultCode.NO_SUCH_OBJECT,
)

#: What the password policy control says. OpenLDAP tells that a password has expired to who knows
#: it, and that an account is locked to everybody, if it is told to (ppolicy_use_lockout).
_POLICY: dict[int, tuple[str, str]] = {
    PolicyError.PASSWORD_EXPIRED: (EXPIRED, "the password has expired"),
    PolicyError.ACCOUNT_LOCKED: (DISABLED, "the account is locked"),
    PolicyError.CHANGE_AFTER_RESET: (EXPIRED, "the password was reset, and has to be changed"),
}

#: "data 533" in Active Directory's words: Windows' error numbers, in hexadecimal. All but the last
#: are told to who knows the password, says Microsoft, and the last to everybody.
_WINDOWS = {
    "530": (DISABLED, "the account must not be used at this time of day"),
    "531": (DISABLED, "the account must not be used from this machine"),
    "532": (EXPIRED, "the password has expired"),
    "533": (DISABLED, "the account is disabled"),
    "701": (DISABLED, "the account has expired"),
    "773": (EXPIRED, "the password was reset, and has to be changed"),
    "775": (DISABLED, "the account is locked"),
}


def to_send(password: str) -> str | None:
    """Answer a password as it is sent, None for one that must not be.

    It is prepared as RFC 4511 section 4.2 asks for. One that cannot be prepared goes as it is: the
    directory may have taken it. An empty one would succeed without being looked at (RFC 4513
    section 5.1.2), and some servers stop at a NUL.
    """
    if all(in_table_b1(one) for one in password):  # preparation leaves nothing of it
        return None
    with suppress(ValueError):
        password = normal_password(password)
    return None if "\0" in password else password


def nobody(base: str) -> str:
    """Answer a DN that no entry has, for binds of users who do not exist."""
    return f"cn={secrets.token_hex(16)},{base}"


def says_right(result: Result) -> bool | None:
    """Answer whether the password is right, None where the directory has not looked.

    Raises AccountRefused where it is right, or the directory tells everybody, and the account must
    not be used.
    """
    refusal = _POLICY.get(result.policy) if result.policy is not None else None
    if result.code == ResultCode.INVALID_CREDENTIALS and refusal is None:
        found = search(r"\bdata ([0-9a-f]{3})\b", result.text)
        refusal = _WINDOWS.get(found[1]) if found else None
    if refusal is None and result.code == ResultCode.CONSTRAINT_VIOLATION:  # 389-ds
        refusal = (DISABLED, "the account is locked")
    if refusal is not None:
        raise AccountRefused(*refusal)
    if result.code == ResultCode.SUCCESS:
        return True
    return False if result.code in _WRONG else None
