"""The TURN and STUN services on the page, and its test of them, at a real coturn."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from tests.integration.page.case import PageCase, PageSite
from tests.support.chromium import Page
from tests.support.coturn import Coturn
from tests.support.site import Settings

#: In the order in which they are configured.
STUN, UDP, TCP, TLS = range(1, 5)


class ServiceTests(PageCase):
    """What xmppd is configured with."""

    def settings_for(self, site: PageSite) -> Settings:
        coturn = Coturn(site.directory / "coturn", site.ca)
        site.more.append(coturn)
        coturn.start()
        return {"turn": coturn.settings()}

    @property
    def coturn(self) -> Coturn:
        (found,) = [one for one in self.site.more if isinstance(one, Coturn)]
        return found

    def inside(self) -> Page:
        page = self.open()
        self.sign_in(page)
        self.wait_inside(page)
        return page

    def item(self, number: int) -> str:
        return f"#services > li:nth-child({number})"

    def probe(self, page: Page, number: int) -> str:
        """What the page says of a service, once it has tested it."""
        result = f"document.querySelector({json.dumps(self.item(number) + ' .result')}).textContent"
        page.click(f"{self.item(number)} .heading button")
        page.wait(f"{result} && {result} !== 'Testing…'", 60)
        return str(page.evaluate(result))

    def test_shown(self) -> None:
        """Each service with its credentials and their end; the password only when asked for."""
        page = self.inside()
        heads = [self.text(page, f"{self.item(number)} h3") for number in (STUN, UDP, TCP, TLS)]
        where = f"127.0.0.1:{self.coturn.port}"
        self.assertEqual(
            heads,
            [
                f"STUN · UDP {where}",
                f"TURN · UDP {where}",
                f"TURN · TCP {where}",
                f"TURNS · TCP 127.0.0.1:{self.coturn.tls_port}",
            ],
        )
        self.assertEqual(self.facts(page, self.item(STUN)), {})
        facts = self.facts(page, self.item(UDP))
        self.assertRegex(facts["User name"], r"^\d+:alice$")
        self.assertIn("in 12 hours", facts["Valid until"])
        expires = page.evaluate(f"document.querySelector('{self.item(UDP)} time').dateTime")
        left = datetime.fromisoformat(expires) - datetime.now(UTC)
        self.assertLess(abs(left - timedelta(hours=12)), timedelta(minutes=2))

        self.assertEqual(facts["Password"], "•" * 12 + " Show")
        page.click(f"{self.item(UDP)} dd button")
        shown = self.facts(page, self.item(UDP))["Password"]
        self.assertRegex(shown, r"^[A-Za-z0-9+/]{27}= Show$")
        page.click(f"{self.item(UDP)} dd button")
        self.assertEqual(self.facts(page, self.item(UDP))["Password"], facts["Password"])

    def test_works(self) -> None:
        """A relay address is gathered through TURN by UDP, TCP and TLS."""
        page = self.inside()
        for number in (UDP, TCP, TLS):
            self.assertRegex(
                self.probe(page, number),
                r"^It works: relayed by 127\.0\.0\.1, after \d+ ms\.$",
                f"service {number}: {self.coturn.process.tail()}",
            )

    def test_refused(self) -> None:
        """With another secret at coturn, the credentials are refused, and that is what is said."""
        page = self.inside()
        coturn = self.coturn
        right = coturn.secret
        coturn.stop()
        coturn.secret = "another"
        coturn.start()
        try:
            self.assertIn("refused the credentials", self.probe(page, UDP))
        finally:
            coturn.stop()
            coturn.secret = right
            coturn.start()
        self.assertIn("It works", self.probe(page, UDP))

    def test_down(self) -> None:
        """A service that is not there, or says nothing, is not refused: it does not answer."""
        page = self.inside()
        self.coturn.pause()
        try:
            self.assertIn("does not answer", self.probe(page, UDP))
        finally:
            self.coturn.resume()
        self.coturn.stop()
        try:
            self.assertIn("does not answer", self.probe(page, TCP))
        finally:
            self.coturn.start()

    def test_again(self) -> None:
        """The services can be asked for anew, and old results go."""
        page = self.inside()
        self.probe(page, UDP)
        page.click("#again")
        page.wait("document.querySelector('#services-notice').textContent")
        self.assertEqual(self.text(page, f"{self.item(UDP)} .result"), "")
        self.assertIn("It works", self.probe(page, UDP))

    def test_expired(self) -> None:
        """Credentials that have expired meanwhile are said to be so."""
        page = self.open()
        page.evaluate(
            "(() => { const real = Date.now; globalThis.later = 0;"
            "Date.now = () => real() + later; })()"
        )
        self.sign_in(page)
        self.wait_inside(page)
        self.assertIn("in 12 hours", self.facts(page, self.item(UDP))["Valid until"])
        page.evaluate("later = 13 * 3600 * 1000")
        page.click("#languages [lang=en]")
        self.assertIn("have expired", self.facts(page, self.item(UDP))["Valid until"])


class NoServicesTests(PageCase):
    """Where none is configured."""

    def test_none(self) -> None:
        """The page says so, and has nothing to test."""
        page = self.open()
        self.sign_in(page)
        self.wait_inside(page)
        self.assertIn("no services", self.text(page, "#services-notice"))
        self.assertEqual(page.evaluate("document.querySelectorAll('#services > li').length"), 0)
