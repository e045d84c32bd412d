"""Everything by plain pages and forms, in a browser that runs no scripts."""

from __future__ import annotations

from tests.integration.admin_page.case import SECRET
from tests.integration.admin_page.test_configuration import ConfigurationCase
from tests.support.chromium import Page


class WithoutJavaScriptTests(ConfigurationCase):
    """Chromium with scripts off; what a page shows is read from outside."""

    def open_without(self, path: str) -> Page:
        return self.sign_in(path, script=False)

    def wait_for_page(self, page: Page, text: str) -> None:
        """Wait for a page with this text."""
        page.wait(f"document.body?.innerText.includes({text!r})")

    def test_status(self) -> None:
        """The status is all there, with the time that it is of, and a link to load it again."""
        page = self.open_without("/status")
        self.assertIn("connected to", self.text(page, "#summary"))
        self.assertIn("this page does not follow", self.text(page, "noscript"))
        self.assertEqual(page.evaluate("document.querySelectorAll('#flow li').length"), 12)
        self.assertEqual(page.evaluate("document.querySelectorAll('#numbers tbody tr').length"), 5)
        page.click("noscript a")
        self.wait_for_page(page, "Signal flow")

    def test_test(self) -> None:
        """Test shows the steps on a page, and asks for the secret once more."""
        page = self.open_without("/configuration")
        self.edit(page, "test", secret=SECRET, server_address=self.site.server_addresses[1])
        self.wait_for_page(page, "All steps succeed")
        self.wait_for_page(page, "Type the secret again")
        self.assertEqual(self.value(page, "secret"), "")
        self.assertEqual(self.value(page, "server_address"), self.site.server_addresses[1])

    def test_save(self) -> None:
        """Save leads to a page that may be loaded again without saving again."""
        page = self.open_without("/configuration")
        self.edit(page, "save", server_address=self.site.server_addresses[1])
        self.wait_for_page(page, "Saved.")
        self.assertEqual(page.evaluate("location.search"), "?notice=saved")
        self.assertIn("connected to", self.text(page, "#summary"))

    def test_faults(self) -> None:
        """Faults stand at their fields."""
        page = self.open_without("/configuration")
        self.edit(page, "save", name="not a name")
        self.wait_for_page(page, "Correct the fields")
        self.assertGreater(len(self.text(page, "#name-fault")), 20)
