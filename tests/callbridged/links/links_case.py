"""Links over a network in memory, for the tests of them."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from bridgewire.steps import Reason, Step, StepFailure
from callbridged.links.discovery import Target
from callbridged.links.links import Links
from tests.callbridged.links.test_registration import Delegate
from tests.callbridged.links.test_retry import Highest
from tests.callbridged.network import HOSTS, Network, Zone, settings

ONE, TWO, THREE = list(HOSTS)[:3]
NO_RECORD = StepFailure(Step.SRV, Reason.NO_SUCH_SERVICE, "There is no SRV record.")


def at(host: str, priority: int = 10) -> Target:
    return Target(host, 5223, priority)


class LinksTestCase(SynchronousTestCase):
    """Links over a network in memory, that hold links to ``xmpp1`` and so on."""

    links: Links

    def setUp(self) -> None:
        self.network = Network()
        self.zone = Zone(at(ONE))
        self.delegate = Delegate()
        self.steps: list[tuple[Step, str, str]] = []

    def start(self, *targets: Target, limit: int | None = None, **changes: Any) -> None:
        if targets:
            self.zone.targets = targets
        self.links = Links(
            self.network,
            self.zone,
            self.zone,
            settings(**changes),
            self.delegate,
            limit=limit,
            on_step=lambda *step: self.steps.append(step),
            random=Highest(),
        )
        self.links.startService()
        self.network.settle()

    def states(self) -> dict[str, str]:
        return {str(one["target"]).split(":")[0]: str(one["state"]) for one in self.links.status()}

    def error(self, index: int = 0) -> tuple[str, str]:
        last: Any = self.links.status()[index]["last_error"]
        return last["step"], last["reason"]

    def using(self) -> list[str]:
        """Which servers the delegate may use."""
        return [link.target.host for link in self.delegate.links]
