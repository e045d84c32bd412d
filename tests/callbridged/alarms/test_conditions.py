"""Tests of callbridged.alarms.conditions: what is wrong, out of what the daemon knows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from bridgewire.steps import Reason, Step, StepFailure
from callbridged.alarms.alarm import Condition, Kind, Severity
from callbridged.alarms.conditions import Facts, conditions
from callbridged.alarms.settings import AlarmSettings
from callbridged.logins.login_rates import Summary
from tests.callbridged.alarms.conditions import ONE, TWO
from tests.callbridged.links.test_refusals import read as refused

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
LOST = StepFailure(Step.ACTIVE, Reason.LINK_LOST, "It was lost.", "The log of xmppd may say why.")
EXPIRED = StepFailure(Step.CERTIFICATE, Reason.CERTIFICATE_EXPIRED, "It expired.", "Renew it.")


def link(target: str = ONE, failure: StepFailure | None = None, **more: Any) -> dict[str, Any]:
    """One that is registered, unless it has failed."""
    return {
        "target": target,
        "state": "registered" if failure is None else "waiting",
        "last_error": failure and failure.as_json(),
        "certificate": None,
        "clock_skew": 0,
        "secret_in_use": "current" if failure is None else None,
        **more,
    }


def shown(begin: datetime, end: datetime) -> dict[str, str]:
    """A certificate in the status of a link."""
    return {
        "text": "CN=xmpp1",
        "not_before": begin.isoformat(),
        "not_after": end.isoformat(),
    }


class ConditionCase(SynchronousTestCase):
    """Asks for what is wrong."""

    def wrong(self, settings: AlarmSettings | None = None, **facts: Any) -> list[Condition]:
        known = Facts(**{"name": "cb1", "domain": "example.com", "up": True, **facts})
        found = list(conditions(known, settings or AlarmSettings(), NOW))
        for one in found:
            self.assertRegex(one.text, r"[.?]$")
            self.assertRegex(one.remedy, r"\.$")
        return found

    def kinds(self, **facts: Any) -> list[tuple[Kind, str]]:
        return [one.key for one in self.wrong(**facts)]


class LinkTests(ConditionCase):
    """Links, out of their status."""

    def test_well(self) -> None:
        """Where all is well there is nothing."""
        self.assertEqual(self.wrong(links=[link(), link(TWO)]), [])

    def test_down(self) -> None:
        """A link that was lost is down, and the remedy names the host."""
        (one,) = self.wrong(links=[link(failure=LOST), link(TWO)])
        self.assertEqual(one.key, (Kind.LINK_DOWN, ONE))
        self.assertEqual((one.step, one.reason), (Step.ACTIVE, Reason.LINK_LOST))
        self.assertIs(one.severity, Severity.WARNING)
        self.assertEqual(one.text, f"There is no link to {ONE}. It was lost.")
        self.assertEqual(
            one.remedy,
            "The log of xmppd may say why. The XMPP server is xmpp1.example.com. "
            "`callbridgectl check` here walks all steps.",
        )

    def test_all_down(self) -> None:
        """Where no link is up, logins fail; one of the settings before is one that is up."""
        links = [link(failure=LOST), link(TWO, LOST)]
        for up, severity in ((False, Severity.CRITICAL), (True, Severity.WARNING)):
            found = self.wrong(links=links, up=up)
            self.assertEqual({one.severity for one in found}, {severity})
            self.assertEqual([one.subject for one in found], [ONE, TWO])

    def test_not_made(self) -> None:
        """A link that is on its way for ever is down, at the step where it is."""
        (one,) = self.wrong(links=[link(state="securing", secret_in_use=None)])
        self.assertEqual((one.kind, one.step), (Kind.LINK_DOWN, Step.TLS))
        self.assertEqual(one.reason, Reason.TIMEOUT)

    def test_no_server(self) -> None:
        """Where no server is known it is about the domain, once that has failed."""
        failure = StepFailure(Step.SRV, Reason.NO_SUCH_SERVICE, "There is no record.", "Add it.")
        (one,) = self.wrong(links=[link("", failure)], up=False)
        self.assertEqual(one.key, (Kind.LINK_DOWN, "example.com"))
        self.assertEqual(one.text, "There is no record.")
        self.assertTrue(one.remedy.startswith("Add it. "), one.remedy)
        self.assertEqual(self.wrong(links=[link("", None, state="resolving")], up=False), [])

    def test_refused(self) -> None:
        """Who is refused is told why, and on which host to do what."""
        found = self.wrong(links=[link(failure=refused("host-unknown"))], up=False)
        self.assertEqual([one.kind for one in found], [Kind.LINK_DOWN, Kind.REGISTRATION_REFUSED])
        one = found[1]
        self.assertEqual((one.step, one.reason), (Step.REGISTER, Reason.HOST_UNKNOWN))
        self.assertIn("does not know cb1.example.com", one.text)
        self.assertIn("add-secret cb1` on xmpp1.example.com and give it", one.remedy)

    def test_conflict(self) -> None:
        """A name that is taken is a refusal."""
        kinds = self.kinds(links=[link(failure=refused("conflict"))])
        self.assertIn((Kind.REGISTRATION_REFUSED, ONE), kinds)

    def test_shut_down(self) -> None:
        """A server that is shutting down refuses nobody."""
        kinds = self.kinds(links=[link(failure=refused("system-shutdown"))])
        self.assertEqual(kinds, [(Kind.LINK_DOWN, ONE)])

    def test_secret_differs(self) -> None:
        """A secret that one server refuses and another accepts differs."""
        links = [link(failure=refused("not-authorized")), link(TWO)]
        one = self.wrong(links=links)[1]
        self.assertEqual(one.key, (Kind.SECRET_DIFFERS, ONE))
        self.assertEqual(one.reason, Reason.AUTHENTICATION_FAILURE)
        self.assertTrue(one.text.endswith(f" {TWO} accepted it."), one.text)
        self.assertTrue(one.remedy.startswith("On xmpp1.example.com: run `xmppctl"), one.remedy)

    def test_secret_refused(self) -> None:
        """A secret that no server accepts is a refusal; who has accepted the one before does not
        count."""
        links = [link(failure=refused("not-authorized")), link(TWO, secret_in_use="former")]
        self.assertIn((Kind.REGISTRATION_REFUSED, ONE), self.kinds(links=links))

    def test_successor(self) -> None:
        """A link that is up, and whose successor is refused, is not down."""
        error = refused("not-authorized").as_json()
        links = [link(last_error=error, secret_in_use="former"), link(TWO)]
        self.assertEqual(self.kinds(links=links), [(Kind.SECRET_DIFFERS, ONE)])
        links[0]["last_error"] = LOST.as_json()
        self.assertEqual(self.kinds(links=links), [])

    def test_clock(self) -> None:
        """A clock that differs by more than is set says so, in either direction."""
        for skew, words in ((31, "31 s ahead of"), (-120, "120 s behind")):
            (one,) = self.wrong(links=[link(clock_skew=skew)])
            self.assertEqual((one.key, one.step), ((Kind.CLOCK_SKEW, ONE), Step.ACTIVE))
            self.assertIn(words, one.text)
            self.assertIn("xmpp1.example.com and the one of cb1", one.remedy)
        for skew in (30, None):
            self.assertEqual(self.wrong(links=[link(clock_skew=skew)]), [])
        settings = AlarmSettings(clock_skew=200)
        self.assertEqual(self.wrong(settings, links=[link(clock_skew=-120)]), [])


class CertificateTests(ConditionCase):
    """Certificates that servers show; files are in test_certificates."""

    def test_refused(self) -> None:
        """A certificate that one end refuses."""
        links = [link(failure=EXPIRED)]
        kinds = self.kinds(links=links, up=False)
        self.assertEqual(kinds, [(Kind.LINK_DOWN, ONE), (Kind.CERTIFICATE, ONE)])

    def test_ends_soon(self) -> None:
        """One that ends soon, on a link that is up."""
        certificate = shown(NOW - timedelta(days=80), NOW + timedelta(days=10, hours=1))
        (one,) = self.wrong(links=[link(certificate=certificate)])
        self.assertEqual(one.key, (Kind.CERTIFICATE, ONE))
        self.assertEqual((one.step, one.reason), (Step.CERTIFICATE, Reason.CERTIFICATE_EXPIRED))
        self.assertIs(one.severity, Severity.WARNING)
        self.assertEqual(
            one.text,
            f"The certificate of {ONE} expires in 10 days, on 2026-12-05 13:00 UTC: CN=xmpp1.",
        )
        self.assertIn("On xmpp1.example.com: renew it", one.remedy)
        self.assertIn("callbridgectl reconnect", one.remedy)
        settings = AlarmSettings(certificate_days=10)
        self.assertEqual(self.wrong(settings, links=[link(certificate=certificate)]), [])

    def test_ended(self) -> None:
        """One that has ended since the link was made does no harm before the next one."""
        certificate = shown(NOW - timedelta(days=80), NOW - timedelta(hours=1))
        (one,) = self.wrong(links=[link(certificate=certificate)])
        self.assertIs(one.severity, Severity.WARNING)
        self.assertIn("expired on 2026-11-25 11:00 UTC", one.text)


class BackendTests(ConditionCase):
    """User backends, out of their status."""

    def down(self, text: str) -> Condition:
        error = StepFailure(Step.LOGIN, Reason.LINK_LOST, f"http:hook: {text}").as_json()
        users = [{"backend": "file:users", "last_error": None}]
        (one,) = self.wrong(users=[*users, {"backend": "http:hook", "last_error": error}])
        return one

    def test_down(self) -> None:
        """One that could not look; where it says why, that is the reason."""
        one = self.down("connect-refused: No connection to 192.0.2.1. Is it up?")
        self.assertEqual(one.key, (Kind.BACKEND_DOWN, "http:hook"))
        self.assertEqual((one.step, one.reason), (Step.LOGIN, Reason.CONNECT_REFUSED))
        self.assertIs(one.severity, Severity.CRITICAL)
        self.assertIn("http:hook: connect-refused: No connection", one.text)
        self.assertIn("On the host of cb1: ", one.remedy)

    def test_without_reason(self) -> None:
        """Others are lost."""
        self.assertEqual(self.down("it has a defect.").reason, Reason.LINK_LOST)


class LoginTests(ConditionCase):
    """Logins, out of their counts."""

    def rate(self, settings: AlarmSettings | None = None, **outcomes: int) -> list[Condition]:
        named = {outcome.replace("_", "-"): count for outcome, count in outcomes.items()}
        return self.wrong(settings, logins=Summary(named, None))

    def test_many(self) -> None:
        """Half of the logins, and twenty of them."""
        (one,) = self.rate(success=20, not_authorized=15, temporary_auth_failure=5, aborted=70)
        self.assertEqual(one.key, (Kind.LOGIN_FAILURES, "example.com"))
        self.assertEqual((one.step, one.reason), (Step.LOGIN, Reason.AUTHENTICATION_FAILURE))
        self.assertEqual(
            one.text,
            "Of 40 logins in the last five minutes, 20 failed: 15 not-authorized, "
            "5 temporary-auth-failure.",
        )
        self.assertIn("callbridgectl logins --failed", one.remedy)

    def test_few(self) -> None:
        """Less than half, or less than twenty, are none; nor are logins that were given up."""
        self.assertEqual(self.rate(success=21, not_authorized=20), [])
        self.assertEqual(self.rate(not_authorized=19), [])
        self.assertEqual(self.rate(aborted=1000), [])

    def test_settings(self) -> None:
        """Both can be set."""
        settings = AlarmSettings(login_failure_rate=10, login_failures=1)
        self.assertEqual(len(self.rate(settings, success=9, timeout=1)), 1)
        self.assertEqual(self.rate(settings, success=10, timeout=1), [])

    def test_reason(self) -> None:
        """What most of them failed with is the reason."""
        for outcome, reason in (
            ("timeout", Reason.TIMEOUT),
            ("link_lost", Reason.LINK_LOST),
            ("temporary_auth_failure", Reason.LINK_LOST),
            ("resource_constraint", Reason.RESOURCE_LIMIT),
            ("invalid_mechanism", Reason.AUTHENTICATION_FAILURE),
        ):
            (one,) = self.rate(not_authorized=9, **{outcome: 11})
            self.assertEqual(one.reason, reason)
