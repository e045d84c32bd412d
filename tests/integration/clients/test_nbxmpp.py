"""nbxmpp, in Python on GLib: its TLS is GnuTLS."""

from __future__ import annotations

from tests.integration.clients.meeting import (
    DIRECT_TLS,
    DRIVERS,
    STARTTLS,
    SYSTEM_PYTHON,
    WEBSOCKET,
    ClientTestCase,
)


class NbxmppTests(ClientTestCase):
    """The library of Gajim, from Debian: it needs the PyGObject of the system."""

    client = "nbxmpp"
    from_debian = True
    command = (SYSTEM_PYTHON, DRIVERS / "nbxmpp_client.py")

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
