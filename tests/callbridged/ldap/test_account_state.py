"""Tests of callbridged.backends.ldap.account_state: may an account be used."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from callbridged.backends import BrokenAccount
from callbridged.backends.ldap.account_state import refusal_of
from tests.callbridged.ldap.directories import NOW, entry

DISABLED, EXPIRED = "account-disabled", "credentials-expired"
#: Days, and 100 nanoseconds since 1601: an hour before and after.
TODAY = int(NOW.timestamp()) // 86400
FILETIME = int((NOW.timestamp() + 11644473600) * 10**7)
HOUR = 3600 * 10**7


class States(SynchronousTestCase):
    """What an entry says."""

    def condition(self, bound: bool = False, **attributes: Any) -> str | None:
        refusal = refusal_of(entry("alice", **attributes), NOW, bound=bound)
        return refusal.condition if refusal else None

    def test_usual(self) -> None:
        """Without any of the attributes, and with those of a normal account, nothing is wrong."""
        self.assertIsNone(self.condition())
        self.assertIsNone(
            self.condition(
                nsAccountLock="false",
                userAccountControl=512,
                accountExpires=0x7FFFFFFFFFFFFFFF,
                pwdLastSet=FILETIME,
                shadowExpire=-1,
                pwdReset="FALSE",
            )
        )
        self.assertIsNone(self.condition(accountExpires=0))

    def test_refused(self) -> None:
        """Each directory has its own way to say that an account is disabled or has run out."""
        for name, value, condition in (
            ("nsAccountLock", "TRUE", DISABLED),
            ("userAccountControl", 514, DISABLED),
            ("accountExpires", FILETIME - HOUR, DISABLED),
            ("shadowExpire", TODAY, DISABLED),
            ("shadowExpire", 0, DISABLED),
            ("pwdAccountLockedTime", "000001010000Z", DISABLED),
            ("pwdReset", "TRUE", EXPIRED),
            ("pwdLastSet", 0, EXPIRED),
        ):
            for bound in (True, False):
                self.assertEqual(self.condition(bound, **{name: value}), condition, name)

    def test_not_yet(self) -> None:
        """What runs out later does not count."""
        self.assertIsNone(self.condition(accountExpires=FILETIME + HOUR))
        self.assertIsNone(self.condition(accountExpires=2**62))
        self.assertIsNone(self.condition(shadowExpire=TODAY + 1))

    def test_locked_for_a_time(self) -> None:
        """A lock by failures counts, unless the directory has just taken the password."""
        locked = (NOW - timedelta(hours=1)).strftime("%Y%m%d%H%M%SZ")
        self.assertEqual(self.condition(pwdAccountLockedTime=locked), DISABLED)
        self.assertIsNone(self.condition(True, pwdAccountLockedTime=locked))

    def test_broken(self) -> None:
        """A value that cannot be read is no answer, and the log can tell which it is."""
        for name, value in (
            ("userAccountControl", "normal"),
            ("shadowExpire", ("1", "2")),
            ("nsAccountLock", b"\xff"),
            ("accountExpires", ""),
            ("pwdLastSet", "9" * 30),
        ):
            broken = self.assertRaises(BrokenAccount, self.condition, **{name: value})
            self.assertIn(f"{name} of uid=alice,ou=people", str(broken))
