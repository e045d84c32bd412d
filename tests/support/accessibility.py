"""What pages owe everybody, looked at in a browser: axe-core's rules, narrow windows, no motion."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.chromium import Page

AXE = Path(__file__).parents[1] / "integration/node/node_modules/axe-core/axe.min.js"
RUN = """
axe.run({ resultTypes: ["violations"] }).then(({ passes, violations }) => [
  passes.length, violations.map(({ id, nodes }) => [id, nodes.map((one) => one.html)]),
])
"""
MOVING = """
[...document.querySelectorAll("*")].map((one) => getComputedStyle(one)).filter((one) =>
  one.transitionDuration !== "0s" || one.animationName !== "none").length
"""


def assert_for_everybody(test: SynchronousTestCase, page: Page, state: str) -> None:
    """axe-core finds no violation, in the light or in the dark, and no window is too narrow."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    for dark in (False, True):
        page.look_like(1280, 900, dark=dark)
        passes, violations = page.evaluate(RUN)
        where = f"{state}, {'dark' if dark else 'light'}"
        test.assertEqual(violations, [], where)
        test.assertGreater(passes, 10, where)
    for width in (320, 360, 700, 1600):
        page.look_like(width, 740)
        needed = page.evaluate("document.documentElement.scrollWidth")
        test.assertLessEqual(needed, width, state)


def assert_still(test: SynchronousTestCase, page: Page) -> None:
    """Something moves on the page, and nothing does for who wants no motion."""
    test.assertGreater(page.evaluate(MOVING), 0)
    reduced = {"name": "prefers-reduced-motion", "value": "reduce"}
    page.call("Emulation.setEmulatedMedia", features=[reduced])
    test.assertEqual(page.evaluate(MOVING), 0)
