"""A network that swallows packets and tells nobody. Needs root, ip and iptables."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time

from twisted.trial import unittest

from tests.support.site import Site
from tests.support.waiting import wait_until

INTERVAL = 1.0
TIMEOUT = 1.0


class Wire:
    """Two network namespaces, a veth pair between them; ``cut`` drops what arrives at each end."""

    #: From 198.18.0.0/15, which is set aside for tests of network equipment (RFC 2544).
    addresses = ("198.18.7.1", "198.18.7.2")

    def __init__(self) -> None:
        self.spaces = [f"callbridge-{os.getpid()}-{end}" for end in "ab"]
        ends = [f"cb{os.getpid()}{end}" for end in "ab"]
        try:
            for space in self.spaces:
                ip("netns", "add", space)
            (here, there) = self.spaces
            ip(
                *("link", "add", ends[0], "netns", here, "type", "veth"),
                *("peer", "name", ends[1], "netns", there),
            )
            for space, end, address in zip(self.spaces, ends, self.addresses, strict=True):
                inside = enter(space)
                command([*inside, "ip", "addr", "add", f"{address}/30", "dev", end])
                command([*inside, "ip", "link", "set", "lo", "up"])
                command([*inside, "ip", "link", "set", end, "up"])
        except BaseException:
            self.remove()
            raise

    def prefix(self, at: int) -> list[str]:
        """What to put before a command to run it at this end."""
        return enter(self.spaces[at])

    def cut(self) -> None:
        self._rule("-A")

    def mend(self) -> None:
        self._rule("-D")

    def _rule(self, action: str) -> None:
        for at in (0, 1):
            # Loopback within an end goes on working: only the wire is cut.
            rule = [action, "INPUT", "!", "-i", "lo", "-j", "DROP"]
            command([*self.prefix(at), "iptables", "-w", *rule])

    def remove(self) -> None:
        for space in self.spaces:
            with contextlib.suppress(AssertionError):
                ip("netns", "del", space)


def enter(space: str) -> list[str]:
    """Runs a command in a namespace. (`ip netns exec` wants to mount, and may not in a chroot.)"""
    return ["nsenter", f"--net=/run/netns/{space}", "--"]


def ip(*arguments: str) -> None:
    command(["ip", *arguments])


def command(words: list[str]) -> None:
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
    )
    if done.returncode:
        raise AssertionError(f"{' '.join(words)}: exit {done.returncode}: {done.stderr}")


class BlackHoleTests(unittest.SynchronousTestCase):
    """xmppd at one end of the wire, callbridged at the other."""

    def setUp(self) -> None:
        self.wire = Wire()
        self.addCleanup(self.wire.remove)
        self.site = Site()
        self.addCleanup(self.site.close)
        pings = {"ping_interval": f"{INTERVAL:g}s", "ping_timeout": f"{TIMEOUT:g}s"}
        self.server = self.site.server(
            address=self.wire.addresses[0],
            certificate_ip=[self.wire.addresses[0]],
            settings={"component": pings},
            prefix=self.wire.prefix(0),
        )
        self.bridge = self.site.bridge(
            settings={
                "callbridge": {"server_address": self.wire.addresses[0]},
                "dns": {"nameservers": None},
                "link": {**pings, "connect_timeout": "1s"},
            },
            prefix=self.wire.prefix(1),
        )
        self.site.enrol(self.bridge)
        self.server.start()
        self.bridge.start()
        self.server.wait_state("cb1", "registered")
        self.bridge.wait_registered(1)

    def test_both_ends_notice_and_recover(self) -> None:
        """Both ends see the dead link within interval + timeout + 1 s, and mend when it ends."""
        for _ in range(2):
            mark = self.bridge.process.mark()
            since = time.monotonic()
            self.wire.cut()
            waiting = {"server", "bridge"}

            def gone(waiting: set[str] = waiting) -> bool:
                if self.server.state("cb1") == "down":
                    waiting.discard("server")
                if not self.bridge.registered():
                    waiting.discard("bridge")
                return not waiting

            wait_until(
                "both ends notice",
                gone,
                explain=lambda: self.server.explain() + self.bridge.explain(),
            )
            took = time.monotonic() - since
            self.assertLess(took, INTERVAL + TIMEOUT + 1.0)
            self.bridge.process.wait_for(r"\(active\) failed, (timeout|link-lost)\b", since=mark)
            self.assertEqual(self.bridge.status()["authentication_service"], "down")
            self.wire.mend()
            self.bridge.wait_registered(1)
            self.server.wait_serving("cb1")
