"""Tests for `xmppd.unauthenticated`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from xmppd.unauthenticated import Unauthenticated


class UnauthenticatedTests(SynchronousTestCase):
    """Places for peers that have not proved who they are."""

    def setUp(self) -> None:
        self.places = Unauthenticated(8)

    def test_one_address(self) -> None:
        """One address gets a quarter, and gets a place back for each that it leaves."""
        self.assertEqual([self.places.enter("192.0.2.1") for _ in range(3)], [True, True, False])
        self.places.leave("192.0.2.1")
        self.assertTrue(self.places.enter("192.0.2.1"))

    def test_all_addresses(self) -> None:
        """Many addresses together get no more than there are."""
        let_in = [self.places.enter(f"192.0.2.{n}") for n in range(10)]
        self.assertEqual(let_in, [True] * 8 + [False] * 2)

    def test_ipv6(self) -> None:
        """Addresses of one /64 count as one; others, and UNIX sockets, by themselves."""
        hosts = ("2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1", "fe80::1%eth0", "")
        let_in = [self.places.enter(host) for host in hosts]
        self.assertEqual(let_in, [True, True, False, True, True, True])
