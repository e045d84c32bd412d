"""aioxmpp, in Python on asyncio: its TLS is pyOpenSSL."""

from __future__ import annotations

from tests.integration.clients.meeting import (
    DRIVERS,
    SYSTEM_PYTHON,
    ClientTestCase,
    OverTcp,
)


class AioxmppTests(OverTcp, ClientTestCase):
    """From Debian, where it has the pyOpenSSL that it needs: it is older than today's."""

    client = "aioxmpp"
    from_debian = True
    command = (SYSTEM_PYTHON, DRIVERS / "aioxmpp_client.py")
