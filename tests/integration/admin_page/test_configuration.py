"""Configuration > General in a real browser: test, save, faults, conflicts, links that move."""

from __future__ import annotations

from callbridged.overlay import KEYS
from daemonkit import control
from tests.integration.admin_page.case import SECRET, AdminCase
from tests.support.chromium import Page
from tests.support.waiting import wait_until


class ConfigurationCase(AdminCase):
    """After each test the ini file counts again, with the link that it leads to."""

    expected_complaints = ("400", "409")  # faults and conflicts

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self.reset)

    def reset(self) -> None:
        control.call(self.bridge.socket, "reset", settings=list(KEYS))
        self.site.servers[0].wait_serving("cb1")
        wait_until("it has moved back", lambda: not self.bridge.status().get("former"))

    def edit(self, page: Page, action: str, **values: str) -> None:
        """Type values into the form, and press a button."""
        for key, value in values.items():
            self.fill(page, key, value)
        self.press(page, action)

    def value(self, page: Page, field: str) -> str:
        found: str = page.evaluate(f"document.getElementById('{field}').value")
        return found

    def failing(self, page: Page, within: str) -> str:
        """The number and name of the step that is shown as failed, and what to do about it."""
        page.wait(f"document.querySelector('{within} li.failed') !== null")
        return self.text(page, f"{within} li.failed")


class TestTests(ConfigurationCase):
    """Test: the steps with new values, of which none is taken into use."""

    def test_succeeds(self) -> None:
        """With values that are right each step succeeds, and nothing is saved."""
        page = self.sign_in("/configuration")
        self.edit(page, "test", server_address=self.site.server_addresses[1])
        self.wait_text(page, ".tested", "All steps succeed")
        self.assertIn(self.site.server_addresses[1], self.text(page, ".tested h3"))
        steps = "[...document.querySelectorAll('.tested .steps li')]"
        states = page.evaluate(f"{steps}.map((one) => one.className)")
        self.assertEqual(states, ["done", "done", "skipped", *["done"] * 7])
        self.assertEqual(self.bridge.command("config", "--json").stdout.count('"overlay"'), 0)

    def test_wrong_secret(self) -> None:
        """A secret that is wrong fails at the registration; what was typed stays in the field."""
        page = self.sign_in("/configuration")
        server = self.site.server_addresses[1]  # where no link of ours is up
        self.edit(page, "test", server_address=server, secret="not-the-secret")
        self.assertIn("Registration request", self.failing(page, ".tested"))
        self.assertIn("The secret is wrong", self.text(page, ".tested .trouble"))
        self.assertIn("What to do", self.text(page, ".tested .remedy"))
        self.assertEqual(self.value(page, "secret"), "not-the-secret")
        self.assertNotIn("not-the-secret", page.evaluate("document.documentElement.outerHTML"))

    def test_missing_name(self) -> None:
        """A server whose certificate lacks its name fails there, and the name is said."""
        page = self.sign_in("/configuration")
        port = self.site.servers[0].component_port
        self.edit(page, "test", server_address=f"alias.example.com:{port}")
        self.assertIn("Certificate check", self.failing(page, ".tested"))
        self.assertIn("alias.example.com", self.text(page, ".tested .trouble"))

    def test_no_record(self) -> None:
        """A domain without an SRV record fails at the lookup."""
        page = self.sign_in("/configuration")
        self.edit(page, "test", domain="nothing.example.com")
        self.assertIn("SRV lookup", self.failing(page, ".tested"))
        self.wait_text(page, ".tested .notice", "Step 4")


class SaveTests(ConfigurationCase):
    """Save: in use at once, and the link moves."""

    def test_link_moves(self) -> None:
        """Another server address is saved, and one sees the link move there."""
        page = self.sign_in("/configuration")
        self.wait_text(page, "#summary", f"connected to {self.site.server_addresses[0]}")
        self.edit(page, "save", server_address=self.site.server_addresses[1])
        self.wait_text(page, "#form", "Saved.")
        self.wait_text(page, "#summary", f"connected to {self.site.server_addresses[1]} (secure)")
        self.assertIn("saved here or by the API", self.text(page, "#server_address-origin"))
        self.site.servers[1].wait_serving("cb1")
        page.goto(self.site.url + "/audit")
        self.assertIn(self.site.server_addresses[1], self.text(page, "tbody tr"))
        self.assertNotIn("UTC", self.text(page, "tbody time"))  # it is the reader's own
        page.goto(self.site.url + "/configuration")
        self.press(page, "reset")
        self.wait_text(page, "#form", "What the ini file says counts again")
        self.wait_text(page, "#summary", f"connected to {self.site.server_addresses[0]} (secure)")

    def test_former_link_stays(self) -> None:
        """Where the new link fails the former one goes on, and one sees both, and the step."""
        page = self.sign_in("/configuration")
        port = self.site.servers[0].component_port
        self.edit(page, "save", server_address=f"alias.example.com:{port}")
        self.wait_text(page, "#form", "Saved.")
        self.assertIn("Certificate check", self.failing(page, "#flow"))
        self.wait_text(page, "#summary", "former settings")
        self.wait_text(page, "#summary", f"connected to {self.site.server_addresses[0]} (secure)")
        self.assertIn("registered", self.text(page, "#summary > dl > div:last-child"))

    def test_wrong_secret(self) -> None:
        """A wrong secret that is saved fails at the registration, and the link that is up stays."""
        page = self.sign_in("/configuration")
        self.edit(page, "save", secret="not-the-secret")
        self.wait_text(page, "#form", "Saved.")
        self.assertEqual(self.value(page, "secret"), "")
        self.assertIn("Registration request", self.failing(page, "#flow"))
        self.wait_text(page, "#summary", f"connected to {self.site.server_addresses[0]} (secure)")
        self.edit(page, "save", secret=SECRET)
        page.wait("document.querySelector('#flow li.failed') === null")

    def test_at_once(self) -> None:
        """Where it is asked for, the former link is not waited with."""
        page = self.sign_in("/configuration")
        page.click("#at_once")
        self.edit(page, "save", domain="nothing.example.com")
        self.assertIn("SRV lookup", self.failing(page, "#flow"))
        self.wait_text(page, "#summary > dl > div:last-child", "down")
        self.assertFalse(page.evaluate("document.getElementById('at_once').checked"))

    def test_name(self) -> None:
        """Under another name the link moves as well, and the page has it in its head."""
        page = self.sign_in("/configuration")
        self.edit(page, "save", name="cb2", secret=SECRET)
        self.wait_text(page, "#form", "Saved.")
        self.wait_text(page, "#summary", "connected to")
        self.site.servers[0].wait_serving("cb2")
        page.reload()
        self.assertIn("cb2", self.text(page, ".brand"))

    def test_faults(self) -> None:
        """Values that cannot be are marked, all at once, and nothing is saved."""
        page = self.sign_in("/configuration")
        self.fill(page, "secret", "a-new-one")
        self.edit(page, "save", name="not a name", server_address="xmpp1.example.com:99999")
        self.wait_text(page, "#form", "Correct the fields")
        for field in ("name", "server_address"):
            self.assertGreater(len(self.text(page, f"#{field}-fault")), 20)
            described = page.evaluate(
                f"document.getElementById('{field}').getAttribute('aria-describedby')"
            )
            self.assertIn(f"{field}-fault", described)
        self.assertEqual(page.evaluate("document.activeElement.id"), "name")
        self.assertEqual(self.value(page, "name"), "not a name")
        self.assertEqual(self.value(page, "secret"), "a-new-one")
        self.assertEqual(self.bridge.status()["callbridge"], "cb1")

    def test_unchanged(self) -> None:
        """Where nothing was changed nothing is saved."""
        page = self.sign_in("/configuration")
        self.press(page, "save")
        self.wait_text(page, "#form", "Nothing was changed")


class ConflictTests(ConfigurationCase):
    """Two administrators at once."""

    def test_conflict(self) -> None:
        """The second one sees both values, and may then put theirs in the place of the first's."""
        first, second = (self.sign_in("/configuration") for _ in range(2))
        self.edit(first, "save", server_address=self.site.server_addresses[1])
        self.wait_text(first, "#form", "Saved.")
        port = self.site.servers[0].component_port
        mine = f"127.0.0.2:{port}"
        self.edit(second, "save", server_address=mine, secret=SECRET)
        self.wait_text(second, ".conflict", "Somebody else has saved")
        self.assertEqual(self.value(second, "secret"), SECRET)
        shown = self.text(second, ".conflict tbody")
        self.assertIn(self.site.server_addresses[1], shown)
        self.assertIn(mine, shown)
        current = self.bridge.command("config").stdout
        self.assertNotIn(mine, current)
        self.press(second, "save")
        self.wait_text(second, "#form", "Saved.")
        self.assertIn(mine, self.bridge.command("config").stdout)
