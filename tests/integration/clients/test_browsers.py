"""Libraries for browsers, on a page in headless Chromium."""

from __future__ import annotations

from collections.abc import Mapping

from tests.integration.clients.meeting import (
    PAGES_HOST,
    PYTHON,
    WEBSOCKET,
    ClientTestCase,
    OverWebSocket,
)

BROWSER = (PYTHON, "-m", "tests.integration.clients.drivers.browser")


class BrowserTestCase(ClientTestCase):
    """The page comes from another host than the XMPP server, as a company's web client does."""

    def environment(self) -> Mapping[str, str]:
        certificate, key = self.site.ca.issue("pages", dns=[PAGES_HOST])
        return {"PAGES_CERTIFICATE": str(certificate), "PAGES_KEY": str(key)}


class StropheTests(OverWebSocket, BrowserTestCase):
    """The library under many web clients."""

    client = "strophe.js"
    command = (*BROWSER, "strophe.html")

    def test_wrong_password(self) -> None:
        """It hears that its password is wrong, which is all that its AUTHFAIL says."""
        self.be_refused(WEBSOCKET, "AUTHFAIL")


class ConverseTests(OverWebSocket, BrowserTestCase):
    """A whole client, which finds the server by itself: it is told nothing but the address."""

    client = "converse.js"
    command = (*BROWSER, "converse.html")

    def test_wrong_password(self) -> None:
        """It tells its user that the password is wrong."""
        self.be_refused(WEBSOCKET, "password is incorrect")
