"""aioxmpp, in Python on asyncio: its TLS is pyOpenSSL."""

from __future__ import annotations

from tests.integration.clients.meeting import (
    DIRECT_TLS,
    DRIVERS,
    STARTTLS,
    SYSTEM_PYTHON,
    ClientTestCase,
)


class AioxmppTests(ClientTestCase):
    """From Debian, where it has the pyOpenSSL that it needs: it is older than today's."""

    client = "aioxmpp"
    from_debian = True
    command = (SYSTEM_PYTHON, DRIVERS / "aioxmpp_client.py")

    def test_starttls(self) -> None:
        """It logs in, talks and comes back over STARTTLS."""
        self.meet(STARTTLS)

    def test_direct_tls(self) -> None:
        """It logs in, talks and comes back over direct TLS."""
        self.meet(DIRECT_TLS)

    def test_wrong_password(self) -> None:
        """It hears that its password is wrong."""
        self.be_refused(STARTTLS)
