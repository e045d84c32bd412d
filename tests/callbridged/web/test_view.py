"""Tests of callbridged.web.pages.view: links of the status as pages show them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from bridgewire.steps import Reason, Step, StepFailure
from callbridged.web.pages.flow import Served
from callbridged.web.pages.view import link_views, served_by
from daemonkit.login_record import LoginRecord
from tests.callbridged.web.test_flow import a_link, upto


def status(*links: Any, former: Any = (), draining: bool = False) -> dict[str, Any]:
    return {
        "callbridge": "cb1",
        "domain": "example.com",
        "draining": draining,
        "links": list(links),
        "former": list(former),
    }


class LinkTests(SynchronousTestCase):
    """One link after the other."""

    def test_registered(self) -> None:
        """A link that is up is good, and says where it leads."""
        link = a_link("registered", *upto(Step.ACTIVE), tls="TLSv1.3", address="192.0.2.1:5223")
        (one,) = link_views(status(link), {"xmpp1.example.com:5223": Served(1, 0.1)})
        self.assertEqual((one.tone, one.tls, one.address), ("good", "TLSv1.3", "192.0.2.1:5223"))
        self.assertEqual(one.component, "cb1.example.com")
        self.assertEqual(one.rows[-1].progress, "done")
        self.assertIsNone(one.failed)

    def test_failed(self) -> None:
        """One that has failed is bad, by that step; one that is being made is neither."""
        error = StepFailure(Step.CONNECT, Reason.CONNECT_REFUSED, "No.")
        bad, calm = link_views(
            status(a_link("waiting", error=error), a_link("connecting", target="b:1")), {}
        )
        assert bad.failed is not None
        self.assertEqual((bad.tone, bad.failed.step, calm.tone), ("bad", Step.CONNECT, "calm"))
        self.assertNotEqual(bad.key, calm.key)

    def test_former(self) -> None:
        """While links move those with the former settings come last, with their own name."""
        link = a_link("registered", callbridge="old", domain="example.org")
        new, old = link_views(status(a_link("connecting"), former=[link]), {})
        self.assertEqual((new.age, old.age), ("", "former"))
        self.assertEqual(old.component, "old.example.org")
        self.assertNotEqual(new.key, old.key)  # they lead to the same server

    def test_newer(self) -> None:
        """A link that is to take the place of one that is up comes after it, with its own steps."""
        error = StepFailure(Step.REGISTER, Reason.AUTHENTICATION_FAILURE, "No.")
        steps = a_link("waiting", *upto(Step.REGISTER))["steps"]
        link = a_link("registered", *upto(Step.ACTIVE), newer="waiting", newer_steps=steps)
        old, newer = link_views(status({**link, "last_error": error.as_json()}), {})
        self.assertEqual((old.tone, old.age, newer.tone, newer.age), ("good", "", "bad", "newer"))
        assert newer.failed is not None
        self.assertEqual(newer.failed.step, Step.REGISTER)
        self.assertNotEqual(old.key, newer.key)

    def test_no_server(self) -> None:
        """Where no server is known there is one entry that says why."""
        error = StepFailure(Step.SRV, Reason.NO_SUCH_SERVICE, "No.")
        (one,) = link_views(status(a_link("waiting", target="", error=error)), {})
        self.assertEqual((one.target, one.tone), ("", "bad"))


class ServedTests(SynchronousTestCase):
    """What each XMPP server has asked."""

    def test_served(self) -> None:
        """Logins are counted by server, and the last one says how long they take."""
        now = datetime.now(UTC)
        records = [
            LoginRecord(now, "1", "", "d", "PLAIN", "", (server,), "success", seconds)
            for server, seconds in (("a:1", 0.1), ("b:1", 0.2), ("a:1", 0.3))
        ]
        self.assertEqual(served_by(records), {"a:1": Served(2, 0.3), "b:1": Served(1, 0.2)})
