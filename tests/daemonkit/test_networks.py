"""Tests for `daemonkit.networks`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from daemonkit.networks import network_of


class Networks(SynchronousTestCase):
    def test_networks(self) -> None:
        """An IPv4 address stands for itself, an IPv6 address for its /64, and no address stays."""
        for host, network in {
            "203.0.113.7": "203.0.113.7",
            "::ffff:203.0.113.7": "203.0.113.7",
            "2001:db8:0:1:2:3:4:5": "2001:db8:0:1::/64",
            "fe80::1%eth0": "fe80::/64",
            "": "",
            "a UNIX socket": "a UNIX socket",
        }.items():
            self.assertEqual(network_of(host), network)
