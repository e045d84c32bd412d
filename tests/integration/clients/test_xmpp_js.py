"""xmpp.js, in JavaScript on Node."""

from __future__ import annotations

from collections.abc import Mapping

from tests.integration.clients.meeting import (
    NODE,
    ClientTestCase,
    OverTcp,
    OverWebSocket,
)


class XmppJsTests(OverTcp, OverWebSocket, ClientTestCase):
    """@xmpp/client from npm."""

    client = "@xmpp/client"
    command = ("node", NODE / "client.mjs")

    def environment(self) -> Mapping[str, str]:
        return {"NODE_EXTRA_CA_CERTS": str(self.site.ca.certificate_path)}
