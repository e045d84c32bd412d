"""The sign-in page in the demo: what a browser loads of it, and how a person opens it."""

from __future__ import annotations

import re
import shutil
import ssl
import urllib.request
from pathlib import Path

from demo.screen import Screen
from tests.support.coturn import Coturn
from tests.support.site import Settings, Site


def settings(address: str, port: int, coturn: Coturn | None) -> Settings:
    """xmppd's: the page is on, and browsers need no name for where it is."""
    client = {
        "websocket_listen": f"tcp:{port}:interface={address}",
        "websocket_url": f"wss://{address}:{port}/xmpp-websocket",
        "sign_in_page": "yes",
    }
    return {"client": client} | ({"turn": coturn.settings()} if coturn else {})


def turn_server(site: Site) -> Coturn | None:
    """A coturn for the page to test, if it is installed; not started yet."""
    return Coturn(site.directory / "coturn", site.ca) if shutil.which("turnserver") else None


def load(url: str, authority: Path) -> tuple[int, str]:
    """Load the page and what its document names, as a browser does.

    Answer how many files that were, and the policy that the page is held to.
    """
    context = ssl.create_default_context(cafile=authority)
    with urllib.request.urlopen(url, context=context) as answer:  # noqa: S310  it is ours
        policy = answer.headers["Content-Security-Policy"]
        document = answer.read().decode()
    names = set(re.findall(r'(?:href|src)="([^"]+)"', document))
    for name in names:
        urllib.request.urlopen(url + name, context=context).close()  # noqa: S310
    return 1 + len(names), policy


def explain(screen: Screen, url: str, authority: Path, user: str, password: str) -> None:
    """How to open the page that was left running."""
    screen.prose(
        f"The sign-in page: {url} in a browser on this machine. It does not know the authority of "
        f"the demo: let it pass its warning, or import {authority}. Sign in as {user} with "
        f"{password}, or as a guest with no code; you will see who vouched for you. Kill a "
        "callbridged, and sign in again."
    )
