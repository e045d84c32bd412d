"""A Call Bridge with a web page, two XMPP servers, a browser, and what an administrator does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence

from twisted.trial import unittest

from tests.support.chromium import Chromium, Page
from tests.support.people import log_in
from tests.support.processes import Process, free_port
from tests.support.shared import shared_site
from tests.support.site import Site, making
from tests.support.waiting import wait_until

LANGUAGES = ("en", "ja")
HOST = "cb1.example.com"
ADDRESS = "127.0.0.4"
ADMIN, VIEWER = "rosalind", "victor"
PASSWORD = "as-you-like-it-1623"
USER, USER_PASSWORD = "alice", "drink-me-8231"
SECRET = "secret-of-cb1"


class AdminSite(Site):
    """xmpp1 is in the DNS as the server of the domain; xmpp2 has to be named to be found.

    Under the name ``alias`` xmpp1 answers as well, with a certificate that has no such name.
    """

    browser: Chromium

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port(ADDRESS)
        self.more: list[Process] = []

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.port}"

    @property
    def server_addresses(self) -> Sequence[str]:
        """What to type as server address, for each."""
        return [f"{one.fqdn}:{one.component_port}" for one in self.servers]

    def close(self) -> None:
        for one in self.more:
            one.kill()
        super().close()


def make_site(prepare: Callable[[AdminSite], None] = lambda _: None) -> AdminSite:
    """The site, started, with an admin and a viewer. ``prepare`` may change it before."""
    with making(AdminSite()) as site:
        for number in (1, 2):
            site.server(f"xmpp{number}", f"127.0.0.{number + 1}")
        site.zone.srv.pop()
        site.zone.hosts["alias.example.com"] = [site.servers[0].address]
        admin = {
            "listen": f"tcp:{site.port}:interface={ADDRESS}",
            "users_file": site.directory / "admins",
        }
        bridge = site.bridge(settings={"admin": admin}, certificate_names=[HOST, "cb2.example.com"])
        site.enrol(bridge)
        for server in site.servers:
            server.command("callbridge", "add-secret", "cb2", typed=SECRET)
        site.user(USER, USER_PASSWORD)
        bridge.command("admin", "add", ADMIN, typed=PASSWORD + "\n")
        bridge.command("admin", "add", VIEWER, "--role", "viewer", typed=PASSWORD + "\n")
        site.browser = Chromium(
            site.directory / "chromium", site.ca.certificate_path, [f"MAP {HOST} {ADDRESS}"]
        )
        site.more.append(site.browser)
        prepare(site)
        site.nameserver.start()
        for daemon in [*site.servers, bridge]:
            daemon.process.start()
        site.servers[0].wait_serving("cb1")
        site.browser.start()
    return site


class AdminCase(unittest.SynchronousTestCase):
    """All tests share one site; in the end the browser must have had no complaint."""

    #: What the browser may complain about.
    expected_complaints: tuple[str, ...] = ()

    def setUp(self) -> None:
        site = shared_site(AdminSite, make_site)
        assert isinstance(site, AdminSite)
        self.site = site
        self.bridge = site.bridges[0]
        self.addCleanup(self._check_log, self.bridge.process.mark())

    def reset(self) -> None:
        """Let the ini file count again, with the link that it leads to."""
        bridge = self.bridge
        bridge.command("config", "reset")
        self.site.servers[0].wait_serving("cb1")
        wait_until("it has moved back", lambda: not bridge.status().get("former"))

    # What an administrator does

    def open(self, path: str = "/", language: str = "en", script: bool = True) -> Page:
        """A page in a browser that nobody has signed in with."""
        page = self.site.browser.page(language)
        self.addCleanup(self._check, page)
        if not script:
            page.call("Emulation.setScriptExecutionDisabled", value=True)
        page.goto(self.site.url + path)
        return page

    def sign_in(
        self, path: str = "/status", name: str = ADMIN, language: str = "en", script: bool = True
    ) -> Page:
        """A page, with somebody signed in."""
        page = self.open(path, language, script)
        self.enter(page, name)
        page.wait(f"location.pathname === '{path}' && document.readyState === 'complete'")
        return page

    def enter(self, page: Page, name: str = ADMIN, password: str = PASSWORD) -> None:
        """Type name and password, and send them."""
        self.fill(page, "name", name)
        self.fill(page, "password", password)
        page.press("Enter")

    def fill(self, page: Page, field: str, text: str) -> None:
        """Put ``text`` in the place of what is in the field."""
        page.evaluate(f"document.getElementById('{field}').select()")
        page.evaluate(f"document.getElementById('{field}').focus()")
        page.press("Delete")
        if text:
            page.type(text)

    def press(self, page: Page, action: str) -> None:
        """Click on Save, Test or Reset."""
        page.click(f"button[value={action}]")

    def log_in(self, password: str = USER_PASSWORD) -> None:
        """A user logs in at the first XMPP server."""
        server = self.site.servers[0]
        asyncio.run(
            log_in(
                server.address,
                server.client_port,
                f"{USER}@example.com",
                password,
                self.site.ca.certificate_path,
            )
        )

    # What an administrator sees

    def text(self, page: Page, selector: str) -> str:
        """The text of an element; empty where there is none."""
        found: str = page.evaluate(
            f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"
        )
        return found

    def wait_text(self, page: Page, selector: str, text: str) -> None:
        """Wait until an element has this text in it."""
        where = f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"
        page.wait(f"({where}).includes({json.dumps(text)})")

    def _check_log(self, since: int) -> None:
        self.assertNotIn("Traceback", self.bridge.process.text(since))

    def _check(self, page: Page) -> None:
        complaints = [
            one
            for one in page.complaints()
            if not any(expected in one for expected in self.expected_complaints)
        ]
        asked = {one["request"]["url"] for one in page.events("Network.requestWillBeSent")}
        page.close()
        self.assertEqual(complaints, [])
        elsewhere = [one for one in asked if not one.startswith((self.site.url + "/", "about:"))]
        self.assertEqual(elsewhere, [])
