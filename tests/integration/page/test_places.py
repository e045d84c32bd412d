"""The page where it is not alone: behind a reverse proxy, and with several domains."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket

from tests.integration.page.case import ADDRESS, PageCase, PageSite
from tests.integration.test_proxies import NGINX
from tests.support.processes import Process, free_port
from tests.support.site import Settings

PROXY = "127.0.0.3"
#: As docs/browsers.md has it.
PAGE = """
        location / {{
            proxy_pass https://{server}:{websocket_port};
            proxy_bind {proxy};
            proxy_set_header Host $host;
        }}
"""


class BehindNginxTests(PageCase):
    """nginx serves https://example.com/, and xmppd trusts it."""

    hosts = {"example.com": PROXY}

    def settings_for(self, site: PageSite) -> Settings:
        nginx = Nginx(site)
        site.more.append(nginx)
        nginx.start()
        nginx.wait_while_running("nginx listens", nginx.listens)
        url = f"wss://example.com:{nginx.port}/xmpp-websocket"
        return {"client": {"websocket_url": url, "trusted_proxies": PROXY}}

    def test_sign_in(self) -> None:
        """The page comes through nginx, signs in through it, and says where the browser is."""
        (nginx,) = [one for one in self.site.more if isinstance(one, Nginx)]
        page = self.open(host="example.com", port=nginx.port)
        mark = self.server.process.mark()
        self.sign_in(page)
        self.wait_inside(page)
        self.assertEqual(self.facts(page)["Your network address"], "127.0.0.1")
        self.assertNotIn(PROXY, self.server.process.text(mark))

    def test_past_the_proxy(self) -> None:
        """The page of xmppd's own port may sign in through nginx as well."""
        page = self.open()
        self.sign_in(page)
        self.wait_inside(page)


class DomainTests(PageCase):
    """xmppd serves example.com, which has a Call Bridge, and example.org, which has none."""

    def settings_for(self, site: PageSite) -> Settings:
        certificate, key = site.ca.issue("org", dns=["example.org"])
        return {"domain example.org": {"certificate": certificate, "private_key": key}}

    def test_choice(self) -> None:
        """Where the host's name says nothing, the user chooses where to sign in."""
        page = self.open()
        options = "[...document.querySelectorAll('#domain option')].map((one) => one.value)"
        self.assertEqual(page.evaluate(options), ["example.com", "example.org"])
        self.assertFalse(page.evaluate("document.querySelector('#domains').hidden"))
        page.evaluate("document.querySelector('#domain').focus()")
        page.press("ArrowDown")
        self.assertEqual(self.text(page, "#domain-name"), "example.org")
        self.sign_in(page)
        self.assertEqual(self.failure(page), "temporary-auth-failure")  # nobody can check there
        self.sign_in(page, "alice@example.com")
        page.wait("document.activeElement.id === 'username'")
        self.assertEqual(self.failure(page), "username-elsewhere")

    def test_asked_for(self) -> None:
        """The page of a domain's own host signs in there, and shows which one it is."""
        for domain in ("example.com", "example.org"):
            page = self.open(host=domain)
            self.assertEqual(self.text(page, "#domain-name"), domain)
            self.assertTrue(page.evaluate("document.querySelector('#domains').hidden"))
            self.assertEqual(page.evaluate("document.querySelector('#domain').value"), domain)


class Nginx(Process):
    """A reverse proxy for the page and for WebSocket."""

    def __init__(self, site: PageSite) -> None:
        found = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
        assert found, "nginx is missing: apt-get install nginx-light"
        directory = site.directory / "nginx"
        directory.mkdir()
        self.port = free_port(PROXY)
        certificate, key = site.ca.issue("proxy", dns=["example.com"])
        where = "        location /xmpp-websocket {{"
        settings = NGINX.replace(where, PAGE + where).format(
            server=ADDRESS,
            proxy=PROXY,
            nginx=self.port,
            websocket_port=site.port,
            certificate=certificate,
            key=key,
            directory=directory,
        )
        (directory / "nginx.conf").write_text(settings)
        super().__init__("nginx", [found, "-c", directory / "nginx.conf"], directory / "log")

    def listens(self) -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection((PROXY, self.port), 1).close()
            return True
        return False
