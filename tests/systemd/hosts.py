"""Two hosts with a systemd, and the network between them.

    198.51.100.7  inside ---- outside ---- edge  192.0.2.1
                         a name server
                          all clients

Each is a network namespace of its own. ``outside`` passes packets on, and there is no way to the
world. The hosts are Debian roots with a systemd that has booted.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

from tests.support.booted import Host
from tests.support.debian_root import DebianRoot
from tests.support.network import NetworkNamespace
from tests.support.zones import Dnsmasq, Zone

EDGE, INSIDE = "192.0.2.1", "198.51.100.7"
#: The ends outside of the wires to them.
GATEWAYS = {EDGE: "192.0.2.254", INSIDE: "198.51.100.254"}


class TwoHosts:
    """``edge`` and ``inside``, of ``root``, up. ``close`` ends all, and leaves nothing behind."""

    def __init__(self, root: DebianRoot, zone: Zone) -> None:
        #: What is to be done at the end, the last one first.
        self.ends = contextlib.ExitStack()
        try:
            # Not below the test runner's directory: a UNIX socket path has at most 107 bytes.
            self.directory = Path(tempfile.mkdtemp(prefix="callbridge-"))
            self.ends.callback(shutil.rmtree, self.directory)
            self._make_hosts(root, *self._make_network(zone))
            self._set_up()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self.ends.close()

    def _set_up(self) -> None:
        """What a subclass makes of them."""

    def _make_network(self, zone: Zone) -> list[NetworkNamespace]:
        self.outside, *hosts = spaces = [NetworkNamespace() for _ in range(3)]
        for space in spaces:
            self.ends.callback(space.close)
        self.outside.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
        for space, address in zip(hosts, (EDGE, INSIDE), strict=True):
            space.connect(address, self.outside, GATEWAYS[address])
        nameserver = Dnsmasq(zone, self.directory, GATEWAYS[EDGE], 53)
        with self.outside.entered():
            nameserver.start()
        self.ends.callback(nameserver.stop)
        return hosts

    def _make_hosts(self, root: DebianRoot, *networks: NetworkNamespace) -> None:
        """Two that are the same but for their names."""
        self.edge, self.inside = (
            Host(name, root, self.directory / name, network)
            for name, network in zip(("xmpp1", "cb1"), networks, strict=True)
        )
        for host in (self.edge, self.inside):
            self.ends.callback(host.end)
            host.boot()
            host.write("/etc/resolv.conf", f"nameserver {GATEWAYS[EDGE]}\n", 0o644)
