"""Step 12, and clocks: logins that nobody answers, as both ends tell it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from tests.integration.faults.crowd import Crowd
from tests.integration.faults.look import FaultCase, Seen, look
from tests.integration.faults.table import Row, provokes
from tests.support.processes import free_port
from tests.support.rawstream import RawStream, plain
from tests.support.site import CallBridge, Site, XmppServer
from tests.support.waiting import wait_until

FAILURE = "</failure>"
ALICE = plain("alice", "wonderland")


@dataclass(frozen=True)
class Logins:
    """``inside``: without users; ``accounts``: broken or not there; the server's ``edge``, and when
    the Call Bridge is ``frozen``.
    """

    inside: Seen
    accounts: Seen
    draining: Seen
    edge: Seen
    frozen: Seen


def ahead() -> list[str]:
    """Lets a daemon live two minutes ahead of us. (`faketime` itself would stand in between.)"""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    return ["env", f"LD_PRELOAD={library}", "FAKETIME=+120s", "DONT_FAKE_MONOTONIC=1"]


@functools.cache
def seen() -> Logins:
    """Logins without a Call Bridge, and at one with backends that are away, drained, or frozen."""
    with Crowd() as crowd:
        site = crowd.site
        limits = {"login": {"deadline": "1s", "max_waiting": 1}}
        server = site.server("xmpp1", crowd.address(), settings=limits, prefix=ahead())
        bridge = site.bridge(
            settings={
                "callbridge": {"server_address": f"{server.fqdn}:{server.component_port}"},
                "users": {"backend": f"file:{site.users}\n  http:hook"},
                "http hook": {"url": f"http://127.0.0.1:{free_port()}/"},
            }
        )
        site.enrol(bridge)
        site.nameserver.start()
        server.start()
        fail_to_log_in(site, server)
        return with_bridge(site, server, bridge)


def with_bridge(site: Site, server: XmppServer, bridge: CallBridge) -> Logins:
    records = f"--nameserver={site.nameserver.where}"
    bridge.start()
    server.wait_serving("cb1")
    wait_until("clocks are compared", lambda: bridge.links()[0]["clock_skew"])
    site.users.unlink()
    fail_to_log_in(site, server)
    inside = look(bridge, "--login", "alice", typed="wonderland\n")
    bridge.command("drain")
    server.wait_state("cb1", "draining")
    draining, edge = look(bridge), look(server, records)
    site.users.write_text("bob:broken\n")
    use_file_alone(bridge)
    bridge.command("resume")
    server.wait_serving("cb1")
    broken = look(bridge, "--login", "bob", typed="wonderland\n")
    wrong = look(bridge, "--login", "alice", typed="wonderland\n")
    bridge.freeze()
    first, second = connect(site, server), connect(site, server)
    first.send(ALICE)
    second.send(ALICE)  # there is room for one
    first.read_until(FAILURE)
    second.read_until(FAILURE)
    accounts = Seen(broken.check + wrong.check, "")
    return Logins(inside, accounts, draining, edge, look(server, records))


def use_file_alone(bridge: CallBridge) -> None:
    text = bridge.ini.read_text()
    bridge.ini.write_text(text.replace("\n  http:hook", "").partition("[http hook]")[0])
    bridge.command("reload")


def connect(site: Site, server: XmppServer) -> RawStream:
    """A client that may log in now."""
    stream = RawStream(server.address, server.client_port)
    stream.start_tls(site.ca.certificate_path, site.domain)
    stream.read_until("</stream:features>")
    return stream


def fail_to_log_in(site: Site, server: XmppServer) -> None:
    """As alice, whom nobody lets in."""
    stream = connect(site, server)
    stream.send(ALICE)
    stream.read_until(FAILURE)


class InsideTests(FaultCase):
    """What the Call Bridge says."""

    @provokes("callbridgectl", "The clock of ... is ... s ahead of the one of this host.")
    def test_clock(self, row: Row) -> None:
        """The server's clock is ahead."""
        self.shows(row, seen().inside)

    @provokes("callbridgectl", "cannot be read: No such file or directory.")
    def test_users_file(self, row: Row) -> None:
        """The users file is away."""
        self.shows(row, seen().inside)

    @provokes("callbridgectl", "http:...: connect-refused: ...")
    def test_hook(self, row: Row) -> None:
        """The web hook is away."""
        self.shows(row, seen().inside)

    @provokes("callbridgectl", "guests: not let in")
    def test_guests(self, row: Row) -> None:
        """Guests are not let in."""
        self.shows(row, seen().inside)

    @provokes("callbridgectl", "callbridged takes no new logins (draining).")
    def test_draining(self, row: Row) -> None:
        """It takes no new logins."""
        self.shows(row, seen().draining)

    @provokes("callbridgectl", "there is no user ..., or the password is wrong.")
    def test_wrong(self, row: Row) -> None:
        """There is no such user."""
        self.shows(row, seen().accounts)

    @provokes("callbridgectl", "the line of ... is broken")
    def test_broken(self, row: Row) -> None:
        """The user's line is broken."""
        self.shows(row, seen().accounts)


class EdgeTests(FaultCase):
    """What the XMPP server says."""

    @provokes("xmppctl", "draining")
    def test_draining(self, row: Row) -> None:
        """The Call Bridge takes no new logins."""
        self.shows(row, seen().edge)

    @provokes("xmppctl", "no Call Bridge that takes logins by ... is connected.")
    def test_no_bridge(self, row: Row) -> None:
        """No Call Bridge is connected."""
        self.shows(row, seen().edge)

    @provokes("xmppctl", "could not look the user up; its log says why.")
    def test_cannot_look(self, row: Row) -> None:
        """The Call Bridge's backends are away."""
        self.shows(row, seen().edge)

    @provokes("xmppctl", "no answer within the deadline")
    def test_deadline(self, row: Row) -> None:
        """The Call Bridge does not answer."""
        self.shows(row, seen().frozen)

    @provokes("xmppctl", "... logins are waiting already")
    def test_too_many(self, row: Row) -> None:
        """More logins wait than may."""
        self.shows(row, seen().frozen)
