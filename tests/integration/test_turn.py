"""TURN and STUN (XEP-0215): what xmppd tells a foreign client works at a real coturn."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from twisted.trial import unittest

from tests.support.coturn import Coturn, Peer, relay
from tests.support.processes import Process, free_port
from tests.support.site import Site
from xmppd.external_services import ExternalServices

NODE = Path(__file__).parent / "node"
ADDRESS = "127.0.0.2"
REFUSED = {"error 401: Unauthorized"}


class TurnTests(unittest.SynchronousTestCase):
    """xmppd, a Call Bridge that lets guests in, and coturn."""

    def setUp(self) -> None:
        self.site = Site()
        self.addCleanup(self.site.close)
        self.coturn = Coturn(self.site.directory / "coturn", self.site.ca)
        self.addCleanup(self.coturn.kill)
        self.peer = Peer(self.site.directory)
        self.addCleanup(self.peer.kill)
        self.port = free_port(ADDRESS)
        self.server = self.site.server(
            address=ADDRESS,
            certificate_ip=[ADDRESS],
            settings={
                "client": {"websocket_listen": f"tcp:{self.port}:interface={ADDRESS}"},
                "turn": self.coturn.settings(lifetime="2h"),
            },
        )
        self.bridge = self.site.bridge(settings={"guest": {"enabled": "yes", "lifetime": "1h"}})
        self.site.enrol(self.bridge)
        self.site.user("alice", "wonderland")
        self.coturn.start()
        self.peer.start()
        self.site.start()

    def ask(self, user: str | None = "alice") -> list[dict[str, Any]]:
        """What stanza, logged in as ``user`` or as a guest, is told of services."""
        node = shutil.which("node")
        self.assertTrue(node, "node is missing: apt-get install nodejs npm")
        options = {"url": f"wss://{ADDRESS}:{self.port}/xmpp-websocket", "domain": "example.com"}
        if user is not None:
            options |= {"user": user, "password": "wonderland"}
        client = Process(
            "the client",
            [str(node), NODE / "services.mjs", json.dumps(options)],
            self.site.directory / "client.log",
            environment={"NODE_EXTRA_CA_CERTS": str(self.site.ca.certificate_path)},
        )
        self.addCleanup(client.kill)
        since = client.mark()
        client.start()
        said = json.loads(client.wait_for(r"^\{.*\}$", since)[0])
        self.assertEqual(client.wait(), 0, client.tail())
        self.assertEqual(said["event"], "services", self.bridge.explain())
        self.assertIn("urn:xmpp:extdisco:2", said["features"])
        services: list[dict[str, Any]] = said["services"]
        self.assertIn(said["credentials"], services, "asked for one alone, it is the same")
        return services

    def refused(self, relayed: dict[str, Any]) -> bool:
        """True where coturn answers 401 to each request with these credentials."""
        self.assertFalse(relay(relayed, self.peer))
        return self.coturn.outcomes(relayed["username"]) == REFUSED

    def test_relay(self) -> None:
        """A user's credentials relay data over UDP, TCP and TLS, for as long as is set."""
        stun, *relays = self.ask()
        self.assertEqual((stun["type"], stun["port"]), ("stun", self.coturn.port))
        self.assertEqual(
            [(one["type"], one["transport"]) for one in relays],
            [("turn", "udp"), ("turn", "tcp"), ("turns", "tcp")],
        )
        with ThreadPoolExecutor() as threads:
            done = list(threads.map(lambda one: relay(one, self.peer), relays))
        self.assertEqual(done, [True] * 3, self.coturn.process.tail())
        left = datetime.fromisoformat(relays[0]["expires"]) - datetime.now(UTC)
        self.assertTrue(timedelta(hours=1.9) < left <= timedelta(hours=2), left)

    def test_guest(self) -> None:
        """A guest's credentials work, and are no good when the guest has to go."""
        _, relayed, *_ = self.ask(user=None)
        self.assertRegex(relayed["username"], r"^\d+:guest\d{10}$")
        self.assertTrue(relay(relayed, self.peer), self.coturn.process.tail())
        left = datetime.fromisoformat(relayed["expires"]) - datetime.now(UTC)
        self.assertLessEqual(left, timedelta(hours=1))

    def test_refused(self) -> None:
        """Credentials that have expired, or that somebody made or changed, are refused."""
        _, relayed, *_ = self.ask()
        ours = ExternalServices((), self.coturn.secret, 60.0)
        expired = ours.credentials("alice", datetime.now(UTC) - timedelta(minutes=2), None)
        later = int(relayed["username"].partition(":")[0]) + 1
        for forged in (
            {"username": expired.username, "password": expired.password},
            {"username": f"{later}:alice"},
            {"username": relayed["username"].replace("alice", "bob")},
            {"username": f"{later}:carol", "password": "guessed"},
        ):
            self.assertTrue(self.refused({**relayed, **forged}), self.coturn.process.tail())

    def test_coturn_down(self) -> None:
        """Whether coturn answers is no matter for logins; what it was sent before counts again."""
        _, relayed, *_ = self.ask()
        self.coturn.pause()
        self.ask()
        self.coturn.resume()
        self.assertTrue(relay(relayed, self.peer), self.coturn.process.tail())
        self.coturn.stop()
        self.ask()
        self.coturn.start()
        self.assertTrue(relay(relayed, self.peer), self.coturn.process.tail())

    def test_another_secret(self) -> None:
        """With another secret, coturn refuses what was made with the old one, and xmppd goes on."""
        self.coturn.stop()
        self.coturn.secret = "another secret"
        self.coturn.start()
        _, relayed, *_ = self.ask()
        self.assertTrue(self.refused(relayed), self.coturn.process.tail())

    def test_secrets(self) -> None:
        """Neither the secret nor a password is in a log of ours."""
        _, relayed, *_ = self.ask()
        for log in (self.server.process.text(), self.bridge.process.text()):
            self.assertNotIn(self.coturn.secret, log)
            self.assertNotIn(relayed["password"], log)
