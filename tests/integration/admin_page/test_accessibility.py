"""The pages for everybody: axe-core's rules, narrow windows, keyboards, and who wants no motion."""

from __future__ import annotations

from collections.abc import Iterator

from tests.integration.admin_page.case import LANGUAGES, VIEWER
from tests.integration.admin_page.test_configuration import ConfigurationCase
from tests.support.accessibility import assert_for_everybody, assert_still
from tests.support.chromium import Page


class AccessibilityTests(ConfigurationCase):
    """Each page, in the states that it has, in each language."""

    expected_complaints = ("400", "403")

    def states(self, language: str) -> Iterator[tuple[str, Page]]:
        page = self.open(language=language)
        self.enter(page, password="wrong")
        page.wait("document.querySelector('.notice.bad') !== null")
        yield "not signed in", page
        page = self.sign_in(language=language)
        page.wait("document.querySelector('#flow li:nth-child(11)')?.className === 'done'")
        page.click("#table summary")
        yield "status", page
        page = self.sign_in("/configuration", language=language)
        yield "configuration", page
        self.edit(page, "save", name="not a name")
        page.wait("document.querySelector('.fault') !== null")
        yield "faults", page
        port = self.site.servers[0].component_port
        self.edit(page, "test", name="cb1", server_address=f"alias.example.com:{port}")
        page.wait("document.querySelector('.tested li.failed') !== null")
        yield "tested", page
        self.bridge.command("reload")
        page.goto(self.site.url + "/audit")
        yield "audit", page
        yield "viewer", self.sign_in("/configuration", VIEWER, language)

    def test_axe(self) -> None:
        """axe-core finds no violation, in the light or in the dark, and nothing is too wide."""
        for language in LANGUAGES:
            for state, page in self.states(language):
                assert_for_everybody(self, page, f"{state}, {language}")

    def test_keyboard(self) -> None:
        """Without a mouse one skips to the content, and gets to each control in order."""
        page = self.sign_in("/configuration")
        page.press("Tab")
        self.assertEqual(page.evaluate("document.activeElement.className"), "skip")
        page.press("Enter")
        reached = []
        for _ in range(7):
            page.press("Tab")
            reached.append(
                page.evaluate("document.activeElement.id || document.activeElement.value")
            )
        wanted = ["name", "domain", "server_address", "secret", "at_once", "save", "test"]
        self.assertEqual(reached, wanted)

    def test_motion(self) -> None:
        """Who wants no motion gets none."""
        assert_still(self, self.sign_in())
