"""Steps 5 to 8 inside: servers that are away, that speak no TLS, and that show bad certificates."""

from __future__ import annotations

import functools
import ssl
from datetime import UTC, datetime, timedelta

from tests.integration.faults.crowd import Crowd, wait_failed
from tests.integration.faults.look import FaultCase, Seen, look
from tests.integration.faults.table import Row, provokes
from tests.support.ca import CertificateAuthority
from tests.support.impostors import FullListener, Talker, TlsTalker
from tests.support.small_disk import SmallDisk

DAY = timedelta(days=1)


@functools.cache
def seen() -> Seen:
    """A Call Bridge among servers of which none is good."""
    with Crowd() as crowd:
        site, now = crowd.site, datetime.now(UTC)
        crowd.place("refused")
        full = FullListener(*crowd.place("drops"))
        crowd.closing(full.close)
        crowd.let_in(Talker(*crowd.place("smtp"), b"220 smtp ready\r\n"))
        crowd.let_in(Talker(*crowd.place("silent")))
        crowd.let_in(Talker(*crowd.place("cuts"), hangs_up=True))
        old = {"newest": ssl.TLSVersion.TLSv1_1}
        crowd.let_in(TlsTalker(*crowd.place("old"), crowd.certificate("old"), **old))
        foreign = CertificateAuthority(site.directory / "foreign", "Foreign CA")
        shown = {
            "early": crowd.certificate("early", not_before=now + DAY, not_after=now + 9 * DAY),
            "foreign": foreign.issue("foreign", dns=["example.com", "foreign.example.com"]),
            "usage": crowd.certificate("usage", server=False),
            "no-host": crowd.certificate("no-host", dns=["example.com"]),
            "no-domain": crowd.certificate("no-domain", dns=["no-domain.example.com"]),
        }
        for name, certificate in shown.items():
            crowd.let_in(TlsTalker(*crowd.place(name), certificate))
        # What listens at 5222 is a real one.
        server = site.server("clients", crowd.address(), usual_ports=True)
        site.zone.srv[-1] = (10, 10, server.client_port, server.fqdn)
        site.zone.srv.append((10, 10, 5223, "nowhere.example.com"))
        disk = SmallDisk(site.directory / "state")
        crowd.closing(disk.remove)
        settings = {"callbridge": {"state_directory": disk.path}, "link": {"connect_timeout": "1s"}}
        bridge = site.bridge(settings=settings)
        site.nameserver.start()
        server.start()
        bridge.start()
        disk.fill()
        wait_failed(bridge)
        return look(bridge)


class ConnectingTests(FaultCase):
    """Each test asks for one server's part of what a Call Bridge says."""

    def of(self, row: Row, server: str) -> None:
        self.shows(row, seen().of(f"{server}.example.com"))

    @provokes("callbridgectl", "has neither an A nor an AAAA record")
    def test_no_address(self, row: Row) -> None:
        """The SRV record names a host without an address."""
        self.of(row, "nowhere")

    @provokes("callbridgectl", "No connection to ... port ...: connection refused.")
    def test_refused(self, row: Row) -> None:
        """Nobody listens."""
        self.of(row, "refused")

    @provokes("callbridgectl", "No connection to ... port ...: no answer within ... s.")
    def test_dropped(self, row: Row) -> None:
        """Packets are dropped."""
        self.of(row, "drops")

    @provokes("callbridgectl", "names port 5222, which is mostly for clients.")
    def test_port_for_clients(self, row: Row) -> None:
        """The SRV record leads to the port for clients."""
        said = seen().of("clients.example.com")
        self.shows(row, Seen(seen().check, said.status))

    @provokes("callbridgectl", "The XMPP server does not speak TLS on this port (...).")
    def test_no_tls(self, row: Row) -> None:
        """Something else listens there."""
        self.of(row, "smtp")

    @provokes("callbridgectl", "The TLS handshake with the XMPP server failed (...).")
    def test_old_tls(self, row: Row) -> None:
        """It knows TLS 1.1."""
        self.of(row, "old")

    @provokes("callbridgectl", "The XMPP server did not finish the TLS handshake in time.")
    def test_silent(self, row: Row) -> None:
        """It takes the connection, and says nothing."""
        self.of(row, "silent")

    @provokes("callbridgectl", "The XMPP server closed the connection during the TLS handshake.")
    def test_hangs_up(self, row: Row) -> None:
        """It takes the connection, and closes it."""
        self.of(row, "cuts")

    @provokes("callbridgectl", "The XMPP server's certificate is not valid before ...")
    def test_early(self, row: Row) -> None:
        """Its certificate begins tomorrow, or our clock is behind."""
        self.of(row, "early")

    @provokes("callbridgectl", "comes from an issuer that is not trusted here")
    def test_foreign(self, row: Row) -> None:
        """Its certificate is by an authority that is not ours."""
        self.of(row, "foreign")

    @provokes("callbridgectl", "The XMPP server's certificate is not meant for this use")
    def test_usage(self, row: Row) -> None:
        """Its certificate is for clients."""
        self.of(row, "usage")

    @provokes("callbridgectl", "The XMPP server's certificate lacks the server's host name")
    def test_host_missing(self, row: Row) -> None:
        """Its certificate is for the domain alone."""
        self.of(row, "no-host")

    @provokes("callbridgectl", "The XMPP server's certificate lacks the XMPP domain ...")
    def test_domain_missing(self, row: Row) -> None:
        """Its certificate is for the host alone."""
        self.of(row, "no-domain")

    @provokes("callbridgectl", "are left on the disk of ...")
    def test_disk(self, row: Row) -> None:
        """Our disk is full."""
        self.shows(row, seen())

    @provokes("callbridgectl", "Our certificate expires in ... days.")
    def test_our_end_is_near(self, row: Row) -> None:
        """The Call Bridge's certificate ends within a month."""
        self.shows(row, seen())
