"""Tests of callbridged.links.link: the table, played against a recorder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from bridgewire.steps import Reason, Step, StepFailure
from callbridged.links import link, refusals
from callbridged.links.link_interface import LinkActions, LinkInputs, State
from tests.support.tables import inputs, pairs

BROKEN = StepFailure(Step.CONNECT, Reason.CONNECT_REFUSED, "Nobody listens.")


class Recorder:
    """Actions that only write themselves down."""

    def __init__(self) -> None:
        self.done: list[Any] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        def note(*arguments: object) -> None:
            self.done.append((name, *arguments) if arguments else name)

        return note

    def take(self) -> list[Any]:
        """Answer what was done since the last time."""
        done, self.done = self.done, []
        return done


class LinkTableTests(SynchronousTestCase):
    """What a link does about what happens."""

    def setUp(self) -> None:
        self.recorder = Recorder()
        actions: LinkActions = self.recorder
        self.machine: LinkInputs = link.LinkMachine(actions)

    def reach(self, *steps: str) -> None:
        """Go the usual way for as far as ``steps`` say, and forget what was done."""
        for step in steps:
            arguments: dict[str, list[Any]] = {
                "resolved": [["192.0.2.1"]],
                "lost": [None],
                "failed": [BROKEN],
            }
            getattr(self.machine, step)(*arguments.get(step, []))
        self.recorder.take()

    def did(self, *expected: Any) -> None:
        self.assertEqual(self.recorder.take(), list(expected))

    def test_total(self) -> None:
        """Every pair of state and input has a transition, or a reason why it cannot occur."""
        table: Any = link.make_table()
        covered, states = pairs(table)
        every = {(state, given) for state in states for given in inputs(LinkInputs)}
        holes = set(link.HOLES)
        self.assertEqual(every - covered - holes, set(), "neither covered nor listed as a hole")
        self.assertEqual(covered & holes, set(), "listed as holes, but covered")
        self.assertEqual(holes - every, set(), "listed, but no such pair")

    def test_all_goes_well(self) -> None:
        """A link resolves, dials, lets TLS happen, registers, and is used from then on."""
        self.machine.start()
        self.did(("show", State.RESOLVING), "resolve")
        self.machine.resolved(["192.0.2.1"])
        self.did(("show", State.CONNECTING), ("dial", ["192.0.2.1"]))
        self.machine.connected()
        self.did(("show", State.SECURING), "start_clock")
        self.machine.secured()
        self.did(("show", State.REGISTERING), "register")
        self.machine.accepted()
        self.did("stop_clock", ("show", State.REGISTERED), "activate")

    def test_no_connection(self) -> None:
        """A failure before there is a connection is noted, and the link waits, then starts over."""
        for steps in ((), ("resolved",)):
            self.setUp()
            self.reach("start", *steps)
            self.machine.failed(BROKEN)
            self.did(("note", BROKEN), "wait")
            self.machine.retry()
            self.did(("show", State.RESOLVING), "resolve")

    def test_refused(self) -> None:
        """A refusal on a connection hangs up, and the wait begins when the connection is gone."""
        for steps in (("connected",), ("connected", "secured")):
            self.setUp()
            self.reach("start", "resolved", *steps)
            self.machine.failed(BROKEN)
            self.did("stop_clock", ("note", BROKEN), "hang_up")
            self.machine.closed()
            self.machine.failed(BROKEN)
            self.did()
            self.machine.lost(None)
            self.did("wait")

    def test_lost_early(self) -> None:
        """A connection lost on the way is a failure of the step it was in, unless it says why."""
        for steps, default in (
            (("connected",), refusals.LOST_SECURING),
            (("connected", "secured"), refusals.LOST_REGISTERING),
        ):
            for why in (None, BROKEN):
                self.setUp()
                self.reach("start", "resolved", *steps)
                self.machine.lost(why)
                self.did("stop_clock", ("note", why or default), "wait")

    def test_overdue(self) -> None:
        """A server that is silent for too long is cut off, and the failure names the step."""
        for steps, expected in (
            (("connected",), refusals.SLOW_SECURING),
            (("connected", "secured"), refusals.SLOW_REGISTERING),
        ):
            self.setUp()
            self.reach("start", "resolved", *steps)
            self.machine.overdue()
            self.did(("note", expected), "cut")
            self.machine.lost(None)
            self.did("wait")

    def registered(self) -> None:
        self.setUp()
        self.reach("start", "resolved", "connected", "secured", "accepted")

    def test_registered_then_gone(self) -> None:
        """However a registered link ends, it is withdrawn first and then tried again."""
        self.registered()
        self.machine.lost(None)
        self.did("withdraw", ("note", refusals.LOST_REGISTERED), "wait")
        self.registered()
        self.machine.closed()
        self.did("withdraw", ("note", refusals.CLOSED_REGISTERED), "hang_up")
        self.machine.lost(None)
        self.did("wait")
        self.registered()
        self.machine.failed(BROKEN)
        self.did("withdraw", ("note", BROKEN), "hang_up")

    def test_closed_while_registering(self) -> None:
        """A server that closes its stream before it confirms has not confirmed."""
        self.reach("start", "resolved", "connected", "secured")
        self.machine.closed()
        self.did("stop_clock", ("note", refusals.LOST_REGISTERING), "hang_up")

    def test_postponed(self) -> None:
        """A link to a target that has just failed begins by waiting."""
        self.machine.postpone()
        self.did(("show", State.WAITING), "wait")
        self.machine.retry()
        self.did(("show", State.RESOLVING), "resolve")

    def test_stopped_without_connection(self) -> None:
        """Stopping where there is no connection ends the link at once."""
        self.machine.stop()
        self.did("finish")
        for steps in (("start",), ("start", "resolved")):
            self.setUp()
            self.reach(*steps)
            self.machine.stop()
            self.did("abandon", "finish")
        self.setUp()
        self.reach("start", "failed")
        self.machine.stop()
        self.did("stop_waiting", "finish")
        self.machine.stop()
        self.did()

    def test_stopped_with_connection(self) -> None:
        """Stopping where there is a connection ends the link when that is closed."""
        for steps in (("connected",), ("connected", "secured")):
            self.setUp()
            self.reach("start", "resolved", *steps)
            self.machine.stop()
            self.did("stop_clock", "hang_up")
            self.machine.lost(None)
            self.did("finish")
        self.setUp()
        self.reach("start", "resolved", "connected", "failed")
        self.machine.stop()
        self.did()
        self.machine.lost(None)
        self.did("finish")

    def test_drained(self) -> None:
        """A registered link that is stopped drains, then hangs up, then is over."""
        self.registered()
        self.machine.stop()
        self.did("drain")
        self.machine.stop()
        self.did()
        self.machine.drained()
        self.did("withdraw", "hang_up")
        self.machine.lost(None)
        self.did("finish")

    def test_trouble_while_draining(self) -> None:
        """What ends a draining link ends it for good."""
        self.registered()
        self.reach("stop")
        self.machine.lost(None)
        self.did("withdraw", "finish")
        for ending in ("closed", "failed"):
            self.registered()
            self.reach("stop")
            getattr(self.machine, ending)(*([BROKEN] if ending == "failed" else []))
            self.did("withdraw", "hang_up")
