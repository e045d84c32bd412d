"""Whether an account may be used, by what is in its entry.

What the directory itself enforces at a bind is in `bindings`. This is for attributes that it leaves
to others, and for logins without a bind.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from callbridged.backends import AccountRefused
from callbridged.backends.ldap.interface import Entry

#: What is read. Password policies of OpenLDAP and others (draft-behera), 389-ds, Active Directory,
#: POSIX accounts (RFC 2307).
ATTRIBUTES = (
    "pwdAccountLockedTime",
    "pwdReset",
    "nsAccountLock",
    "userAccountControl",
    "accountExpires",
    "pwdLastSet",
    "shadowExpire",
)

DISABLED = "account-disabled"
EXPIRED = "credentials-expired"

#: Of pwdAccountLockedTime: locked by an administrator, for good.
_FOR_GOOD = "000001010000Z"
#: Of userAccountControl.
_ACCOUNTDISABLE = 0x2
#: Of accountExpires, which counts 100 nanoseconds since 1601 (UTC): what stands for never.
_NEVER = (0, 0x7FFFFFFFFFFFFFFF)
_FILETIME_BEGINS = datetime(1601, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Refusal:
    """Why an account must not be used. ``condition``: of RFC 6120 section 6.5."""

    condition: str
    text: str

    def to_exception(self) -> AccountRefused:
        return AccountRefused(self.condition, self.text)


def refusal_of(entry: Entry, now: datetime, *, bound: bool) -> Refusal | None:
    """Answer why the entry's user must not be let in, if so.

    ``now`` is aware. ``bound``: the user has just bound with the right password, so what locks the
    account for a time does not lock it now. Raises BrokenAccount.
    """
    locked = entry.text("pwdAccountLockedTime")
    if locked is not None and (not bound or locked == _FOR_GOOD):
        return Refusal(DISABLED, "the account is locked (pwdAccountLockedTime)")
    if (entry.text("nsAccountLock") or "").lower() == "true":
        return Refusal(DISABLED, "the account is disabled (nsAccountLock)")
    if (entry.number("userAccountControl") or 0) & _ACCOUNTDISABLE:
        return Refusal(DISABLED, "the account is disabled (userAccountControl)")
    expires = entry.number("accountExpires")
    if expires is not None and expires not in _NEVER and now >= _from_filetime(expires):
        return Refusal(DISABLED, "the account has expired (accountExpires)")
    days = entry.number("shadowExpire")
    if days is not None and days >= 0 and now.timestamp() >= days * 86400:
        return Refusal(DISABLED, "the account has expired (shadowExpire)")
    if (entry.text("pwdReset") or "").lower() == "true":
        return Refusal(EXPIRED, "the password was reset, and has to be changed (pwdReset)")
    if entry.number("pwdLastSet") == 0:
        return Refusal(EXPIRED, "the password has to be changed (pwdLastSet)")
    return None


def _from_filetime(value: int) -> datetime:
    try:
        return _FILETIME_BEGINS + timedelta(microseconds=value // 10)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
