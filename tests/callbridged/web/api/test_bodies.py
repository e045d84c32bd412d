"""Tests of callbridged.web.api.bodies and parameters: what a request brings along."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from callbridged.web.api.bodies import FORM, JSON, MAX_PARAMETERS, parse_body, parse_form
from callbridged.web.api.failures import ApiFailure
from callbridged.web.api.paging import MOST, PAGE, page
from callbridged.web.api.parameters import Boolean, Number, Text, read

NAMES = st.text(min_size=1, max_size=20)
DECLARED = (
    Text("name", 5, required=True),
    Text("address", 10, empty=True, check=int),
    Boolean("now"),
)


def faults(failure: ApiFailure) -> list[tuple[str, str]]:
    """The parameters that it names, with what is wrong; for other reasons, their name."""
    return [(one.parameter or one.name, one.error) for one in failure.reasons]


class Case(SynchronousTestCase):
    """What is refused."""

    def refused(self, *body: Any) -> list[tuple[str, str]]:
        failure = self.assertRaises(ApiFailure, parse_body, *body)
        self.assertEqual(failure.status, HTTPStatus.BAD_REQUEST)
        return faults(failure)


class MediaTypeTests(Case):
    """Content-Type, and the like."""

    def test_taken(self) -> None:
        """A form and JSON are taken, in UTF-8, however it is spelled; no body needs no type."""
        for content_type in (FORM, f"{FORM}; charset=UTF-8", "Application/X-WWW-Form-Urlencoded"):
            self.assertEqual(parse_body(content_type, None, b"a=1"), {"a": "1"}, content_type)
        for content_type in (JSON, 'application/json;charset="utf-8"'):
            self.assertEqual(parse_body(content_type, None, b'{"a": 1}'), {"a": 1}, content_type)
        self.assertEqual(parse_body(None, None, b""), {})

    def test_refused(self) -> None:
        """Everything else is 415, and the answer says what is taken."""
        for content_type, encoding in (
            (None, None),
            ("", None),
            ("text/xml", None),
            ("multipart/form-data; boundary=x", None),
            (f"{FORM}; charset=latin1", None),
            (f"{FORM}; charset*=utf-7''x", None),
            (FORM, "gzip"),
        ):
            failure = self.assertRaises(ApiFailure, parse_body, content_type, encoding, b"a=1")
            self.assertEqual(failure.status, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, content_type)
            self.assertIn(FORM, failure.reasons[0].message)


class FormTests(Case):
    """application/x-www-form-urlencoded."""

    def test_read(self) -> None:
        """Plus signs, percent-encoding and empty values are as in browsers."""
        self.assertEqual(
            parse_form(b"a=1+2&b=%C3%A9%3D&c=&d&&e=x=y"),
            {"a": "1 2", "b": "\u00e9=", "c": "", "d": "", "e": "x=y"},
        )

    def test_faults(self) -> None:
        """What is broken or there twice is named, all of it at once."""
        self.assertEqual(
            self.refused(FORM, None, b"a=%zz&b=%ff&c=1&c=2"),
            [("a", "invalidValue"), ("b", "invalidValue"), ("c", "duplicateParameter")],
        )
        self.assertEqual(self.refused(FORM, None, b"%ff=1"), [("malformedBody", "")])

    def test_too_many(self) -> None:
        """There is a limit on how many there are."""
        body = b"&".join(b"p%d=1" % number for number in range(MAX_PARAMETERS + 1))
        self.assertEqual(self.refused(FORM, None, body), [("malformedBody", "")])

    @given(st.dictionaries(NAMES, st.text(), max_size=5))
    def test_round_trip(self, values: dict[str, str]) -> None:
        """What others encode comes out as it was."""
        self.assertEqual(parse_form(urlencode(values).encode()), values)

    @given(st.binary(max_size=200) | st.text("a=&%+0c3", max_size=50).map(str.encode))
    def test_anything(self, body: bytes) -> None:
        """Any octets are either read as texts or refused with a reason."""
        try:
            found = parse_form(body)
        except ApiFailure as failure:
            self.assertTrue(failure.reasons)
        else:
            self.assertTrue(all(isinstance(text, str) for pair in found.items() for text in pair))


class JsonTests(Case):
    """application/json."""

    def test_faults(self) -> None:
        """What is no object, or no JSON, is refused."""
        for body in (
            b"[]",
            b"null",
            b'"a"',
            b"{",
            b"{'a': 1}",
            b'{"a": NaN}',
            b'{"a": 1} {}',
            b"\xff",
            b"\xef\xbb\xbf{}",
            b'{"a": 1' + b"0" * 5000 + b"}",
            b"[" * 30_000,
            json.dumps({str(number): 1 for number in range(MAX_PARAMETERS + 1)}).encode(),
        ):
            self.assertEqual(self.refused(JSON, None, body), [("malformedBody", "")], body[:20])

    def test_twice(self) -> None:
        """A name that is there twice is refused; one within a value says nothing of it."""
        self.assertEqual(
            self.refused(JSON, None, b'{"a": 1, "b": {"c": 1}, "a": 2}'),
            [("a", "duplicateParameter")],
        )
        self.assertEqual(
            parse_body(JSON, None, b'{"a": {"a": 1}, "b": [{"a": 1}]}'),
            {"a": {"a": 1}, "b": [{"a": 1}]},
        )

    @given(st.dictionaries(NAMES, st.text() | st.booleans() | st.integers(), max_size=5))
    def test_round_trip(self, values: dict[str, Any]) -> None:
        """What others encode comes out as it was."""
        self.assertEqual(parse_body(JSON, None, json.dumps(values).encode()), values)

    @given(st.binary(max_size=100) | st.text('{}[]":,a1\\u d8', max_size=40).map(str.encode))
    def test_anything(self, body: bytes) -> None:
        """Any octets are either read or refused with a reason."""
        try:
            self.assertIsInstance(parse_body(JSON, None, body), dict)
        except ApiFailure as failure:
            self.assertTrue(failure.reasons)


class ParameterTests(SynchronousTestCase):
    """Whether those that came are such."""

    def faults(self, sent: dict[str, Any]) -> list[tuple[str, str]]:
        failure = self.assertRaises(ApiFailure, read, DECLARED, sent)
        return faults(failure)

    def test_good(self) -> None:
        """Values come out by their kinds; what was not sent is not there."""
        self.assertEqual(
            read(DECLARED, {"name": "cb1", "address": "", "now": "true"}),
            {"name": "cb1", "address": "", "now": True},
        )
        self.assertEqual(read(DECLARED, {"name": "a b"}), {"name": "a b"})
        self.assertEqual(
            read(DECLARED, {"name": "cb1", "now": False}), {"name": "cb1", "now": False}
        )

    def test_every_fault(self) -> None:
        """All that is wrong is named at once."""
        self.assertEqual(
            self.faults({"address": 3, "now": "yes", "nome": "cb1", "other": None}),
            [
                ("address", "invalidValue"),
                ("now", "invalidValue"),
                ("nome", "unknownParameter"),
                ("other", "unknownParameter"),
                ("name", "missingParameter"),
            ],
        )

    def test_texts(self) -> None:
        """Wrong types, lengths and characters of a text."""
        for value, error in (
            ("", "invalidValue"),
            ("cb1234", "valueTooLong"),
            ("a\0b", "invalidValue"),
            ("a\nb", "invalidValue"),
            ("\ud800", "invalidValue"),
            (True, "invalidValue"),
            (None, "invalidValue"),
            (["cb1"], "invalidValue"),
            ({"a": "b"}, "invalidValue"),
        ):
            self.assertEqual(self.faults({"name": value}), [("name", error)], repr(value))

    def test_checks(self) -> None:
        """What a parameter's own check says is among the faults, in its words."""
        failure = self.assertRaises(ApiFailure, read, DECLARED, {"address": "x"})
        self.assertEqual(faults(failure)[0], ("address", "invalidValue"))
        self.assertIn("invalid literal", failure.reasons[0].message)
        self.assertEqual(read(DECLARED[1:], {"address": "7"}), {"address": "7"})

    def test_no_value_is_repeated(self) -> None:
        """A value is in no answer, as it may be a secret that was typed into the wrong place."""
        failure = self.assertRaises(
            ApiFailure, read, DECLARED, {"name": "marker-secret", "now": "marker-secret"}
        )
        self.assertNotIn("marker-secret", str(failure))

    def test_long_names(self) -> None:
        """Of a name that is long, only the beginning is repeated."""
        failure = self.assertRaises(ApiFailure, read, (), {"x" * 1000: "1"})
        self.assertNotIn("x" * 100, str(failure))

    @given(st.dictionaries(st.sampled_from(["name", "address", "now", "x"]), st.text() | st.none()))
    def test_anything(self, sent: dict[str, Any]) -> None:
        """Whatever comes is read, or refused with the parameters named."""
        try:
            found = read(DECLARED, sent)
        except ApiFailure as failure:
            self.assertTrue(all(one.parameter for one in failure.reasons))
        else:
            self.assertEqual(found.keys(), sent.keys())


class PagingTests(SynchronousTestCase):
    """offset and limit."""

    def test_numbers(self) -> None:
        """They are numbers from 0, in digits."""
        self.assertEqual(read(PAGE, {"offset": "0", "limit": "20"}), {"offset": 0, "limit": 20})
        for text in ("-1", "1.5", "x", "", "\u0661", "99999999999", "2147483648", "0x1"):
            failure = self.assertRaises(ApiFailure, read, (Number("limit"),), {"limit": text})
            self.assertEqual(faults(failure), [("limit", "invalidValue")], text)

    def test_page(self) -> None:
        """It begins at the offset, and has as many as are asked for, or as the API allows."""
        items = [{"id": number} for number in range(MOST + 10)]
        for offset, limit, wanted in (
            (None, None, items[:MOST]),
            (3, 2, items[3:5]),
            (MOST + 9, 5, items[-1:]),
            (1000, None, []),
            (None, 0, []),
            (0, 10_000, items[:MOST]),
        ):
            asked = {"offset": offset, "limit": limit}
            asked = {name: number for name, number in asked.items() if number is not None}
            self.assertEqual(page("users", items, asked), {"total": MOST + 10, "users": wanted})
