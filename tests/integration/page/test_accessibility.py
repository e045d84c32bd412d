"""The page for everybody: axe-core's rules in each state, narrow windows, both colour schemes."""

from __future__ import annotations

from collections.abc import Iterator

from tests.integration.page.case import LANGUAGES, PageCase
from tests.support.accessibility import assert_for_everybody, assert_still
from tests.support.chromium import Page

#: One service that nobody answers, and one that needs no credentials.
SERVICES = "\n  turn:127.0.0.2:9?transport=udp\n  stun:127.0.0.2:9"


class AccessibilityTests(PageCase):
    """Every state that the page can be in, in every language."""

    server_settings = {"turn": {"services": SERVICES, "secret": "tweedledee"}}

    def states(self, language: str) -> Iterator[tuple[str, Page]]:
        page = self.open(language)
        yield "signed out", page
        page.click("#ways input[value=guest]")
        yield "guest", page
        self.join(page)
        self.failure(page)
        yield "refused", page
        page.click("#ways input[value=user]")
        self.bridge.freeze()
        self.sign_in(page)
        page.wait("!document.querySelector('#cancel').hidden")
        yield "signing in", page
        self.bridge.thaw()
        self.wait_inside(page)
        page.wait("document.querySelectorAll('#services li').length === 2")
        yield "signed in", page
        page.click("#services dd button")
        page.click("#services li button:last-of-type")
        page.wait("document.querySelector('#services .result').textContent")
        yield "asked for more", page
        page.click("#leave")
        page.wait("document.querySelector('#notice').textContent")
        yield "signed out again", page

    def test_axe(self) -> None:
        """axe-core finds no violation, in the light or in the dark, and nothing is too wide."""
        self.addCleanup(self.bridge.thaw)
        for language in LANGUAGES:
            for state, page in self.states(language):
                assert_for_everybody(self, page, f"{state}, {language}")

    def test_labels(self) -> None:
        """Every control has a name that is seen, or contains what is seen."""
        for language in LANGUAGES:
            page = self.open(language)
            self.sign_in(page)
            self.wait_inside(page)
            names = page.evaluate(
                "[...document.querySelectorAll('#session button')].map((one) => "
                "[one.innerText, one.ariaLabel ?? one.innerText])"
            )
            self.assertGreater(len(names), 4)
            for seen, name in names:
                self.assertIn(seen.lower(), name.lower())

    def test_motion(self) -> None:
        """Who wants no motion gets none."""
        assert_still(self, self.open())
