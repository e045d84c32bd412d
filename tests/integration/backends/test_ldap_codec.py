"""libldap as a codec: what it makes, what it reads, and that it never waits."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from callbridged.backends.ldap.codec import LibldapCodec
from callbridged.backends.ldap.framing import Framer, NotLdap
from callbridged.backends.ldap.interface import Entry, Result, Search
from callbridged.backends.ldap.messages import Done, Notice, Reference

POLICY = b"1.3.6.1.4.1.42.2.27.8.5.1"
SEARCH = Search("dc=example,dc=com", "sub", "(uid=alice)", ("uid",))

BIND, BIND_DONE, ENTRY, SEARCH_DONE, REFERENCE, EXTENDED_DONE = 0x60, 0x61, 0x64, 0x65, 0x73, 0x78


def tlv(tag: int, *contents: bytes) -> bytes:
    """One element in BER."""
    content = b"".join(contents)
    return bytes([tag, 0x82]) + len(content).to_bytes(2, "big") + content


def answer(number: int, tag: int, *contents: bytes, controls: bytes = b"") -> bytes:
    """One LDAP message."""
    more = tlv(0xA0, controls) if controls else b""
    return tlv(0x30, tlv(0x02, bytes([number])), tlv(tag, *contents), more)


def done(number: int, tag: int, code: int, text: bytes = b"", more: bytes = b"", **rest: bytes):
    """The result of an operation."""
    result = (tlv(0x0A, bytes([code])), tlv(0x04), tlv(0x04, text))
    return answer(number, tag, *result, more, **rest)


def policy(value: bytes) -> bytes:
    """A password policy response control."""
    return tlv(0x30, tlv(0x04, POLICY), tlv(0x04, value))


def entry(number: int, dn: bytes, *attributes: tuple[bytes, ...]) -> bytes:
    """One entry; an attribute is its name and values."""
    lists = [
        tlv(0x30, tlv(0x04, name), tlv(0x31, *(tlv(0x04, value) for value in values)))
        for name, *values in attributes
    ]
    return answer(number, ENTRY, tlv(0x04, dn), tlv(0x30, *lists))


class CodecCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.codec = LibldapCodec()
        self.addCleanup(lambda: self.codec.close())

    def nonsense(self, *messages: bytes) -> None:
        """Each is refused, of a codec that has just sent a bind."""
        for message in messages:
            codec = LibldapCodec()
            try:
                codec.bind("cn=a", "x")
                self.assertRaises(NotLdap, codec.decode, message)
            finally:
                codec.close()


class Requests(CodecCase):
    """What goes out."""

    def test_whole(self) -> None:
        """Each request is one whole message."""
        for request in (
            self.codec.start_tls(),
            self.codec.bind("cn=a", "wonderland"),
            self.codec.search(SEARCH, 5),
            self.codec.who_am_i(),
            self.codec.bind("cn=" + "x" * 4000, "y" * 4096),
        ):
            self.assertEqual(Framer().feed(request), [request])

    def test_bind(self) -> None:
        """A bind has the password as it is, and asks what the password policy says."""
        request = self.codec.bind("cn=a", "käse")
        self.assertIn("käse".encode(), request)
        self.assertIn(POLICY, request)

    def test_filter(self) -> None:
        """What is no filter is said to be none."""
        for text in ("(uid=alice", "(&)x", "(uid)", "(uid=\\zz)"):
            search = Search("dc=x", "sub", text, ())
            fault = self.assertRaises(ValueError, self.codec.search, search, 1)
            self.assertIn("is no LDAP filter", str(fault))

    def test_old_library(self) -> None:
        """A python-ldap that crashes on what a directory may send is not used."""
        name = "callbridged.backends.ldap.codec"
        with mock.patch.dict(sys.modules), mock.patch("ldap.__version__", "3.4.7"):
            del sys.modules[name]
            fault = self.assertRaises(ImportError, importlib.import_module, name)
        self.assertIn("3.4.8 or newer is needed, and this is 3.4.7", str(fault))

    def test_files_do_not_count(self) -> None:
        """What libldap's own files and variables say does not count."""
        self.assertEqual(os.environ["LDAPNOINIT"], "1")


class Answers(CodecCase):
    """What comes in."""

    def test_results(self) -> None:
        """A result has its code and the directory's words."""
        self.codec.bind("cn=a", "x")
        self.assertEqual(self.codec.decode(done(1, BIND_DONE, 0)), Done(Result(0)))
        self.codec.bind("cn=a", "x")
        found = self.codec.decode(done(2, BIND_DONE, 49, b"data 52e\n, v4563"))
        self.assertEqual(found, Done(Result(49, "data 52e?, v4563")))
        self.codec.search(SEARCH, 5)
        self.assertEqual(self.codec.decode(done(3, SEARCH_DONE, 10)), Done(Result(10)))

    def test_policy(self) -> None:
        """What a password policy says comes with it, right password or wrong."""
        expired, changed = b"\x30\x03\x81\x01\x00", b"\x30\x03\x81\x01\x02"
        grace = b"\x30\x05\xa0\x03\x81\x01\x02"
        for number, (code, value, said) in enumerate(
            [(49, expired, 0), (0, changed, 2), (0, grace, None), (49, b"\x30\x00", None)], 1
        ):
            self.codec.bind("cn=a", "x")
            message = done(number, BIND_DONE, code, controls=policy(value))
            self.assertEqual(self.codec.decode(message), Done(Result(code, "", said)))

    def test_broken_policy(self) -> None:
        """A policy that cannot be read is none."""
        for number, code in ((1, 49), (2, 0)):
            self.codec.bind("cn=a", "x")
            message = done(number, BIND_DONE, code, controls=policy(b"\xff"))
            self.assertEqual(self.codec.decode(message), Done(Result(code)))

    def test_entries(self) -> None:
        """Entries have their values as they are, by names in lower case."""
        self.codec.search(SEARCH, 5)
        found = self.codec.decode(entry(1, b"uid=alice", (b"UID", b"alice", b"\xff\x00")))
        assert isinstance(found, Entry)
        self.assertEqual(
            (found.dn, found.attributes), ("uid=alice", {"uid": (b"alice", b"\xff\0")})
        )
        reference = answer(1, REFERENCE, tlv(0x04, b"ldap://elsewhere.example.com/"))
        self.assertEqual(self.codec.decode(reference), Reference())
        self.assertEqual(self.codec.decode(done(1, SEARCH_DONE, 0)), Done(Result(0)))

    def test_who_am_i(self) -> None:
        """Whom the directory takes us for."""
        self.codec.who_am_i()
        message = done(1, EXTENDED_DONE, 0, more=tlv(0x8B, b"dn:cn=a"))
        self.assertEqual(self.codec.decode(message), Done(Result(0), b"dn:cn=a"))

    def test_notice(self) -> None:
        """A server that takes its leave has not answered (RFC 4511 section 4.4.1)."""
        self.codec.bind("cn=a", "x")
        oid = tlv(0x8A, b"1.3.6.1.4.1.1466.20036")
        found = self.codec.decode(done(0, EXTENDED_DONE, 52, b"shutdown", more=oid))
        self.assertEqual(found, Notice(Result(52, "shutdown")))

    def test_nonsense(self) -> None:
        """What is no answer is refused: to another request, of another kind, broken, not UTF-8."""
        self.nonsense(
            done(9, BIND_DONE, 0),
            tlv(0x30),
            tlv(0x30, b"hello"),
            tlv(0x30, tlv(0x02, b"\x01"), b"\x61\x82\xff\xff"),
            b"\x30\x84\x00\x00\x00\x01\x00",
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            entry(1, b"uid=\xff"),
            entry(1, b"uid=alice", (b"\xff", b"alice")),
            b"",
        )

    def test_broken_entries(self) -> None:
        """An entry that is cut off somewhere inside never raises anything else."""
        whole = entry(1, b"uid=alice", (b"uid", b"alice"), (b"cn", b"Alice", b"A."))
        for broken in _damaged(whole):
            codec = LibldapCodec()
            codec.search(SEARCH, 5)
            try:
                codec.decode(broken)
            except NotLdap:
                pass
            finally:
                codec.close()

    def test_no_descriptors(self) -> None:
        """A codec that is closed leaves no open file behind."""
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(20):
            codec = LibldapCodec()
            codec.bind("cn=a", "x")
            codec.close()
        self.assertEqual(len(list(Path("/proc/self/fd").iterdir())), before)


def _damaged(message: bytes) -> Iterator[bytes]:
    """The message with each of its octets changed, in the frame of a whole one."""
    for place in range(4, len(message)):
        for octet in (0, 0x7F, 0xFF):
            yield message[:place] + bytes([octet]) + message[place + 1 :]
