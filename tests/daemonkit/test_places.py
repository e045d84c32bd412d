"""Tests for `daemonkit.places`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from daemonkit.places import Places


class PlacesTests(SynchronousTestCase):
    """Places for connections."""

    def setUp(self) -> None:
        self.places = Places(8, 2)

    def test_one_address(self) -> None:
        """One address gets its share, and gets a place back for each that it leaves."""
        self.assertEqual([self.places.enter("192.0.2.1") for _ in range(3)], [True, True, False])
        self.places.leave("192.0.2.1")
        self.assertTrue(self.places.enter("192.0.2.1"))

    def test_all_addresses(self) -> None:
        """Many addresses together get no more than there are."""
        let_in = [self.places.enter(f"192.0.2.{n}") for n in range(10)]
        self.assertEqual(let_in, [True] * 8 + [False] * 2)
        self.assertEqual(len(self.places), 8)

    def test_ipv6(self) -> None:
        """Addresses of one /64 count as one; others, and UNIX sockets, by themselves."""
        hosts = ("2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1", "fe80::1%eth0", "")
        let_in = [self.places.enter(host) for host in hosts]
        self.assertEqual(let_in, [True, True, False, True, True, True])

    def test_no_limit(self) -> None:
        """0 is no limit, in all or for one address."""
        for places in (Places(0, 0), Places(100, 0)):
            self.assertTrue(all(places.enter("192.0.2.1") for _ in range(100)))
        places = Places(0, 1)
        self.assertTrue(all(places.enter(f"192.0.2.{n}") for n in range(100)))
        self.assertFalse(places.enter("192.0.2.1"))

    def test_unlimited_address(self) -> None:
        """Some addresses have no share, and take places all the same."""
        places = Places(8, 2, {"192.0.2.1"})
        self.assertEqual([places.enter("192.0.2.1") for _ in range(9)], [True] * 8 + [False])

    def test_nothing_left(self) -> None:
        """Addresses that are gone, or were refused, are not remembered."""
        for number in range(100):
            self.places.enter(f"192.0.2.{number}")
        for number in range(8):
            self.places.leave(f"192.0.2.{number}")
        self.assertEqual((len(self.places), dict(self.places._count)), (0, {}))
