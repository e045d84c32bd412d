"""Daemons that do not start, or should not have, and what only the check of a server tells."""

from __future__ import annotations

import functools
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.integration.faults.look import FaultCase, Seen, look
from tests.integration.faults.table import Row, provokes
from tests.support.impostors import Talker
from tests.support.site import CallBridge, Daemon, Settings, Site, XmppServer
from tests.support.small_disk import SmallDisk

#: Root without what makes root special.
UNPRIVILEGED = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")


@functools.cache
def seen() -> dict[str, Seen]:
    """Each daemon is named after what is wrong with it, and was started if it can be."""
    site = Site()
    try:
        daemons = {one.name: one for one in (*bridges(site), *servers(site))}
        for name, daemon in daemons.items():
            if "idle" not in name:
                daemon.process.start()
        taken = daemons["edge-port"]
        assert isinstance(taken, XmppServer)
        with Talker(taken.address, taken.component_port), ThreadPoolExecutor(3) as pool:
            return dict(pool.map(one_look, daemons.items()))
    finally:
        site.close()


def one_look(item: tuple[str, Daemon]) -> tuple[str, Seen]:
    name, daemon = item
    if name in ("inside-foreign", "inside-frozen"):
        daemon.process.wait_while_running("it answers", daemon.peek)
        if name == "inside-frozen":
            daemon.freeze()
        else:
            for path in (daemon.directory / "secret", daemon.socket):
                path.chmod(0)
    elif "idle" not in name:
        assert daemon.process.wait() != 0, daemon.process.tail()
    prefix = UNPRIVILEGED if name in ("inside-foreign", "edge-state") else ()
    return name, look(daemon, prefix=prefix)


def bridges(site: Site) -> list[CallBridge]:
    empty = site.directory / "empty"
    empty.touch(mode=0o600)
    _, key = site.ca.issue("another", dns=["another.example.com"])

    def bridge(name: str, settings: Settings) -> CallBridge:
        here = {"callbridge": {"server_address": "127.0.0.1:1", **settings.get("callbridge", {})}}
        return site.bridge(name, settings={**settings, **here})

    damaged = bridge("inside-overlay", {})
    (damaged.directory / "overlay.ini").write_text("[callbridge]\nnames = cb1\n")
    crt, page_key = site.ca.issue("no-page", dns=["cb1.example.com"], server=False)
    page = {"listen": "tcp:8443", "certificate": crt, "private_key": page_key}
    return [
        damaged,
        bridge("inside-idle", {}),
        bridge("inside-idle-page", {"admin": page}),
        bridge("inside-key", {"link": {"ping_intervall": "3s"}}),
        bridge("inside-secret", {"callbridge": {"secret_file": empty}}),
        bridge("inside-pair", {"tls": {"private_key": key}}),
        bridge("inside-foreign", {}),
        bridge("inside-frozen", {}),
    ]


def servers(site: Site) -> list[XmppServer]:
    state = site.directory / "state"
    state.mkdir(mode=0o500)
    return [
        site.server("edge-idle", "127.0.0.2"),
        site.server("edge-key", "127.0.0.2", settings={"client": {"login_timeoutt": "3s"}}),
        site.server(
            "edge-state",
            "127.0.0.2",
            settings={"xmppd": {"state_directory": state}},
            prefix=UNPRIVILEGED,
        ),
        site.server("edge-port", "127.0.0.2"),
    ]


class DownTests(FaultCase):
    """Daemons that do not run."""

    @provokes("callbridgectl", "The daemon is not running: there is no control socket")
    def test_idle(self, row: Row) -> None:
        """Nobody has started it."""
        self.shows(row, seen()["inside-idle"])

    @provokes("callbridgectl", "is not meant for a web page, and browsers refuse it")
    def test_page(self, row: Row) -> None:
        """The certificate of the web page is for clients only."""
        self.shows(row, seen()["inside-idle-page"])

    @provokes("callbridgectl", "has no key")
    def test_key(self, row: Row) -> None:
        """A key is misspelt."""
        self.shows(row, seen()["inside-key"])

    @provokes("callbridgectl", "overlay.ini cannot be used")
    def test_overlay(self, row: Row) -> None:
        """What the page has set was edited by hand, wrongly."""
        self.shows(row, seen()["inside-overlay"])

    @provokes("callbridgectl", "has 0 lines. Put the secret into it, in one line.")
    def test_secret(self, row: Row) -> None:
        """The secret is not there yet."""
        self.shows(row, seen()["inside-secret"])

    @provokes("callbridgectl", "this private key does not belong to the certificate")
    def test_pair(self, row: Row) -> None:
        """Key and certificate were not made together."""
        self.shows(row, seen()["inside-pair"])

    @provokes("callbridgectl", "The daemon has not answered on ... within ... s.")
    def test_frozen(self, row: Row) -> None:
        """It is frozen."""
        self.shows(row, seen()["inside-frozen"])

    @provokes("callbridgectl", "This user may not open the control socket")
    def test_foreign(self, row: Row) -> None:
        """It runs, and the operator is not root."""
        self.shows(row, seen()["inside-foreign"])

    @provokes("xmppctl", "The daemon is not running: there is no control socket")
    def test_edge_idle(self, row: Row) -> None:
        """Nobody has started it."""
        self.shows(row, seen()["edge-idle"])

    @provokes("xmppctl", "has no key")
    def test_edge_key(self, row: Row) -> None:
        """A key is misspelt."""
        self.shows(row, seen()["edge-key"])

    @provokes("xmppctl", "may not be written to by this user.")
    def test_state(self, row: Row) -> None:
        """The state directory belongs to somebody else."""
        self.shows(row, seen()["edge-state"])

    @provokes("xmppctl", "cannot be had: address already in use.")
    def test_port(self, row: Row) -> None:
        """Somebody else has the port."""
        self.shows(row, seen()["edge-port"])


@functools.cache
def alone() -> tuple[Seen, Seen]:
    """A server that runs, with a bad certificate and bad records, before and after a bad reload."""
    site = Site()
    disk = SmallDisk(site.directory / "state")
    try:
        state = {"xmppd": {"state_directory": disk.path}}
        server = site.server(certificate_names=["example.com"], settings=state)
        site.zone.srv = [(10, 10, 5269, server.fqdn)]
        site.zone.hosts[server.fqdn] = ["192.0.2.1"]
        append(site.directory / "ca" / "xmpp1.crt", site.ca.issue("stranger")[0])
        site.nameserver.start()
        server.start()
        disk.fill()
        records = f"--nameserver={site.nameserver.where}"
        before = look(server, records)
        shutil.copy(site.ca.issue("other")[1], site.directory / "ca" / "xmpp1.key")
        assert server.command("reload", check=False).returncode == 1
        return before, look(server, records)
    finally:
        disk.remove()
        site.close()


def append(path: Path, other: Path) -> None:
    path.write_bytes(path.read_bytes() + other.read_bytes())


class AloneTests(FaultCase):
    """A server that no Call Bridge could use."""

    @provokes("xmppctl", "none is known, and nobody could log in.")
    def test_nobody(self, row: Row) -> None:
        """No Call Bridge may connect."""
        self.shows(row, alone()[0])

    @provokes("xmppctl", "lacks the server's host name")
    def test_host(self, row: Row) -> None:
        """Its certificate lacks a name."""
        self.shows(row, alone()[0])

    @provokes("xmppctl", "did not issue")
    def test_chain(self, row: Row) -> None:
        """Its chain is of certificates that have nothing to do with each other."""
        self.shows(row, alone()[0])

    @provokes("xmppctl", "names a port that xmppd does not listen on.")
    def test_record(self, row: Row) -> None:
        """Its record for Call Bridges has another port."""
        self.shows(row, alone()[0])

    @provokes("xmppctl", "this server is found by nobody.")
    def test_no_record(self, row: Row) -> None:
        """It has no record for clients."""
        self.shows(row, alone()[0])

    @provokes("xmppctl", "is no address of this host.")
    def test_address(self, row: Row) -> None:
        """Its address leads elsewhere."""
        self.shows(row, alone()[0])

    @provokes("xmppctl", "are left on the disk of ...")
    def test_disk(self, row: Row) -> None:
        """Its disk is full."""
        self.shows(row, alone()[0])

    @provokes("xmppctl", "failed; what was in use before still is")
    def test_reload(self, row: Row) -> None:
        """Its new key is not that of its certificate."""
        self.shows(row, alone()[1])
