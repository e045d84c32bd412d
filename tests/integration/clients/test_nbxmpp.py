"""nbxmpp, in Python on GLib: its TLS is GnuTLS."""

from __future__ import annotations

from tests.integration.clients.meeting import (
    DRIVERS,
    SYSTEM_PYTHON,
    ClientTestCase,
    OverTcp,
    OverWebSocket,
)


class NbxmppTests(OverTcp, OverWebSocket, ClientTestCase):
    """The library of Gajim, from Debian: it needs the PyGObject of the system."""

    client = "nbxmpp"
    from_debian = True
    command = (SYSTEM_PYTHON, DRIVERS / "nbxmpp_client.py")
