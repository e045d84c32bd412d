"""Tests of callbridged.check.probe: one check of one server, within a daemon that goes on."""

from __future__ import annotations

import re

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from bridgewire.steps import Step
from callbridged.check.probe import Probe
from callbridged.check.running import Running
from callbridged.check.trace import Trace
from callbridged.links.discovery import Target
from tests.callbridged.network import HOSTS, Network, Zone, settings

HOST = next(iter(HOSTS))


class ProbeTests(SynchronousTestCase):
    """A probe of a server that answers all."""

    def test_leaves_nothing(self) -> None:
        """Once it has seen all steps it hangs up, and nothing of it goes on."""
        network, target = Network(), Target(HOST, 5223)
        running = Running(down=True)
        probe = Probe(network, Zone(target), settings(), target, Trace(None), running, {})
        walking = Deferred.fromCoroutine(probe.walk())
        server = network.accept(HOST)
        server.open()
        asked = server.type("<handshake/>")
        for _ in range(3):
            for one in re.findall(r"<iq[^>]*\bid=['\"]([^'\"]+)", asked):
                asked = server.type(f"<iq type='result' id='{one}' from='example.com'/>")
        server.close()
        walk = self.successResultOf(walking)
        self.assertIsNone(walk.failure)
        self.assertEqual(walk.outcomes[-1].step, Step.ACTIVE)
        network.pass_time(60)
        self.assertEqual(network.getDelayedCalls(), [])
