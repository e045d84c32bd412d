"""The sign-in page: who can open it sees whether logins work, and what a session gets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Template
from urllib.parse import urlsplit

from twisted.web.server import Request

from daemonkit.hosts import parse_name
from daemonkit.web.files import folder, send
from daemonkit.web.pages import Page
from xmppd.web.urls import asked_name, parse_origin, port_of


def page_files() -> Traversable:
    """Answer where the page's files are: ``index.html``, and all that it loads."""
    return files("xmppd.web") / "page"


def page_origins(
    names: Iterable[str], listen: Iterable[str], websocket_urls: Iterable[str]
) -> frozenset[str]:
    """Answer the origins that the page itself has: our ``names`` with the ports of the endpoints
    ``listen``, and, behind a reverse proxy, the places that browsers are told.
    """
    ports = {port_of(endpoint) for endpoint in listen} - {None}
    ours = {parse_origin(f"https://{parse_name(name)}:{port}") for name in names for port in ports}
    return frozenset(ours | {_page_origin(url) for url in websocket_urls})


class SignInPage(Page):
    """``/``. What it has to know stands in an attribute of its body, as JSON.

    ``url`` is where it connects to, with a domain in the place of ``{domain}``. It signs in to the
    one of ``domains`` that its host is called by, or lets the user choose.
    """

    def __init__(self, url: str, domains: Sequence[str]) -> None:
        super().__init__()
        self._template = Template((page_files() / "index.html").read_text(encoding="utf-8"))
        self._domains = {parse_name(one): one for one in domains}
        self._url = url

    def show(self, request: Request) -> bytes | int:
        asked = asked_name(request)
        names = [asked] if asked in self._domains else list(self._domains)
        urls = {name: self._url.replace("{domain}", name) for name in names}
        settings = {
            "domains": [
                {"name": self._domains[name], "websocket": url} for name, url in urls.items()
            ]
        }
        shown = escape(json.dumps(settings, ensure_ascii=False))
        connect = dict.fromkeys(_socket_origin(url) for url in urls.values())
        body = self._template.substitute(settings=shown).encode()
        return send(request, body, "html", connect=" ".join(connect))


def add_sign_in_page(root: Page, url: str, domains: Sequence[str]) -> None:
    """Put the page, and what it loads, below ``root``."""
    root.putChild(b"", SignInPage(url, domains))
    root.putChild(b"page", folder(page_files()))


def _page_origin(websocket_url: str) -> str:
    return parse_origin(f"https://{urlsplit(websocket_url).netloc}")


def _socket_origin(websocket_url: str) -> str:
    return _page_origin(websocket_url).replace("https://", "wss://", 1)
