"""Steps 3 to 5 inside: records and name servers."""

from __future__ import annotations

import functools

from tests.integration.faults.look import FaultCase, Seen, look
from tests.integration.faults.table import Row, provokes
from tests.support.site import Site
from tests.support.waiting import wait_until
from tests.support.zones import Dnsmasq, Zone


@functools.cache
def seen() -> dict[str, Seen]:
    """One Call Bridge, which never has found a server, and dnsmasq in several states."""
    found: dict[str, Seen] = {}
    site = Site(nameserver_class=Dnsmasq)
    try:
        bridge = site.bridge(settings={"dns": {"timeout": "1s"}})

        def meet(name: str, words: str) -> None:
            def met() -> bool:
                error = bridge.links()[0]["last_error"] or {"text": ""}
                return words in error["text"]

            wait_until(f"it says: {words}", met, explain=bridge.explain)
            found[name] = look(bridge)

        site.nameserver.start()
        bridge.start()
        meet("no record", "There is no SRV record")
        site.nameserver.stop()
        meet("away", "No answer to SRV")
        site.zone.srv = [(0, 0, 0, ".")]
        site.nameserver.start()
        meet("not offered", "is not offered")
        site.nameserver.stop()
        other = Dnsmasq(Zone("example.net"), site.directory, port=site.nameserver.port)
        try:
            other.start()
            meet("lame", "REFUSED")
        finally:
            other.stop()
        return found
    finally:
        site.close()


class FindingTests(FaultCase):
    """No server is found."""

    @provokes("callbridgectl", "There is no SRV record ...")
    def test_no_record(self, row: Row) -> None:
        """There is no record."""
        self.shows(row, seen()["no record"])

    @provokes("callbridgectl", "the service is not offered.")
    def test_not_offered(self, row: Row) -> None:
        """The record says that there is no such service."""
        self.shows(row, seen()["not offered"])

    @provokes("callbridgectl", "No answer to SRV ... from ... within ... s.")
    def test_away(self, row: Row) -> None:
        """The name server is away."""
        self.shows(row, seen()["away"])

    @provokes("callbridgectl", "could not answer SRV ...: REFUSED")
    def test_lame(self, row: Row) -> None:
        """The name server is that of another domain."""
        self.shows(row, seen()["lame"])


@functools.cache
def odd() -> Seen:
    """Two records lead to one server, one of them by an alias."""
    site = Site(nameserver_class=Dnsmasq)
    try:
        server = site.server()
        bridge = site.bridge()
        site.enrol(bridge)
        site.zone.srv.append((20, 10, server.component_port, "spare.example.com"))
        site.zone.aliases["spare.example.com"] = server.fqdn
        site.zone.clients = []
        site.nameserver.start()
        server.start()
        return look(bridge)
    finally:
        site.close()


class OddTests(FaultCase):
    """Links come up, and something is odd."""

    @provokes("callbridgectl", "are the same host, ...: one failure takes both.")
    def test_same_host(self, row: Row) -> None:
        """Both are one host."""
        self.shows(row, odd())

    @provokes("callbridgectl", "which is an alias (CNAME) of ...")
    def test_alias(self, row: Row) -> None:
        """The second is an alias."""
        self.shows(row, odd())

    @provokes("callbridgectl", "There is no SRV record _xmpp-client._tcp...")
    def test_no_record_for_clients(self, row: Row) -> None:
        """Clients have no record."""
        self.shows(row, odd())

    @provokes("callbridgectl", "The certificate of ... expires in ... days")
    def test_end_is_near(self, row: Row) -> None:
        """The server's certificate ends within a month."""
        self.shows(row, odd())
