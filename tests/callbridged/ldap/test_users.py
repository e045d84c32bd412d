"""Tests of callbridged.backends.ldap.users: what an entry says of its user."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from callbridged.backends import BrokenAccount
from callbridged.backends.ldap.users import fingerprint, localpart, scram_keys
from callbridged.scram_keys import ScramKeys
from callbridged.scram_text import format_keys
from tests.callbridged.ldap.directories import entry

SCHEME = "SCRAM-SHA-256"
KEYS = ScramKeys.derive(SCHEME, "wonderland", 4096, b"sixteen octets..")
TEXT = format_keys(SCHEME, KEYS)


class Localparts(SynchronousTestCase):
    """The name that an entry's user is let in as."""

    def broken(self, domain: str = "", **attributes: Any) -> str:
        return str(
            self.assertRaises(BrokenAccount, localpart, entry("x", **attributes), "uid", domain)
        )

    def test_normal_form(self) -> None:
        """Values that differ in case or normalisation only are one localpart."""
        for value in ("alíce", "ALÍCE", "Ali\u0301ce", "ＡＬÍＣＥ"):
            self.assertEqual(localpart(entry(value), "uid", ""), "alíce")

    def test_address(self) -> None:
        """Of an e-mail address it is the local part, where the domain is the right one."""
        for value in ("Alice@example.com", "alice@EXAMPLE.com"):
            self.assertEqual(localpart(entry(value), "uid", "example.com"), "alice")
        for value in ("alice@example.org", "alice", "alice@x.example.com"):
            self.assertIn("no address of example.com", self.broken("example.com", uid=value))
        self.assertIn("no localpart", self.broken("example.com", uid="a@b@example.com"))

    def test_broken(self) -> None:
        """No value, several, no text, and what can be no localpart are each called so."""
        for value, why in (
            (None, "not there"),
            (("alice", "bob"), "2 values"),
            (b"ali\xffce", "not UTF-8"),
            ("alice liddell", "no localpart"),
            ("alice@example.com", "no localpart"),
            ("", "no localpart"),
        ):
            said = self.broken(uid=value)
            self.assertIn("the attribute uid of uid=x,ou=people", said)
            self.assertIn(why, said)

    def test_one_line(self) -> None:
        """A DN cannot break out of its line in the log."""
        broken = entry("x", dn="uid=a\nb," + "x" * 999, uid=None)
        said = str(self.assertRaises(BrokenAccount, localpart, broken, "uid", ""))
        self.assertNotIn("\n", said)
        self.assertLess(len(said), 400)


class Keys(SynchronousTestCase):
    """SCRAM keys as RFC 5803 has them."""

    def broken(self, *values: str | bytes) -> str:
        user = entry("x", authPassword=values or None)
        said = str(self.assertRaises(BrokenAccount, scram_keys, user, "authPassword", SCHEME))
        self.assertIn("the attribute authPassword of uid=x,ou=people", said)
        return said

    def test_found(self) -> None:
        """The keys of the mechanism that is asked for, out of several values."""
        other = format_keys("SCRAM-SHA-1", ScramKeys.derive("SCRAM-SHA-1", "x", 4096))
        user = entry("x", authPassword=(other, f" {TEXT.replace('$', ' $ ')} ", "MD5$x$y", b"\xff"))
        self.assertEqual(scram_keys(user, "AuthPassword", SCHEME), KEYS)

    def test_broken(self) -> None:
        """No keys, two of a kind, and those that are damaged are each called so; none is shown."""
        self.assertIn("0 values", self.broken())
        self.assertIn("2 values", self.broken(TEXT, TEXT + " "))
        for damaged in (TEXT[:-9], TEXT.replace("4096", "1"), f"{SCHEME}$nonsense", TEXT + "x"):
            said = self.broken(damaged)
            self.assertIn(f"its value for {SCHEME}: ", said)
            self.assertNotIn(TEXT[30:50], said)


class Fingerprints(SynchronousTestCase):
    """What is another when the password is."""

    def test_changes(self) -> None:
        """It changes with the time of the password, and with the account; with nothing else."""
        usual = entry("x", pwdChangedTime="20260101000000Z")
        same = entry("x", pwdChangedTime="20260101000000Z", modifyTimestamp="20990101000000Z")
        self.assertEqual(fingerprint(usual), fingerprint(same))
        others = [
            usual,
            entry("x", pwdChangedTime="20260101000001Z"),
            entry("x", pwdChangedTime="20260101000000Z", entryUUID="another"),
            entry("x", pwdLastSet="133000000000000000"),
            entry("x"),
            entry("x", modifyTimestamp="20990101000000Z"),
            entry("x", entryUUID=None),
            entry("x", entryUUID=None, objectGUID=bytes(range(16))),
            entry("y", entryUUID=None),
        ]
        found = {fingerprint(one) for one in others}
        self.assertEqual(len(found), len(others))
        self.assertTrue(all(len(one) <= 64 for one in found))

    def test_no_time(self) -> None:
        """Where nothing tells when the password was changed there is none."""
        self.assertRaises(BrokenAccount, fingerprint, entry("x", modifyTimestamp=None))
