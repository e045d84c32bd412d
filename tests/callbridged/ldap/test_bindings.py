"""Tests of callbridged.backends.ldap.bindings: what is sent, and what the answer means."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from callbridged.backends import AccountRefused
from callbridged.backends.ldap.bindings import nobody, says_right, to_send
from callbridged.backends.ldap.interface import PolicyError, Result, ResultCode


def windows(code: str) -> Result:
    """Active Directory's answer to a bind."""
    text = (
        f"80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data {code}, "
        "v4563"
    )
    return Result(ResultCode.INVALID_CREDENTIALS, text)


class Sending(SynchronousTestCase):
    """What of a password reaches the directory."""

    def test_never(self) -> None:
        """Nothing that is empty, or becomes so, or has a NUL in it."""
        for password in ("", "\u00ad", "\u200b\ufe0f\u00ad", "a\0", "\0", "\U0001f600\0"):
            self.assertIsNone(to_send(password), repr(password))

    def test_prepared(self) -> None:
        """A password is prepared as RFC 4511 has it; what cannot be goes as it is."""
        for password, sent in {
            "wonderland": "wonderland",
            "a\u00a0b": "a b",
            "e\u0301\u00ad": "é",
            "\uff41": "a",
            "\U0001f600": "\U0001f600",
            "a\x07": "a\x07",
            " ": " ",
        }.items():
            self.assertEqual(to_send(password), sent)

    def test_nobody(self) -> None:
        """Who does not exist is bound as somebody else each time."""
        self.assertNotEqual(nobody("dc=x"), nobody("dc=x"))
        self.assertTrue(nobody("dc=x").endswith(",dc=x"))


class Meaning(SynchronousTestCase):
    """What the end of a bind says."""

    def refusal(self, result: Result) -> str:
        return self.assertRaises(AccountRefused, says_right, result).condition

    def test_right_and_wrong(self) -> None:
        """Success is right; a directory that has looked says no in more than one way."""
        self.assertIs(says_right(Result(ResultCode.SUCCESS)), True)
        for code in (
            ResultCode.INVALID_CREDENTIALS,
            ResultCode.INAPPROPRIATE_AUTHENTICATION,
            ResultCode.NO_SUCH_OBJECT,
        ):
            self.assertIs(says_right(Result(code)), False)

    def test_no_answer(self) -> None:
        """What is neither is no wrong password."""
        for code in (1, 2, 3, 8, 10, 13, 50, 51, 52, 53, 80, 123):
            self.assertIsNone(says_right(Result(code)), str(code))

    def test_policy(self) -> None:
        """The control of a password policy says why not."""
        wrong, right = ResultCode.INVALID_CREDENTIALS, ResultCode.SUCCESS
        for code, policy, condition in (
            (wrong, PolicyError.PASSWORD_EXPIRED, "credentials-expired"),
            (wrong, PolicyError.ACCOUNT_LOCKED, "account-disabled"),
            (right, PolicyError.CHANGE_AFTER_RESET, "credentials-expired"),
        ):
            self.assertEqual(self.refusal(Result(code, "", policy)), condition)
        self.assertIs(says_right(Result(wrong, "", 8)), False)
        self.assertIs(says_right(Result(right, "", 8)), True)

    def test_windows(self) -> None:
        """Active Directory says why not in its text."""
        for code, condition in {
            "530": "account-disabled",
            "531": "account-disabled",
            "532": "credentials-expired",
            "533": "account-disabled",
            "701": "account-disabled",
            "773": "credentials-expired",
            "775": "account-disabled",
        }.items():
            self.assertEqual(self.refusal(windows(code)), condition)
        for code in ("52e", "525", "5330"):
            self.assertIs(says_right(windows(code)), False)

    def test_locked_by_failures(self) -> None:
        """389-ds tells everybody that there were too many failures."""
        result = Result(ResultCode.CONSTRAINT_VIOLATION, "Exceed password retry limit.")
        self.assertEqual(self.refusal(result), "account-disabled")
