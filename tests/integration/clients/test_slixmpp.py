"""slixmpp, in Python on asyncio."""

from __future__ import annotations

from tests.integration.clients.meeting import (
    DIRECT_TLS,
    DRIVERS,
    PYTHON,
    STARTTLS,
    ClientTestCase,
)


class SlixmppTests(ClientTestCase):
    """The library of poezio and of many bots."""

    client = "slixmpp"
    command = (PYTHON, DRIVERS / "slixmpp_client.py")

    def test_starttls(self) -> None:
        """It logs in, talks and comes back over STARTTLS."""
        self.meet(STARTTLS)

    def test_direct_tls(self) -> None:
        """It logs in, talks and comes back over direct TLS."""
        self.meet(DIRECT_TLS)

    def test_wrong_password(self) -> None:
        """It hears that its password is wrong."""
        self.be_refused(STARTTLS)
