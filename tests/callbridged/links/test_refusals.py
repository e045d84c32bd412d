"""Tests of callbridged.links.refusals: what a server's last words mean."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from twisted.words.protocols.jabber.error import StreamError
from twisted.words.xish.domish import Element

from bridgewire.namespaces import ERRORS
from bridgewire.steps import Reason, Step, StepFailure
from callbridged.links.refusals import broken, stream_error


def read(condition: str, text: str | None = None, step: Step = Step.REGISTER) -> StepFailure:
    return stream_error(StreamError(condition, text=text).getElement(), step, "cb1", "example.com")


class StreamErrorTests(SynchronousTestCase):
    """A stream error becomes a step, a reason and a remedy."""

    def test_reasons(self) -> None:
        """Every condition that a server may send has its reason."""
        for condition, reason in {
            "host-unknown": Reason.HOST_UNKNOWN,
            "not-authorized": Reason.AUTHENTICATION_FAILURE,
            "conflict": Reason.CONFLICT,
            "connection-timeout": Reason.TIMEOUT,
            "policy-violation": Reason.POLICY,
            "resource-constraint": Reason.RESOURCE_LIMIT,
            "system-shutdown": Reason.LINK_LOST,
            "restricted-xml": Reason.PROTOCOL_ERROR,
            "undefined-condition": Reason.PROTOCOL_ERROR,
        }.items():
            failure = read(condition)
            self.assertEqual((failure.step, failure.reason), (Step.REGISTER, reason))
            self.assertIn(condition, failure.text)
            self.assertTrue(failure.remedy)

    def test_secret(self) -> None:
        """A wrong secret tells how to compare the two."""
        self.assertIn("xmppctl callbridge list --show-secrets", read("not-authorized").remedy)

    def test_unknown_name(self) -> None:
        """An unknown name tells which one, and how to make it known."""
        failure = read("host-unknown")
        self.assertIn("cb1.example.com", failure.text)
        self.assertIn("xmppctl callbridge add-secret cb1", failure.remedy)

    def test_taken_back(self) -> None:
        """Not authorized after registration means that the registration was taken back."""
        failure = read("not-authorized", "removed", Step.ACTIVE)
        self.assertEqual(failure.step, Step.ACTIVE)
        self.assertIn("took the registration", failure.text)

    def test_certificate(self) -> None:
        """What xmppd says about our certificate counts more than the condition it says it with."""
        for name, step in (
            (Reason.CERTIFICATE_NAME_MISMATCH, Step.CERTIFICATE),
            (Reason.CERTIFICATE_REQUIRED, Step.TLS),
            (Reason.SECRET_EXPIRED, Step.REGISTER),
        ):
            marker = Element((ERRORS, str(name)))
            error = StreamError("not-authorized", text="lacks cb1", appCondition=marker)
            failure = stream_error(error.getElement(), Step.REGISTER, "cb1", "example.com")
            self.assertEqual((failure.step, failure.reason), (step, name))
            self.assertIn("lacks cb1", failure.text)

    def test_hostile_text(self) -> None:
        """What a server says is cut short and cannot break a log line."""
        failure = read("conflict", "a\nb\x1b[31m" + "c" * 5000)
        self.assertNotIn("\n", failure.text)
        self.assertNotIn("\x1b", failure.text)
        self.assertLess(len(failure.text), 500)

    def test_broken_rules(self) -> None:
        """A server that exceeds a limit, and one that breaks another rule, are told apart."""
        too_much = broken(Step.ACTIVE, "policy-violation", "element too large")
        self.assertEqual((too_much.step, too_much.reason), (Step.ACTIVE, Reason.RESOURCE_LIMIT))
        garbage = broken(Step.REGISTER, "not-well-formed", "no XML")
        self.assertEqual(garbage.reason, Reason.PROTOCOL_ERROR)
