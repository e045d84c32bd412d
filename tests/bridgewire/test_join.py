"""Tests of bridgewire.join and bridgewire.join_reading."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from bridgewire.issuing import certificate_pem, key_pem, make_authority, make_key
from bridgewire.join import JoinFile, Member
from bridgewire.join_reading import MAX_FILE, STDIN, JoinFault, load_join, parse

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
END = int(NOW.timestamp()) + 3600
PEM = certificate_pem(make_authority("Example CA", NOW).certificate).decode()
KEY = key_pem(make_key()).decode()
SECRET = "s3cret of cb1"

JOIN = JoinFile(
    "callbridge",
    "example.com",
    "xmpp1.example.com",
    5223,
    END,
    (Member("cb1", SECRET),),
    PEM,
    PEM,
    KEY,
)
SERVER = JoinFile(
    "server",
    "bücher.example",
    "xmpp2.example.com",
    443,
    END,
    (Member("cb1", SECRET, END), Member("cb2", "hünter 2")),
    PEM + PEM,
)
#: JSON of any kind, often with the keys that count.
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "secret", "expires", "x"]), inner, max_size=3)
    ),
    max_leaves=5,
)


def content(join: JoinFile, *gone: str, **others: Any) -> bytes:
    """A join file with some keys changed, and some gone."""
    whole = json.loads(join.text([])) | others
    return json.dumps({key: whole[key] for key in whole if key not in gone}).encode()


class ParseTests(SynchronousTestCase):
    """What is in a file."""

    def faults(self, data: bytes) -> tuple[str, ...]:
        return self.assertRaises(JoinFault, parse, data).faults

    def test_round_trip(self) -> None:
        """What was written is read, below a header for people."""
        for join in (JOIN, SERVER):
            text = join.text(["A join file.", "", "    run this"])
            self.assertTrue(text.startswith("# A join file.\n#\n#     run this\n{\n"))
            self.assertEqual(parse(text.encode()), join)

    def test_secrets_do_not_show(self) -> None:
        """Neither a secret nor a key is in what is shown of a join file, or of its faults."""
        faults = self.assertRaises(JoinFault, parse, content(JOIN, port=0, private_key=["x"]))
        for said in (repr(JOIN), str(faults), repr(faults)):
            self.assertNotIn(SECRET, said)
            self.assertNotIn("PRIVATE KEY", said)

    def test_every_fault(self) -> None:
        """All that is wrong is told at once."""
        faults = self.faults(
            content(JOIN, "domain", hostname="a b", port=True, expires="soon", more=1)
        )
        for place, word in enumerate(("'more'", "'domain'", "hostname", "port", "expires")):
            self.assertIn(word, faults[place])

    def test_faults(self) -> None:
        """Each part must be what it should be."""
        for other in (
            {"for": "everybody"},
            {"callbridges": []},
            {"callbridges": [{"name": "cb1", "secret": ""}]},
            {"callbridges": [{"name": "cb1", "secret": "a\nb"}]},
            {"callbridges": [{"name": "cb1", "secret": "x", "more": 1}]},
            {"callbridges": [{"name": "cb1.example.com", "secret": "x"}]},
            {"authorities": []},
            {"authorities": PEM},
            {"certificate": ["nonsense"]},
            {"private_key": PEM.splitlines()},
        ):
            self.assertEqual(len(self.faults(content(JOIN, **other))), 1, other)
        twice = [{"name": "cb1", "secret": "x"}] * 2
        self.assertIn("in it twice", self.faults(content(SERVER, callbridges=twice))[0])
        self.assertIn("come together", self.faults(content(JOIN, "private_key"))[0])

    def test_versions(self) -> None:
        """A file of a later version is told from one that is damaged."""
        self.assertIn("Install the same version", self.faults(content(JOIN, version=2))[0])
        cut, twice = content(JOIN)[:-9], b'{"version": 1, "version": 1}'
        for data in (b"", b"# only a header\n", b"{}", b"[1]", cut, twice):
            self.assertIn("Copy the file anew", self.faults(data)[0])
        self.assertIn("256 KiB", self.faults(b" " * (MAX_FILE + 1))[0])
        self.assertIn("Copy the file anew", self.faults(b"[" * MAX_FILE)[0])

    @given(st.binary(max_size=50), st.integers(0, 3000), st.integers(0, 10))
    def test_damaged(self, piece: bytes, place: int, length: int) -> None:
        """Whatever stands in a file, it is read, or is a fault of ours."""
        whole = JOIN.text(["header"]).encode()
        try:
            parse(whole[:place] + piece + whole[place + length :])
            parse(piece)
        except JoinFault as fault:
            self.assertNotEqual(fault.faults, ())

    @given(st.dictionaries(st.sampled_from([*json.loads(JOIN.text([])), "x"]), _VALUES))
    def test_other_values(self, values: dict[str, Any]) -> None:
        """Whatever JSON stands in the place of a value, it is read, or is a fault of ours."""
        try:
            parse(content(JOIN, **values))
        except JoinFault as fault:
            self.assertNotEqual(fault.faults, ())


class LoadTests(SynchronousTestCase):
    """A file on its way."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.path.write_text(JOIN.text([]))

    def test_file(self) -> None:
        """It can be read to its last second, from a file and from standard input."""
        self.assertEqual(load_join(self.path, "callbridge", END), JOIN)
        stdin = SimpleNamespace(buffer=io.BytesIO(self.path.read_bytes()))
        self.patch(sys, "stdin", stdin)
        self.assertEqual(load_join(STDIN, "callbridge", END), JOIN)

    def test_expired(self) -> None:
        """One that has expired tells how to get another one."""
        fault = str(self.assertRaises(JoinFault, load_join, self.path, "callbridge", END + 1))
        self.assertIn("was good until 2026-11-25 10:00 UTC", fault)
        self.assertIn("xmppctl callbridge join cb1", fault)
        self.path.write_text(SERVER.text([]))
        fault = str(self.assertRaises(JoinFault, load_join, self.path, "server", END + 1))
        self.assertIn("xmppctl setup --server xmpp2.example.com", fault)

    def test_other_host(self) -> None:
        """One for the other kind of host tells which command takes it."""
        fault = str(self.assertRaises(JoinFault, load_join, self.path, "server", END))
        self.assertIn("callbridgectl setup --join", fault)

    def test_none(self) -> None:
        """No file is told with its name, and what is none, too."""
        missing = Path("missing.join")
        fault = self.assertRaises(JoinFault, load_join, missing, "server", END)
        self.assertIn("missing.join cannot be read", str(fault))
        self.path.write_bytes(b"nonsense")
        fault = self.assertRaises(JoinFault, load_join, self.path, "server", END)
        self.assertIn(f"{self.path} cannot be used.", str(fault))
