"""A site whose xmppd serves the sign-in page, a browser for it, and what a user does there."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from twisted.trial import unittest

from tests.support.chromium import Chromium, Page
from tests.support.coturn import Coturn
from tests.support.processes import Process, free_port
from tests.support.shared import shared_site
from tests.support.site import Settings, Site, making

NODE = Path(__file__).parents[1] / "node"
ADDRESS = "127.0.0.2"
USER, PASSWORD = "alice", "drink-me-8231"
LANGUAGES = ("en", "ja")
#: Chromium's words for what its policy has stopped.
VIOLATION = "Content Security Policy"
#: To test TURN servers on this machine.
_FLAGS = ["--allow-loopback-in-peer-connection"]


class PageSite(Site):
    """One xmppd, one Call Bridge, one browser, and what a test adds; closed together."""

    browser: Chromium

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port(ADDRESS)
        #: Whatever else is to be killed in the end.
        self.more: list[Process | Coturn] = []

    def close(self) -> None:
        for one in self.more:
            one.kill()
        super().close()


def make_site(
    settings: Callable[[PageSite], Settings], bridge: Settings, hosts: Mapping[str, str]
) -> PageSite:
    """The site, started. ``settings`` answers more settings of xmppd, ``bridge`` are callbridged's.

    ``hosts``: where the browser finds names, if that is not where xmppd is.
    """
    with making(PageSite()) as site:
        more = settings(site)
        client = {
            "websocket_listen": f"tcp:{site.port}:interface={ADDRESS}",
            "sign_in_page": "yes",
            **more.get("client", {}),
        }
        site.server(address=ADDRESS, settings={**more, "client": client})
        site.enrol(site.bridge(settings=bridge))
        site.user(USER, PASSWORD)
        ours = dict.fromkeys(("example.com", "example.org", "*.example.com"), ADDRESS)
        places = [*hosts.items(), *ours.items()]  # the first one that fits is taken
        rules = [f"MAP {name} {address}" for name, address in places]
        site.browser = Chromium(
            site.directory / "chromium", site.ca.certificate_path, rules, _FLAGS
        )
        site.more.append(site.browser)
        site.start()
        site.browser.start()
    return site


class PageCase(unittest.SynchronousTestCase):
    """One site for the tests of a class; in the end the browser must have had no complaint."""

    #: Of xmppd and callbridged, for one class; where names are.
    server_settings: ClassVar[Settings] = {}
    bridge_settings: ClassVar[Settings] = {}
    hosts: ClassVar[Mapping[str, str]] = {}
    #: What the browser may complain about.
    expected_complaints: ClassVar[tuple[str, ...]] = ()

    def setUp(self) -> None:
        make = partial(make_site, self.settings_for, self.bridge_settings, self.hosts)
        site = shared_site(type(self), make)
        assert isinstance(site, PageSite)
        self.site = site
        self.server = site.servers[0]
        self.bridge = site.bridges[0]

    def settings_for(self, site: PageSite) -> Settings:
        """More settings of xmppd, when the site's authority and port are known."""
        return self.server_settings

    def open(
        self, language: str = "en", host: str = "xmpp1.example.com", port: int | None = None
    ) -> Page:
        """The page in a tab of its own, of a browser that prefers this language."""
        page = self.site.browser.page(language)
        self.addCleanup(self._check, page)
        page.goto(f"https://{host}:{port or self.site.port}/")
        page.wait("!document.querySelector('#page').hidden")
        return page

    def _check(self, page: Page) -> None:
        complaints = [
            one
            for one in page.complaints()
            if not any(expected in one for expected in self.expected_complaints)
        ]
        page.close()
        self.assertEqual(complaints, [])

    # What a user does

    def sign_in(self, page: Page, user: str = USER, password: str = PASSWORD) -> None:
        """Type name and password into the page as it was opened, and send them."""
        self.fill(page, "username", user)
        self.fill(page, "password", password)
        page.press("Enter")

    def join(self, page: Page, code: str = "") -> None:
        """Come as a guest."""
        page.click("#ways input[value=guest]")
        self.fill(page, "code", code)
        page.press("Enter")

    def fill(self, page: Page, field: str, text: str) -> None:
        """Put ``text`` in the place of what is in the field."""
        page.click(f"#{field}")
        page.press("a", control=True)
        page.press("Delete")
        page.type(text)

    # What a user sees

    def wait_inside(self, page: Page) -> None:
        page.wait("!document.querySelector('#session').hidden")

    def failure(self, page: Page) -> str:
        """The name of the failure that the page shows, once there is one."""
        shown = page.wait("document.querySelector('#failure').textContent")
        tag = page.evaluate("document.documentElement.lang")
        messages = catalogue(page, tag)
        domain = page.evaluate("document.querySelector('#domain').value")
        (found,) = [
            key.removeprefix("failure.")
            for key, text in messages.items()
            if key.startswith("failure.") and text.replace("{domain}", domain) == shown
        ]
        return found

    def text(self, page: Page, selector: str) -> str:
        found: str = page.evaluate(f"document.querySelector({json.dumps(selector)}).innerText")
        return found

    def facts(self, page: Page, within: str = "#about") -> dict[str, str]:
        """What a definition list shows, by the label."""
        pairs = page.evaluate(
            f"[...document.querySelectorAll({json.dumps(within + ' dt')})]"
            ".map((one) => [one.innerText, one.nextElementSibling.innerText])"
        )
        return dict(pairs)

    def focus(self, page: Page) -> str:
        """The id of what has the focus, or else its name."""
        found: str = page.evaluate("document.activeElement.id || document.activeElement.localName")
        return found


def catalogue(page: Page, language: str) -> Mapping[str, str]:
    """The page's messages."""
    module = f"import('/page/messages/{language}.js').then((one) => one.default)"
    found: Mapping[str, Any] = page.evaluate(module)
    return found
