"""Tests of callbridged.web.pages.flow: what the diagram shows of a link."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from bridgewire.steps import Reason, Step, StepFailure
from callbridged.web.pages.flow import Row, Served, make_rows

NOTHING = Served()
AT = "2026-11-25T12:00:00.000+00:00"


def a_link(
    state: str, *passed: Step, error: StepFailure | None = None, **more: Any
) -> dict[str, Any]:
    """An entry of ``links``, which has passed these steps."""
    steps = [
        {"step": str(one), "number": one.number, "text": f"{one}!", "seconds": 0.5, "at": AT}
        for one in passed
    ]
    return {
        "target": "xmpp1.example.com:5223",
        "state": state,
        "since": AT,
        "address": None,
        "tls": None,
        "ready": state == "registered",
        "last_error": error and error.as_json(),
        "steps": steps,
        **more,
    }


def upto(last: Step) -> list[Step]:
    return [one for one in Step if Step.PORT.number <= one.number <= last.number]


def failure(step: Step, reason: Reason = Reason.LINK_LOST) -> StepFailure:
    return StepFailure(step, reason, "It broke.", "Mend it.")


class RowTests(SynchronousTestCase):
    """Each step is done, under way, failed, not reached, or not needed."""

    def rows(
        self, link: dict[str, Any], served: Served = NOTHING, *, draining: bool = False
    ) -> dict[Step, Row]:
        rows = make_rows(link, "cb1.example.com", served, draining=draining)
        self.assertEqual([one.step for one in rows], list(Step))
        return {one.step: one for one in rows}

    def progress(self, link: dict[str, Any], **more: Any) -> str:
        """The first letters of all twelve."""
        return "".join(one.progress[0] for one in self.rows(link, **more).values())

    def test_registered(self) -> None:
        """A link that is up has done all of them but the login, which nobody has tried yet."""
        link = a_link("registered", *upto(Step.ACTIVE))
        self.assertEqual(self.progress(link), "dddddddddddo")
        rows = self.rows(link)
        self.assertEqual((rows[Step.TLS].text, rows[Step.TLS].seconds), ("tls!", 0.5))
        self.assertEqual(rows[Step.CONFIGURATION].text, "cb1.example.com")

    def test_logins(self) -> None:
        """Once its server has asked for a login that is done, too, and took its time."""
        link = a_link("registered", *upto(Step.ACTIVE))
        row = self.rows(link, served=Served(3, 0.25))[Step.LOGIN]
        self.assertEqual((row.progress, row.seconds), ("done", 0.25))

    def test_not_ready(self) -> None:
        """While draining, or before the server knows us, no login can be answered."""
        link = a_link("registered", *upto(Step.ACTIVE))
        self.assertEqual(self.progress(link, draining=True)[0], "o")
        self.assertEqual(self.progress({**link, "ready": False})[0], "o")

    def test_under_way(self) -> None:
        """Of a link that is being made the next step is under way."""
        for state, last, expected in (
            ("resolving", Step.SRV, "odddnooooooo"),
            ("connecting", Step.ADDRESS, "oddddnoooooo"),
            ("securing", Step.CONNECT, "odddddnooooo"),
            ("registering", Step.CERTIFICATE, "odddddddnooo"),
            ("registering", Step.REGISTER, "oddddddddnoo"),
            ("registered", Step.REGISTERED, "ddddddddddno"),
        ):
            self.assertEqual(self.progress(a_link(state, *upto(last))), expected, state)

    def test_failed(self) -> None:
        """The step that failed says why and what to do, and those after it are not reached."""
        error = failure(Step.CERTIFICATE, Reason.CERTIFICATE_NAME_MISMATCH)
        link = a_link("waiting", *upto(Step.TLS), error=error)
        self.assertEqual(self.progress(link), "oddddddfoooo")
        found = self.rows(link)[Step.CERTIFICATE].error
        assert found is not None
        self.assertEqual(
            (found.reason, found.text, found.remedy),
            ("certificate-name-mismatch", "It broke.", "Mend it."),
        )

    def test_failed_late(self) -> None:
        """A step that was begun well, and failed then, has failed; and so has what was up."""
        refused = a_link("waiting", *upto(Step.REGISTER), error=failure(Step.REGISTER))
        self.assertEqual(self.progress(refused), "odddddddfooo")
        late = a_link("waiting", *upto(Step.REGISTER), error=failure(Step.TLS))
        self.assertEqual(self.progress(late), "odddddfooooo")
        lost = a_link("waiting", *upto(Step.ACTIVE), error=failure(Step.ACTIVE))
        self.assertEqual(self.progress(lost), "odddddddddfo")

    def test_tried_again(self) -> None:
        """During the next attempt the failure stays in sight, until its step is passed."""
        error = failure(Step.CERTIFICATE)
        self.assertEqual(
            self.progress(a_link("connecting", *upto(Step.ADDRESS), error=error)), "oddddnofoooo"
        )
        link = a_link("registering", *upto(Step.CERTIFICATE), error=error)
        self.assertEqual(self.progress(link), "odddddddnooo")
        link = a_link("registered", *upto(Step.ACTIVE), error=error)
        self.assertNotIn("f", self.progress(link))

    def test_no_servers(self) -> None:
        """Where the DNS names no server the steps end there."""
        link = a_link("waiting", error=failure(Step.SRV, Reason.NO_SUCH_SERVICE), target="")
        self.assertEqual(self.progress(link), "oddfoooooooo")

    def test_address_set(self) -> None:
        """With a server address there is no SRV lookup."""
        passed = [one for one in upto(Step.ACTIVE) if one is not Step.SRV]
        self.assertEqual(self.progress(a_link("registered", *passed)), "dddsdddddddo")

    def test_lanes(self) -> None:
        """A step is between the Call Bridge and the DNS, or an XMPP server, or its own affair."""
        lanes = [one.lane for one in self.rows(a_link("waiting")).values()]
        self.assertEqual(lanes, ["bridge"] * 3 + ["dns"] * 2 + ["xmpp"] * 7)
        for row in self.rows(a_link("waiting")).values():
            self.assertEqual(row.direction == "own", row.lane == "bridge")
