"""Tests of daemonkit.activation."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from daemonkit import activation
from daemonkit.activation import Passed, passed, share

V4, V6 = socket.AF_INET, socket.AF_INET6


class _Adopted:
    """What Twisted makes of ``systemd:domain=INET:index=0``, with the descriptor in it."""

    def __init__(self, fileno: int) -> None:
        self.fileno = fileno


class ActivationTests(SynchronousTestCase):
    """Descriptors like those that systemd passes on; which of them have names is Twisted's part."""

    def setUp(self) -> None:
        self.named: dict[str, int] = {}
        self.patch(activation, "serverFromString", self.server_from_string)

    def server_from_string(self, _: object, text: str) -> _Adopted:
        return _Adopted(self.named[text])

    def shared(
        self, endpoints: Sequence[str], *sockets: Passed
    ) -> tuple[dict[str, list[str]], list[Passed]]:
        for one in sockets:
            self.named[one.endpoint] = 3 + one.index
        return share(endpoints, sockets)

    def listen(self, family: socket.AddressFamily, host: str) -> socket.socket:
        listening = socket.socket(family)
        self.addCleanup(listening.close)
        listening.bind((host, 0) if host else self.mktemp())
        listening.listen(1)
        return listening

    def test_nothing(self) -> None:
        """Without systemd, nothing has been passed on, and every endpoint is listened on anew."""
        self.assertEqual(passed(), [])
        self.assertEqual(
            self.shared(["tcp:5222", "unix:x"]),
            ({"tcp:5222": ["tcp:5222"], "unix:x": ["unix:x"]}, []),
        )

    def test_passed(self) -> None:
        """Each socket is known by its family, address and port, and stays open."""
        sockets = [
            self.listen(V6, "::1"),
            self.listen(V4, "127.0.0.1"),
            self.listen(socket.AF_UNIX, ""),
        ]
        for place, one in enumerate(sockets):
            self.named[f"systemd:domain=INET:index={place}"] = one.fileno()
        six, four, unix = passed()
        self.assertEqual(six, Passed(0, V6, "::1", sockets[0].getsockname()[1]))
        self.assertEqual(str(six), f"[::1]:{six.port}")
        self.assertEqual(six.endpoint, "systemd:domain=INET6:index=0")
        self.assertEqual(four, Passed(1, V4, "127.0.0.1", sockets[1].getsockname()[1]))
        self.assertEqual(unix, Passed(2, socket.AF_UNIX, sockets[2].getsockname()))
        self.assertEqual(str(unix), sockets[2].getsockname())
        self.assertTrue(all(one.getsockname() for one in sockets))

    def test_port(self) -> None:
        """An endpoint without an interface means every socket at its port, of whichever kind."""
        found = self.shared(
            ["tcp:5222", "tcp:port=5223:backlog=9"],
            Passed(0, V4, "0.0.0.0", 5222),
            Passed(1, V6, "2001:db8::1", 5222),
            Passed(2, V6, "::", 5223),
        )
        self.assertEqual(
            found,
            (
                {
                    "tcp:5222": ["systemd:domain=INET:index=0", "systemd:domain=INET6:index=1"],
                    "tcp:port=5223:backlog=9": ["systemd:domain=INET6:index=2"],
                },
                [],
            ),
        )

    def test_interface(self) -> None:
        """One with an interface means that address alone, and is nearer than one without."""
        found, unused = self.shared(
            [
                "tcp:5222",
                "tcp:5222:interface=192.0.2.1",
                "tcp6:5222:interface=2001\\:db8\\:0\\:\\:1",
                "tcp:5223:interface=192.0.2.1",
            ],
            Passed(0, V4, "192.0.2.1", 5222),
            Passed(1, V6, "2001:db8::1", 5222),
            Passed(2, V4, "192.0.2.7", 5222),
            Passed(3, V6, "::", 5223),
        )
        self.assertEqual(
            found,
            {
                "tcp:5222": ["systemd:domain=INET:index=2"],
                "tcp:5222:interface=192.0.2.1": ["systemd:domain=INET:index=0"],
                "tcp6:5222:interface=2001\\:db8\\:0\\:\\:1": ["systemd:domain=INET6:index=1"],
                "tcp:5223:interface=192.0.2.1": ["tcp:5223:interface=192.0.2.1"],
            },
        )
        self.assertEqual([str(one) for one in unused], ["[::]:5223"])

    def test_kinds(self) -> None:
        """Where there are both kinds of endpoint, each takes its own kind of socket."""
        found, _ = self.shared(
            ["tcp:5222", "tcp6:5222"], Passed(0, V6, "::", 5222), Passed(1, V4, "0.0.0.0", 5222)
        )
        self.assertEqual(found["tcp:5222"], ["systemd:domain=INET:index=1"])
        self.assertEqual(found["tcp6:5222"], ["systemd:domain=INET6:index=0"])

    def test_named(self) -> None:
        """A socket that a setting takes by systemd's name or index is in use."""
        self.named["systemd:domain=INET6:name=web"] = 4
        by_name = "systemd:domain=INET6:name=web"
        found, unused = self.shared(
            ["systemd:domain=INET6:index=0", by_name],
            Passed(0, V6, "::", 5222),
            Passed(1, V6, "::", 5443),
            Passed(2, socket.AF_UNIX, "/run/x"),
        )
        self.assertEqual(found[by_name], [by_name])
        self.assertEqual([str(one) for one in unused], ["/run/x"])

    def test_any_port(self) -> None:
        """``tcp:0`` is some port of its own, and a UNIX socket has none."""
        found, unused = self.shared(["tcp:0"], Passed(0, socket.AF_UNIX, "/run/x"))
        self.assertEqual((found, len(unused)), ({"tcp:0": ["tcp:0"]}, 1))
