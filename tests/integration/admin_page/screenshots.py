"""``python -m tests.integration.admin_page.screenshots DIRECTORY``: the pages, to be looked at.

In both languages, light and dark, wide and narrow; with one link up, one that fails, and logins.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from pathlib import Path

from tests.integration.admin_page.case import (
    ADMIN,
    LANGUAGES,
    PASSWORD,
    USER,
    USER_PASSWORD,
    AdminSite,
    make_site,
)
from tests.support.chromium import Page
from tests.support.people import log_in

#: Seconds of logins before the first picture.
BUSY = 45.0
SIZES = {"wide": 1360, "narrow": 390}
HIGHEST = 4000


async def log_in_often(site: AdminSite, seconds: float) -> None:
    """Logins now and then, some of them with a wrong password."""
    server = site.servers[0]
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        right = random.random() > 0.02
        await asyncio.gather(
            *(
                log_in(
                    server.address,
                    server.client_port,
                    f"{USER}@example.com",
                    USER_PASSWORD if right else "wrong",
                    site.ca.certificate_path,
                )
                for _ in range(random.choice((1, 1, 2)))
            )
        )


def prepare(site: AdminSite) -> None:
    """Have the DNS name the first server once more, as one whose certificate lacks its name; and
    nobody slowed down by wrong passwords."""
    site.zone.srv.append((20, 10, site.servers[0].component_port, "alias.example.com"))
    with site.bridges[0].ini.open("a") as ini:
        ini.write("\n[failed_logins]\nenabled = no\n")


def take(page: Page, path: Path, width: int, *, dark: bool) -> None:
    """A picture of the whole page."""
    page.look_like(width, 900, dark=dark)
    height = page.evaluate("document.documentElement.scrollHeight")
    page.look_like(width, min(height, HIGHEST), dark=dark)
    page.screenshot(path)
    print(path)


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    site = make_site(prepare)
    port = site.servers[0].component_port
    try:
        asyncio.run(log_in_often(site, BUSY))
        for language in LANGUAGES:
            page = site.browser.page(language)
            page.goto(site.url)
            for size, width in SIZES.items():
                take(page, directory / f"sign-in-{language}-{size}.png", width, dark=False)
            page.evaluate(
                f"document.getElementById('name').value = '{ADMIN}';"
                f"document.getElementById('password').value = '{PASSWORD}';"
                "document.querySelector('main form').requestSubmit()"
            )
            page.wait(
                "document.readyState === 'complete' &&"
                "document.querySelector('#flow')?.textContent.includes('alias')"
            )
            for dark in (False, True):
                for size, width in SIZES.items():
                    shade = "dark" if dark else "light"
                    page.goto(f"{site.url}/status")
                    page.wait("document.querySelector('.plot b').textContent !== ''")
                    name = f"status-{language}-{shade}-{size}.png"
                    take(page, directory / name, width, dark=dark)
                    page.goto(f"{site.url}/configuration")
                    page.evaluate(
                        "document.getElementById('server_address').value = "
                        f"'alias.example.com:{port}';"
                        "document.querySelector('[value=test]').click()"
                    )
                    page.wait("document.querySelector('.tested') !== null")
                    name = f"configuration-{language}-{shade}-{size}.png"
                    take(page, directory / name, width, dark=dark)
            page.goto(f"{site.url}/audit")
            take(page, directory / f"audit-{language}.png", SIZES["wide"], dark=False)
    finally:
        site.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
