"""An installation that the tests share: the packages on two hosts, set up and running."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import ssl
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.booted import Host
from tests.support.ca import CertificateAuthority
from tests.support.debs import built, with_systemd
from tests.support.people import Login, log_in
from tests.support.rawstream import RawStream
from tests.support.waiting import DEADLINE, wait_until
from tests.support.zones import Zone
from tests.systemd.hosts import EDGE, TwoHosts

DOMAIN = "example.com"
SERVER = "xmpp1.example.com"
PASSWORD = "wonderland"
COMMON = "callbridge-xmpp-common"


class Installation(TwoHosts):
    """xmppd at the edge and callbridged inside, linked, with alice as the only user."""

    def __init__(self) -> None:
        self._days = 100
        zone = Zone(DOMAIN)
        zone.srv.append((10, 10, 5223, SERVER))
        zone.clients.append((10, 10, 5222, SERVER))
        zone.hosts[SERVER] = [EDGE]
        super().__init__(with_systemd(), zone)

    def _set_up(self) -> None:
        with ThreadPoolExecutor() as threads:
            both = ((self.edge, "xmppd"), (self.inside, "callbridged"))
            list(threads.map(lambda one: one[0].install(built(), COMMON, one[1]), both))
        self.ca = CertificateAuthority(self.directory / "ca", "Example CA")
        self.certify_server()
        self.certify_bridge()
        added = json.loads(self.edge.run("xmppctl --json callbridge add cb1"))
        self.inside.run("install -m 640 -g callbridged /dev/null /etc/callbridged/secret")
        self.inside.run("cat >/etc/callbridged/secret", typed=added["secret"] + "\n")
        self.inside.run("callbridgectl user add alice", typed=PASSWORD + "\n")
        self.edge.run("systemctl enable --now xmppd")
        self.inside.run("systemctl enable --now callbridged")
        self.await_link()

    def certify_server(self) -> bytes:
        """A new certificate for the XMPP server, put in its place; answers it, in DER."""
        return self._certify(self.edge, "xmppd", "xmpp", [DOMAIN, SERVER])

    def certify_bridge(self) -> bytes:
        return self._certify(self.inside, "callbridged", "callbridge", [f"cb1.{DOMAIN}"])

    def _certify(self, host: Host, daemon: str, name: str, dns: list[str]) -> bytes:
        # No two end on the same day, which is what status shows of them.
        self._days += 1
        end = datetime.now(UTC) + timedelta(days=self._days)
        certificate, key = self.ca.issue(name, dns=dns, not_after=end)
        place = f"/etc/{daemon}/tls"
        host.write(f"{place}/ca.crt", self.ca.certificate_path.read_bytes())
        host.write(f"{place}/{name}.crt", certificate.read_bytes())
        host.write(f"{place}/{name}.key", key.read_bytes())
        host.run(f"chgrp {daemon} {place}/*; chmod 640 {place}/*")
        return ssl.PEM_cert_to_DER_cert(certificate.read_text())

    def link(self) -> dict[str, Any]:
        """The Call Bridge's entry in the server's status."""
        (entry,) = json.loads(self.edge.run("xmppctl --json status"))["callbridges"]
        return entry

    def await_link(self, after: str = "") -> dict[str, Any]:
        """Once logins are served; ``after``: by another link than the one that began then."""

        def probe() -> dict[str, Any] | None:
            with contextlib.suppress(AssertionError):  # xmppd may not be there
                entry = self.link()
                if entry["mechanisms"] and entry["since"] != after:
                    return entry
            return None

        return wait_until("the link is up", probe, DEADLINE, self.explain)

    def explain(self) -> str:
        return self.edge.explain("xmppd") + self.inside.explain("callbridged")

    def log_in(self, password: str = PASSWORD) -> Login:
        """Alice, from outside, by slixmpp."""
        with self.outside.entered():
            return asyncio.run(
                log_in(EDGE, 5222, f"alice@{DOMAIN}", password, self.ca.certificate_path)
            )

    def connect(self, port: int = 5222) -> RawStream:
        with self.outside.entered():
            return RawStream(EDGE, port)


_made: list[Installation] = []


def installation() -> Installation:
    """The one that all tests share."""
    if not _made:
        _made.append(Installation())
    return _made[0]


@atexit.register
def discard() -> None:
    """The next one who wants it gets a new one."""
    while _made:
        _made.pop().close()
