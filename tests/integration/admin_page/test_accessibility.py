"""The pages for everybody: axe-core's rules, narrow windows, keyboards, and who wants no motion."""

from __future__ import annotations

from collections.abc import Iterator

from tests.integration.admin_page.case import LANGUAGES, NODE
from tests.integration.admin_page.test_configuration import ConfigurationCase
from tests.support.chromium import Page

AXE = NODE / "node_modules" / "axe-core" / "axe.min.js"
RUN = """
axe.run({ resultTypes: ["violations"] }).then(({ passes, violations }) => [
  passes.length, violations.map(({ id, nodes }) => [id, nodes.map((one) => one.html)]),
])
"""


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

    def test_axe(self) -> None:
        """axe-core finds no violation, in the light or in the dark, and nothing is too wide."""
        for language in LANGUAGES:
            for state, page in self.states(language):
                page.evaluate(AXE.read_text(encoding="utf-8"))
                for dark in (False, True):
                    page.look_like(1280, 900, dark=dark)
                    found = page.evaluate(RUN)
                    where = f"{state}, {language}, {'dark' if dark else 'light'}"
                    self.assertEqual(found[1], [], where)
                    self.assertGreater(found[0], 10, where)
                for width in (320, 700, 1600):
                    page.look_like(width, 740)
                    needed = page.evaluate("document.documentElement.scrollWidth")
                    self.assertLessEqual(needed, width, f"{state}, {language}")

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
        page = self.sign_in()
        moving = (
            "[...document.querySelectorAll('*')].map((one) => getComputedStyle(one)).filter((one) "
            "=> one.transitionDuration !== '0s' || one.animationName !== 'none').length"
        )
        self.assertGreater(page.evaluate(moving), 0)
        reduced = {"name": "prefers-reduced-motion", "value": "reduce"}
        page.call("Emulation.setEmulatedMedia", features=[reduced])
        self.assertEqual(page.evaluate(moving), 0)
