"""One site for all clients, and what each of them does there."""

from __future__ import annotations

import contextlib
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from configparser import ConfigParser
from pathlib import Path
from typing import Any, ClassVar

from twisted.trial import unittest

from tests.integration.clients.cable import Cable
from tests.integration.clients.driver import Driver, Options
from tests.integration.clients.table import Row, rows
from tests.support.processes import free_port
from tests.support.shared import shared_site
from tests.support.site import Site, started_small_site

PASSWORD = "wonderland"
WRONG_PASSWORD = "looking-glass"
#: callbridged's own address, which answers disco, version and ping.
COMPONENT = "cb1.example.com"
IDENTITY = ("component", "callbridged")
#: Where browsers' pages come from.
PAGES_HOST = "meet.example.com"
PYTHON = Path(sys.executable)
#: The one whose libraries come from Debian.
SYSTEM_PYTHON = Path("/usr/bin/python3")
DRIVERS = Path(__file__).parent / "drivers"
NODE = Path(__file__).parents[1] / "node"

STARTTLS = "STARTTLS"
DIRECT_TLS = "direct TLS"
WEBSOCKET = "WebSocket"
#: What becomes of a session whose connection is lost.
RESUMED = "resumes"
NEW_SESSION = "logs in anew"

#: Keys of xmppd.ini.
LISTENERS = {STARTTLS: "listen", DIRECT_TLS: "direct_tls_listen", WEBSOCKET: "websocket_listen"}


def _make_site() -> Site:
    address = "127.0.0.2"
    listeners = {
        key: f"tcp:{free_port(address)}:interface={address}"
        for key in ("direct_tls_listen", "websocket_listen")
    }
    listeners["websocket_origins"] = f"https://{PAGES_HOST}"
    return started_small_site(
        address=address,
        settings={"client": listeners},
        certificate_ip=["127.0.0.1"],  # for a WebSocket client that cannot be told where a name is
    )


class ClientTestCase(unittest.SynchronousTestCase):
    """A client's tests: it has a user of its own, and connects through a cable."""

    #: As the table in docs/clients.md calls it.
    client: ClassVar[str]
    #: What runs its driver, but for the options.
    command: ClassVar[Sequence[str | Path]] = ()
    #: True where its version is that of the system, and the table's is Debian 12's.
    from_debian: ClassVar[bool] = False

    def setUp(self) -> None:
        self.site = shared_site(ClientTestCase, _make_site)
        self.server = self.site.servers[0]
        self.bridge = self.site.bridges[0]
        self.user = re.sub(r"\W+", "-", self.client).strip("-").lower()
        if self.user not in self.site.users.read_text():
            self.site.user(self.user, PASSWORD)
        self.since = self.bridge.process.mark()

    def environment(self) -> Mapping[str, str]:
        """What the driver needs in its environment."""
        return {}

    def meet(self, transport: str) -> None:
        """The client logs in, talks, loses its connection, comes back, talks and leaves.

        Then its row of the table has to be true.
        """
        comeback = NEW_SESSION
        with self.plug_in(transport) as cable:
            driver = self.start(transport, cable, PASSWORD)
            version = driver.expect("version")["version"]
            for number in (1, 2):
                online = driver.expect("online")
                if not online.get("resumed"):  # else it is still who it was
                    jid = online["jid"]
                    self.assertEqual(jid.split("/")[0], f"{self.user}@example.com")
                message = driver.expect("message")
                self.assertEqual(message["body"], f"round {number}", driver.tail())
                self.assertEqual(message["from"], jid)
                answer = driver.expect("answer")
                self.assertEqual((answer["category"], answer["name"]), IDENTITY)
                driver.expect("done")
                if number == 1:
                    self.assertTrue(cable.cut())
                elif online.get("resumed"):
                    comeback = RESUMED
            driver.expect("closed")
            self.assertEqual(driver.wait(), 0, driver.tail())
        self.assert_row(version, transport, comeback)

    def be_refused(self, transport: str, said: str = "not-authorized") -> None:
        """The client comes with a wrong password, and says that it is one: ``said``."""
        with self.plug_in(transport) as cable:
            driver = self.start(transport, cable, WRONG_PASSWORD)
            self.assertIn(said, driver.expect("refused")["condition"])
            self.assertEqual(driver.wait(), 0, driver.tail())
            self.assertNotIn("online", [event["event"] for event in driver.events()])
        self.assertEqual({outcome for _, outcome in self.logins()}, {"not-authorized"})

    def plug_in(self, transport: str) -> Cable:
        """A cable to the port for this transport."""
        settings = ConfigParser(interpolation=None)
        settings.read(self.server.ini)
        port = re.search(r"\d+", settings["client"][LISTENERS[transport]])
        assert port
        return Cable(self.server.address, int(port[0]))

    def start(self, transport: str, cable: Cable, password: str) -> Driver:
        options = Options(
            address=cable.address,
            port=cable.port,
            url=f"wss://{self.server.fqdn}:{cable.port}/xmpp-websocket",
            transport=transport.lower().replace(" ", "-"),
            domain=self.site.domain,
            host=self.server.fqdn,
            user=self.user,
            password=password,
            authority=str(self.site.ca.certificate_path),
            component=COMPONENT,
        )
        log = self.site.directory / f"{self.id()}.log"
        driver = Driver(self.command, options, log, self.environment(), self.explain)
        self.addCleanup(driver.kill)
        driver.start()
        return driver

    def explain(self) -> str:
        """What the servers say about it."""
        return f"{self.server.explain()}\n{self.bridge.explain()}"

    def logins(self) -> list[tuple[str, str]]:
        """(mechanism, outcome) of this user's logins since the test began, by the Call Bridge."""
        text = self.bridge.process.text(self.since)
        return re.findall(rf"'{self.user}' from \S+ by (\S+): ([\w-]+)", text)

    def assert_row(self, version: str, transport: str, comeback: str) -> None:
        """The table has this line, with the mechanisms that the client has just chosen."""
        mechanism, *later = [one for one, outcome in self.logins() if outcome == "success"]
        if later and later[-1] != mechanism:
            comeback += f" by {later[-1]}"
        if self.from_debian and not _is_debian_12():
            return  # another version may well do something else
        seen = Row(self.client, version, transport, mechanism, comeback)
        self.assertIn(seen, rows(), f"docs/clients.md ought to say: {seen}")


class OverTcp:
    """The tests of a client that knows STARTTLS and direct TLS; it is a `ClientTestCase`."""

    def test_starttls(self: Any) -> None:
        """It logs in, talks and comes back over STARTTLS."""
        self.meet(STARTTLS)

    def test_direct_tls(self: Any) -> None:
        """It logs in, talks and comes back over direct TLS."""
        self.meet(DIRECT_TLS)

    def test_wrong_password(self: Any) -> None:
        """It hears that its password is wrong."""
        self.be_refused(STARTTLS)


class OverWebSocket:
    """That of a client that knows WebSocket."""

    def test_websocket(self: Any) -> None:
        """It logs in, talks and comes back over WebSocket."""
        self.meet(WEBSOCKET)


def _is_debian_12() -> bool:
    with contextlib.suppress(OSError):
        system = platform.freedesktop_os_release()
        return (system["ID"], system.get("VERSION_ID")) == ("debian", "12")
    return False
