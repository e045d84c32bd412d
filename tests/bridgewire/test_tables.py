"""Tests for `bridgewire.tables`."""

from __future__ import annotations

from typing import Protocol

from automat import NoTransition
from automat._core import Automaton
from twisted.trial.unittest import SynchronousTestCase

from bridgewire.tables import new_table


class Inputs(Protocol):
    def push(self) -> None: ...

    def pull(self) -> None: ...


class Actions:
    def __init__(self) -> None:
        self.done: list[str] = []


class TableTests(SynchronousTestCase):
    """A table behaves as one of Automat's, and looks its transitions up."""

    def setUp(self) -> None:
        table = new_table(Inputs, Actions)
        shut = table.state("shut")
        opened = table.state("opened")

        @shut.upon(Inputs.push).to(opened)
        def push(_: Inputs, actions: Actions) -> None:
            actions.done.append("push")

        @opened.upon(Inputs.pull).to(shut)
        def pull(_: Inputs, actions: Actions) -> None:
            actions.done.append("pull")

        self.machine = table.build()

    def test_transitions(self) -> None:
        """Machines of one table go their own ways."""
        first, second = Actions(), Actions()
        one, two = self.machine(first), self.machine(second)
        one.push()
        one.pull()
        one.push()
        two.push()
        self.assertEqual((first.done, second.done), (["push", "pull", "push"], ["push"]))

    def test_no_transition(self) -> None:
        """What the table does not have is an error, as with Automat."""
        self.assertRaises(NoTransition, self.machine(Actions()).pull)

    def test_looked_up(self) -> None:
        """Automat's search is not used: this Automat has the place where ours goes in."""

        def search(*_: object) -> None:
            raise AssertionError("searched")

        self.patch(Automaton, "outputForInput", search)
        self.machine(Actions()).push()
