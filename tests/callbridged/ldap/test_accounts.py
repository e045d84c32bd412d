"""Tests of callbridged.backends.ldap.backend: SCRAM keys, and who is a user."""

from __future__ import annotations

from typing import Any

from zope.interface.verify import verifyObject

from callbridged.backends import BrokenAccount, IAccounts, IDecoySource, IUserBackend
from callbridged.scram_keys import ScramKeys
from callbridged.scram_text import format_keys
from tests.callbridged.ldap.directories import SERVICE, BackendCase

SCHEME = "SCRAM-SHA-256"
KEYS = ScramKeys.derive(SCHEME, "wonderland", 4096)


class Scram(BackendCase):
    """Keys out of the directory."""

    changes = {"scram_attribute": "authPassword", "mechanisms": frozenset({SCHEME, "PLAIN"})}

    def keys(self, name: str = "bob") -> Any:
        return self.outcome(self.backend.scram_keys(name, SCHEME))

    def add(self, **more: Any) -> None:
        self.directory.add("bob", "x", authPassword=format_keys(SCHEME, KEYS), **more)

    def test_keys(self) -> None:
        """A user has the keys in the directory; who does not exist has none."""
        self.add()
        keys = self.keys()
        self.assertTrue(keys.check(SCHEME, "wonderland"))
        self.assertEqual((keys.username, keys.refusal), ("bob", None))
        self.assertIsNone(self.keys("nobody"))
        self.assertEqual(self.asked("bind"), [SERVICE])

    def test_refusal(self) -> None:
        """An account that must not be used has keys all the same, and says why not afterwards."""
        self.add(pwdAccountLockedTime="20261125110000Z")
        self.assertEqual(self.keys().refusal, "account-disabled")

    def test_missing(self) -> None:
        """A user without keys is not heard as a wrong password."""
        broken = self.keys("alice")
        self.assertIsInstance(broken, BrokenAccount)
        self.assertIn("SCRAM-SHA-256 has 0 values there", str(broken))

    def test_decoys(self) -> None:
        """Who does not exist looks like most users."""
        source = IDecoySource(self.backend)
        self.assertEqual((source.iterations, source.decoy_key), (4096, None))


class Accounts(BackendCase):
    """Who is a user, without a password."""

    def fingerprint(self, name: str) -> Any:
        return self.outcome(IAccounts(self.backend).fingerprint(name))

    def test_accounts(self) -> None:
        """Users have fingerprints; who is disabled, or has to change the password, has none."""
        self.directory.add("bob", "x", userAccountControl=514)
        self.directory.add("carol", "x", pwdReset="TRUE")
        self.assertIsInstance(self.fingerprint("alice"), bytes)
        for name in ("bob", "carol", "nobody"):
            self.assertIsNone(self.fingerprint(name))

    def test_interfaces(self) -> None:
        """It is what the interfaces say."""
        for interface in (IUserBackend, IAccounts, IDecoySource):
            verifyObject(interface, self.backend)
