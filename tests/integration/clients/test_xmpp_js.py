"""xmpp.js, in JavaScript on Node."""

from __future__ import annotations

from collections.abc import Mapping

from tests.integration.clients.meeting import (
    DIRECT_TLS,
    NODE,
    STARTTLS,
    WEBSOCKET,
    ClientTestCase,
)


class XmppJsTests(ClientTestCase):
    """@xmpp/client from npm."""

    client = "@xmpp/client"
    command = ("node", NODE / "client.mjs")

    def environment(self) -> Mapping[str, str]:
        return {"NODE_EXTRA_CA_CERTS": str(self.site.ca.certificate_path)}

    def test_starttls(self) -> None:
        """It logs in, talks and comes back over STARTTLS."""
        self.meet(STARTTLS)

    def test_direct_tls(self) -> None:
        """It logs in, talks and comes back over direct TLS."""
        self.meet(DIRECT_TLS)

    def test_websocket(self) -> None:
        """It logs in, talks and comes back over WebSocket."""
        self.meet(WEBSOCKET)

    def test_wrong_password(self) -> None:
        """It hears that its password is wrong."""
        self.be_refused(STARTTLS)
