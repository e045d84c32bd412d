"""The state tables are total: what they leave out is listed beside them, with its reason."""

from __future__ import annotations

from types import ModuleType

from twisted.trial.unittest import SynchronousTestCase

from tests.support.tables import inputs, pairs
from xmppd.clients import table as client
from xmppd.components import table as component


class TablesAreTotal(SynchronousTestCase):
    """Every pair of state and input has a transition, or a reason why it cannot occur."""

    def check(self, module: ModuleType, protocol: type) -> None:
        covered, states = pairs(module.make_table())
        every = {(state, given) for state in states for given in inputs(protocol)}
        holes = set(module.HOLES)
        self.assertEqual(every - covered - holes, set(), "neither covered nor listed as a hole")
        self.assertEqual(covered & holes, set(), "listed as holes, but covered")
        self.assertEqual(holes - every, set(), "listed, but no such pair")
        self.assertTrue(all(module.HOLES.values()), "a hole needs its reason")

    def test_component(self) -> None:
        """A component's stream."""
        self.check(component, component.ComponentInputs)

    def test_client(self) -> None:
        """A client's stream."""
        self.check(client, client.ClientInputs)
