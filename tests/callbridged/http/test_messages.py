"""Tests of callbridged.backends.http.messages, and of the examples in docs/web-hook.md."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from callbridged.backends import AccountRefused
from callbridged.backends.http.messages import (
    BadAnswer,
    Question,
    read_account_answer,
    read_keys_answer,
    read_password_answer,
)
from callbridged.scram_keys import ScramKeys

DOCS = Path(__file__).resolve().parents[3] / "docs" / "web-hook.md"
SCHEME = "SCRAM-SHA-256"
#: RFC 7677 section 3: the password is "pencil".
TEXT = (
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ=="
    "$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
)
OBJECT = {
    "iterations": 4096,
    "salt": "W22ZaJ0SNY7soEsUEjb6gQ==",
    "stored_key": "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=",
    "server_key": "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
}


def keys_answer(body: bytes) -> ScramKeys | None:
    return read_keys_answer(body, SCHEME)


READERS: tuple[Callable[[bytes], Any], ...] = (
    read_password_answer,
    keys_answer,
    read_account_answer,
)


def written(value: object) -> bytes:
    return json.dumps(value).encode()


class QuestionTests(SynchronousTestCase):
    """What is sent."""

    def test_password(self) -> None:
        """A question has all that is known of the login, in UTF-8."""
        question = Question("check-password", "zoë", "PLAIN", "203.0.113.7", "käse")
        text = question.encode(4.8751234).decode("utf-8")
        self.assertIn("käse", text)
        self.assertEqual(
            json.loads(text),
            {
                "version": 1,
                "method": "check-password",
                "username": "zoë",
                "password": "käse",
                "mechanism": "PLAIN",
                "peer": "203.0.113.7",
                "deadline": 4.875,
            },
        )

    def test_no_password(self) -> None:
        """Other questions have no password, and what is not known is null."""
        members = json.loads(Question("account", "alice").encode(5.0))
        self.assertNotIn("password", members)
        self.assertEqual((members["mechanism"], members["peer"]), (None, None))

    def test_secret(self) -> None:
        """A question can be shown without the password."""
        shown = repr(Question("check-password", "alice", password="wonderland"))
        self.assertNotIn("wonderland", shown)


class PasswordAnswerTests(SynchronousTestCase):
    """Answers to check-password."""

    def test_results(self) -> None:
        """The user is let in, or not, or under another name."""
        for answer, meant in (
            ({"result": "allow"}, True),
            ({"result": "allow", "username": None}, True),
            ({"result": "allow", "username": "bob"}, "bob"),
            ({"result": "allow", "username": "Zoe\u0308"}, "zo\u00eb"),
            ({"result": "deny"}, False),
        ):
            self.assertEqual(read_password_answer(written(answer)), meant, answer)

    def test_refused(self) -> None:
        """An account that is locked, or whose password has run out, is told the RFC's condition."""
        for result, condition in (
            ("disabled", "account-disabled"),
            ("expired", "credentials-expired"),
        ):
            refused = self.assertRaises(
                AccountRefused, read_password_answer, written({"result": result})
            )
            self.assertEqual(refused.condition, condition)

    def test_bad(self) -> None:
        """What is wrong is named, and nothing of it is shown."""
        for body, text in (
            (b"", "is not JSON"),
            (b'{"result": "allow"', "is not JSON"),
            (b"\xef\xbb\xbf{}", "is not JSON"),
            (b'{"result": "allow"} {}', "is not JSON"),
            (b'{"result": ' + b"9" * 5000 + b"}", "is not JSON"),
            ('{"result": "allow"}'.encode("utf-16"), "is not UTF-8 text"),
            (b'{"result": "caf\xe9"}', "is not UTF-8 text"),
            (b'["allow"]', "no object"),
            (b"true", "no object"),
            (b"{}", "lacks result"),
            (b'{"result": "allow", "result": "deny"}', "the same member twice"),
            (b'{"result": "allow", "username": {"a": 1, "a": 2}}', "the same member twice"),
            (b'{"result": NaN}', "NaN"),
            (b'{"result": "allow", "usernme": "hunter2"}', "other members than result and user"),
            (b'{"result": "hunter2"}', "none of allow, deny, disabled, expired"),
            (b'{"result": "Allow"}', "none of allow"),
            (b'{"result": true}', "none of allow"),
            (b'{"result": ["allow"]}', "none of allow"),
            (b'{"result": "allow", "username": ""}', "a username that is no text"),
            (b'{"result": "allow", "username": 7}', "a username that is no text"),
            (written({"result": "allow", "username": "a" * 1024}), "no text of 1 to 1023"),
            (b'{"result": "allow", "username": "\\ud800"}', "no Unicode text"),
            (b'{"result": "allow", "username": "hunter2@example.com"}', "before the @"),
        ):
            why = str(self.assertRaises(BadAnswer, read_password_answer, body))
            self.assertIn(text, why, body[:40])
            self.assertNotIn("hunter2", why)

    def test_deep(self) -> None:
        """What is nested deeply is no answer, whether this Python could read it or not."""
        for depth in (100, 2000, 8000):
            body = b'{"result": ' + b"[" * depth + b"]" * depth + b"}"
            self.assertRaises(BadAnswer, read_password_answer, body)


class KeysAnswerTests(SynchronousTestCase):
    """Answers to scram-keys."""

    def test_forms(self) -> None:
        """A text as in RFC 5803 and an object mean the same keys."""
        for value in (TEXT, OBJECT):
            keys = keys_answer(written({"keys": value}))
            assert keys is not None
            self.assertTrue(keys.check(SCHEME, "pencil"))
            self.assertEqual((keys.username, keys.refusal), (None, None))

    def test_nobody(self) -> None:
        """Null is nobody."""
        self.assertIs(keys_answer(b'{"keys": null}'), None)

    def test_more(self) -> None:
        """Another name, and a refusal for who knows the password."""
        keys = keys_answer(written({"keys": TEXT, "username": "bob", "result": "expired"}))
        assert keys is not None
        self.assertEqual((keys.username, keys.refusal), ("bob", "credentials-expired"))
        allowed = keys_answer(written({"keys": TEXT, "username": None, "result": "allow"}))
        assert allowed is not None
        self.assertEqual((allowed.username, allowed.refusal), (None, None))

    def test_bad(self) -> None:
        """What is wrong is named, and no key is shown."""
        for keys, text in (
            (7, "neither a text, nor an object"),
            (TEXT.replace("4096", "4095"), "iterations go from"),
            (TEXT.replace("4096", "0"), "are not SCHEME$ITERATIONS"),
            (TEXT.replace("=", "!"), "not base64"),
            (TEXT.replace("-256", "-512"), "64 octets"),
            (TEXT.replace("-256", "-3"), "none of SCRAM-SHA-256"),
            (OBJECT | {"salt": "AAAA"}, "a salt has at least"),
            (OBJECT | {"salt": "ä"}, "not base64"),
            (OBJECT | {"iterations": "4096"}, "no whole number"),
            (OBJECT | {"iterations": True}, "no whole number"),
            (OBJECT | {"iterations": 4096.0}, "no whole number"),
            (OBJECT | {"iterations": -1}, "iterations go from"),
            (OBJECT | {"server_key": None}, "a server_key that is no text"),
            (OBJECT | {"pepper": "x"}, "other members than"),
            ({"salt": OBJECT["salt"]}, "lacks iterations and server_key and stored_key"),
        ):
            why = str(self.assertRaises(BadAnswer, keys_answer, written({"keys": keys})))
            self.assertIn(text, why)
            self.assertNotIn("W22Z", why)
        for answer in (b"{}", b'{"result": "deny"}', written({"keys": TEXT, "result": "deny"})):
            self.assertRaises(BadAnswer, keys_answer, answer)

    def test_other_mechanism(self) -> None:
        """Keys for another mechanism than was asked for are no keys."""
        asked = "SCRAM-SHA-512"
        self.assertRaises(BadAnswer, read_keys_answer, written({"keys": TEXT}), asked)
        self.assertRaises(BadAnswer, read_keys_answer, written({"keys": OBJECT}), asked)


class AccountAnswerTests(SynchronousTestCase):
    """Answers to account."""

    def test_fingerprint(self) -> None:
        """A fingerprint is of bounded length, and another one for another text."""
        first, second = (
            read_account_answer(written({"fingerprint": text})) for text in ("a", "b" * 1000)
        )
        assert first is not None
        assert second is not None
        self.assertNotEqual(first, second)
        self.assertEqual((len(first), len(second)), (32, 32))
        self.assertIs(read_account_answer(b'{"fingerprint": null}'), None)

    def test_bad(self) -> None:
        """What is wrong is a bad answer."""
        for body in (b"{}", b'{"fingerprint": ""}', b'{"fingerprint": 1}', b'{"result": "deny"}'):
            self.assertRaises(BadAnswer, read_account_answer, body)


def _json() -> st.SearchStrategy[Any]:
    names = st.sampled_from(
        ["result", "username", "keys", "fingerprint", "salt", "iterations", "stored_key", "x"]
    )
    words = st.sampled_from(["allow", "deny", "disabled", "expired", "bob", TEXT, TEXT[:-1], ""])
    octets = st.binary(max_size=40).map(lambda octets: base64.b64encode(octets).decode())
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | words | octets
    return st.recursive(
        leaves, lambda inner: st.lists(inner) | st.dictionaries(names, inner), max_leaves=12
    )


class AnyAnswer(SynchronousTestCase):
    """Properties: whatever a hook answers, it is understood, or it is a BadAnswer."""

    def check(self, body: bytes) -> None:
        for read in READERS:
            try:
                answer = read(body)
            except (BadAnswer, AccountRefused):
                continue
            self.assertTrue(
                answer is None or isinstance(answer, bool | str | bytes | ScramKeys), answer
            )
            self.assertNotEqual(answer, "")

    @given(_json())
    def test_json(self, value: Any) -> None:
        """Any JSON, and what Python takes for it."""
        self.check(json.dumps(value).encode())

    @given(st.binary(max_size=200))
    def test_bytes(self, body: bytes) -> None:
        """Any bytes."""
        self.check(body)

    @given(
        st.sampled_from([b'{"result": "allow", "username": "bob"}', written({"keys": OBJECT})]),
        st.integers(min_value=0, max_value=60),
        st.binary(max_size=4),
    )
    def test_damaged(self, body: bytes, place: int, damage: bytes) -> None:
        """A good answer with some bytes replaced."""
        self.check(body[:place] + damage + body[place + len(damage) :])


class DocumentedTests(SynchronousTestCase):
    """Every example on the page is what the program sends or understands."""

    def test_examples(self) -> None:
        """Questions are as they are sent, answers are read without a fault."""
        examples = [json.loads(one) for one in re.findall(r"```json\n(.*?)```", text(), re.DOTALL)]
        readers = dict(zip(("check-password", "scram-keys", "account"), READERS, strict=True))
        asked: list[str] = []
        answers = 0
        for example in examples:
            if "method" in example:
                method = example["method"]
                asked.append(method)
                password = "wonderland" if method == "check-password" else None
                question = Question(
                    method, "alice", example["mechanism"], example["peer"], password
                )
                self.assertEqual(json.loads(question.encode(4.875)), example)
            else:
                readers[asked[-1]](written(example))
                answers += 1
        self.assertEqual(asked, list(readers))
        self.assertEqual(answers, 8)

    def test_fingerprint_of_keys(self) -> None:
        """The keys on the page are those of the RFC's example."""
        self.assertEqual(text().count(TEXT), 2)


def text() -> str:
    return DOCS.read_text()
