"""Tests for `callbridged.backends.users_file` and `callbridged.scram_keys`."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from callbridged.backends.users_file import parse, put
from callbridged.scram_keys import ITERATIONS, SCHEMES, Decoys, ScramKeys

KEYS = ScramKeys.derive("SCRAM-SHA-256", "wonderland", 4096, b"s" * 16)
#: RFC 7677 section 3: user "user", password "pencil".
RFC_7677 = (
    b"user:SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
    b"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=\n"
)


class Keys(SynchronousTestCase):
    """`ScramKeys` and `Decoys`."""

    def test_foreign(self) -> None:
        """Keys are those of the RFC's example, and so of other servers."""
        keys = parse(RFC_7677).keys["user"]["SCRAM-SHA-256"]
        self.assertTrue(keys.check("SCRAM-SHA-256", "pencil"))
        self.assertEqual(ScramKeys.derive("SCRAM-SHA-256", "pencil", 4096, keys.salt), keys)

    def test_check(self) -> None:
        """The right password is right, in any form of the same characters."""
        keys = ScramKeys.derive("SCRAM-SHA-256", "k\u00e4se\u00a0x", 4096)
        self.assertTrue(keys.check("SCRAM-SHA-256", "ka\u0308se x"))
        for wrong in ("", "kase x", "k\u00e4se  x", "\x00", "\U0001f600"):
            self.assertFalse(keys.check("SCRAM-SHA-256", wrong), wrong)

    def test_salted(self) -> None:
        """The same password has other keys each time."""
        first = ScramKeys.derive("SCRAM-SHA-256", "wonderland", 4096)
        self.assertEqual((len(first.salt), first.iterations), (16, 4096))
        self.assertNotEqual(first, ScramKeys.derive("SCRAM-SHA-256", "wonderland", 4096))

    def test_no_password(self) -> None:
        """What cannot be a password is a ValueError that says why."""
        for password in ("", "\u00ad", "a\x00", "\U0001f600", "\ud800"):
            self.assertRaises(ValueError, ScramKeys.derive, "SCRAM-SHA-256", password)
        self.assertRaises(ValueError, ScramKeys.derive, "SCRAM-SHA-256", "x", 4095)

    def test_secret(self) -> None:
        """Keys are in no log by accident."""
        self.assertNotIn("stored_key", repr(KEYS))

    def test_decoys(self) -> None:
        """A decoy looks like keys, stays the same, and is nobody's."""
        for scheme in SCHEMES:
            decoys = Decoys(b"k" * 32)
            keys = decoys.keys("bob", scheme, ITERATIONS)
            keys.check_form(scheme)
            self.assertEqual(keys, Decoys(b"k" * 32).keys("bob", scheme, ITERATIONS))
            self.assertNotEqual(keys.salt, decoys.keys("carol", scheme, ITERATIONS).salt)
            self.assertFalse(keys.check(scheme, "wonderland"))


class Parsing(SynchronousTestCase):
    """Reading a users file."""

    def test_several(self) -> None:
        """A user may have keys for several mechanisms; comments and empty lines are nothing."""
        sha1 = ScramKeys.derive("SCRAM-SHA-1", "x", 4096)
        both = {"SCRAM-SHA-256": KEYS, "SCRAM-SHA-1": sha1}
        content = put(b"# ours\r\n\r\n", "alice", both)
        users = parse(content + b"  \n" + RFC_7677.replace(b"\n", b"\r\n"))
        self.assertEqual(users.faults, ())
        self.assertEqual(users.keys["alice"], both)
        self.assertEqual(list(users.keys), ["alice", "user"])

    def test_broken(self) -> None:
        """Each broken line is a fault with its number, and the other lines count."""
        good = RFC_7677.strip()
        keys = good.partition(b":")[2]
        broken = [
            b"nobody",
            b"nobody:",
            b":x",
            b"a b:" + keys,
            b"\xff:" + keys,
            b"n:" + keys.replace(b"4096", b"4095"),
            b"n:" + keys.replace(b"4096", b"99999999"),
            b"n:" + keys.replace(b"SHA-256", b"SHA-3"),
            b"n:" + keys.replace(b"SHA-256", b"SHA-1"),
            b"n:" + keys.replace(b"W22ZaJ0SNY7soEsUEjb6gQ==", b"W22Z"),
            b"n:" + keys.replace(b"W22Z", b"W2?Z"),
            b"n:" + keys[:-4],
            good,
            b":decoys eA==",
        ]
        users = parse(good + b"\n" + b"\n".join(broken) + b"\nlast:" + keys)
        self.assertEqual(list(users.keys), ["user", "last"])
        self.assertEqual([fault.line for fault in users.faults], list(range(2, len(broken) + 2)))
        self.assertEqual(users.broken, {"n", "nobody"})
        self.assertIn("line 2: there are no keys", str(users.faults[0]))

    def test_iterations(self) -> None:
        """Users who do not exist have as many iterations as most of those who do."""
        self.assertEqual(parse(b"").iterations(), ITERATIONS)
        self.assertEqual(parse(RFC_7677).iterations(), 4096)

    @given(st.binary() | st.text(":$= \n#ABCab123-").map(str.encode))
    def test_anything(self, content: bytes) -> None:
        """Nothing in a file is worse than a fault."""
        users = parse(content)
        self.assertLessEqual(len(users.faults), content.count(b"\n") + 1)
        put(content, "alice", {"SCRAM-SHA-256": KEYS})


class Putting(SynchronousTestCase):
    """Changing a users file."""

    CONTENT = b"# first\n" + RFC_7677 + b"broken\n# last"

    def test_add(self) -> None:
        """A new user is at the end, and all else stays as it was, broken lines too."""
        changed = put(self.CONTENT, "alice", {"SCRAM-SHA-256": KEYS})
        self.assertTrue(changed.startswith(b":decoys "))
        self.assertIn(self.CONTENT + b"\nalice:SCRAM-SHA-256$4096:", changed)
        self.assertEqual(parse(changed).keys["alice"], {"SCRAM-SHA-256": KEYS})

    def test_change(self) -> None:
        """Changed keys stand in the place of the old ones; a broken line is mended."""
        for name in ("user", "broken"):
            before = put(self.CONTENT, "x", None).split(b"\n")
            after = put(b"\n".join(before), name, {"SCRAM-SHA-256": KEYS}).split(b"\n")
            different = [old for old, new in zip(before, after, strict=True) if old != new]
            self.assertEqual(len(different), 1)
            self.assertTrue(different[0].startswith(name.encode()))

    def test_remove(self) -> None:
        """A user who is removed is gone, in whatever form the name was written."""
        changed = put(b"User :x\n" + self.CONTENT, "user", None)
        self.assertNotRegex(changed, b"(?im)^user")
        self.assertIn(b"# first\nbroken\n# last\n", changed)

    def test_decoy_key(self) -> None:
        """The first change makes a key for decoys, and no later one another."""
        first = put(b"", "alice", {"SCRAM-SHA-256": KEYS})
        key = parse(first).decoy_key
        assert key is not None
        self.assertEqual(len(key), hashlib.sha256().digest_size)
        second = put(first, "alice", None)
        self.assertEqual(parse(second).decoy_key, key)
