"""Components that connect in memory, for the tests of `xmppd.components`."""

from __future__ import annotations

import re

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.words.xish.domish import Element

from bridgewire.handshake import component_digest
from bridgewire.namespaces import COMPONENT
from bridgewire.session_end import EndSessions
from tests.support.memory import Peer
from tests.support.names import KnownNames
from xmppd.components.admission import Admission
from xmppd.components.connected import Components
from xmppd.components.stream import Times

SECRETS = {"cb1": "s3cret", "echo": "other"}
#: The Call Bridges of example.org.
OTHERS = {"cb1": "an0ther"}


class ComponentCase(SynchronousTestCase):
    """The components of a server, without the server."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.names = KnownNames({"example.com": SECRETS, "example.org": OTHERS})
        self.routed: list[Element] = []
        self.changed: list[tuple[str, str]] = []
        self.ended: list[tuple[str, EndSessions]] = []
        self.used: list[tuple[str, str, bytes]] = []
        self.components = Components(
            self.clock,
            Admission(["example.com", "example.org"], self.names, self.clock.seconds),
            Times(registration_timeout=5.0, ping_interval=15.0, ping_timeout=5.0),
            route=self.routed.append,
            changed=lambda domain, bridge: self.changed.append((domain, bridge.host)),
            end_sessions=self.end_sessions,
            secret_used=lambda domain, name, used: self.used.append((domain, name, used)),
        )

    def end_sessions(self, domain: str, order: EndSessions) -> int:
        self.ended.append((domain, order))
        return 2

    def connect(self) -> Peer:
        stream = self.components.accept("192.0.2.7")
        assert stream is not None
        return Peer(stream, COMPONENT)

    def prove(
        self,
        peer: Peer,
        name: str = "cb1",
        secret: str | None = None,
        domain: str = "example.com",
        more: str = "",
    ) -> str:
        """Open the stream, send the handshake and answer what comes back for it."""
        header = peer.open(f"{name}.{domain}")
        found = re.search("id='([^']+)'", header)
        assert found is not None, header
        digest = component_digest(found[1], secret or SECRETS[name])
        return peer.type(f"<handshake{more}>{digest}</handshake>")

    def serving(self, name: str = "cb1", domain: str = "example.com") -> Peer:
        """A registered component that answers logins."""
        peer = self.connect()
        known = (SECRETS if domain == "example.com" else OTHERS)[name]
        self.assertEqual(self.prove(peer, name, known, domain), "<handshake/>")
        answer = peer.type(
            f"<iq type='set' id='1' from='{name}.{domain}' to='{domain}'>"
            "<serve xmlns='urn:x-callbridge:login:1' capacity='20'>"
            "<mechanism>PLAIN</mechanism></serve></iq>"
        )
        self.assertIn("type='result'", answer)
        return peer

    def registered(self, name: str = "cb1") -> Peer:
        peer = self.connect()
        self.assertEqual(self.prove(peer, name), "<handshake/>")
        return peer

    def assert_ended(self, peer: Peer, answer: str, condition: str) -> None:
        self.assertIn(f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'", answer)
        self.assertTrue(answer.endswith("</stream:stream>"), answer)
        self.assertTrue(peer.hung_up)
