"""slixmpp, in Python on asyncio."""

from __future__ import annotations

from tests.integration.clients.meeting import (
    DRIVERS,
    PYTHON,
    ClientTestCase,
    OverTcp,
)


class SlixmppTests(OverTcp, ClientTestCase):
    """The library of poezio and of many bots."""

    client = "slixmpp"
    command = (PYTHON, DRIVERS / "slixmpp_client.py")
