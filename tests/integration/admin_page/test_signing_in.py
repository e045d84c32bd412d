"""Signing in and out, and who may not: in a real browser."""

from __future__ import annotations

import json

from tests.integration.admin_page.case import ADMIN, PASSWORD, VIEWER, AdminCase

POST = """
fetch("/configuration", { method: "POST", body: new URLSearchParams(FIELDS) })
  .then((one) => one.text().then((text) => [one.status, text]))
"""


class SignInTests(AdminCase):
    """The way in, and out."""

    expected_complaints = ("403", "401")

    def test_sent_to_sign_in(self) -> None:
        """Who is not signed in is asked to, and is then where they wanted to go."""
        for path in ("/status", "/configuration", "/audit"):
            page = self.open(path)
            self.assertEqual(page.evaluate("location.pathname"), "/sign-in")
            self.assertEqual(self.text(page, "#notice"), "")
            self.enter(page)
            page.wait(f"location.pathname === '{path}'")

    def test_wrong_password(self) -> None:
        """Neither name nor password is told to be the wrong one, and neither is shown again."""
        page = self.open()
        self.enter(page, ADMIN, "wrong")
        self.wait_text(page, "#notice", "User name or password is wrong")
        page.wait("document.activeElement?.id === 'name'")
        self.assertNotIn(ADMIN, page.evaluate("document.body.outerHTML"))
        self.enter(page)
        page.wait("location.pathname === '/status'")

    def test_sign_out(self) -> None:
        """Who signs out is out, in each tab of the browser; going back shows nothing."""
        page = self.sign_in()
        page.click(".leave button")
        page.wait("location.pathname === '/sign-in' && document.readyState === 'complete'")
        self.assertIn("You are signed out", self.text(page, "#notice"))
        page.goto(self.site.url + "/status")
        self.assertEqual(page.evaluate("location.pathname"), "/sign-in")

    def test_session_ends(self) -> None:
        """A page whose session ends on the server asks to sign in again, by itself."""
        page = self.sign_in()
        page.wait("document.querySelector('#announce').textContent !== ''")
        self.bridge.command("admin", "passwd", ADMIN, typed=PASSWORD + "\n")
        page.wait("location.pathname === '/sign-in'")
        self.wait_text(page, "#notice", "Sign in to go on")
        page = self.sign_in("/configuration")
        page.evaluate(
            "fetch('/sign-out', { method: 'POST', body: new URLSearchParams({ "
            "csrf: document.querySelector('[name=csrf]').value }) }).then(() => 1)"
        )
        page.wait("location.pathname === '/sign-in'")

    def test_missing_token(self) -> None:
        """A form without the session's token changes nothing, whatever it says."""
        page = self.sign_in("/configuration")
        for fields in (
            {"action": "save", "name": "evil"},
            {"action": "save", "name": "evil", "csrf": "x" * 43},
            {"action": "reset"},
        ):
            status, text = page.evaluate(POST.replace("FIELDS", json.dumps(fields)))
            self.assertEqual(status, 403)
            self.assertIn("too old, or not from here", text)
        self.assertEqual(self.bridge.status()["callbridge"], "cb1")

    def test_expired_form(self) -> None:
        """Whose session has ended saves nothing with a form that is still open, and signs in."""
        page = self.sign_in("/configuration")
        self.fill(page, "name", "cb2")
        self.bridge.command("admin", "passwd", ADMIN, typed=PASSWORD + "\n")
        page.wait("location.pathname === '/sign-in'")
        plain = self.sign_in("/configuration", script=False)
        self.fill(plain, "name", "cb2")
        self.bridge.command("admin", "passwd", ADMIN, typed=PASSWORD + "\n")
        plain.click("button[value=save]")
        plain.wait("location.pathname === '/sign-in'")
        self.assertEqual(self.bridge.status()["callbridge"], "cb1")

    def test_viewer(self) -> None:
        """A viewer sees the settings, all of them disabled, and may not send them either."""
        page = self.sign_in("/configuration", VIEWER)
        self.assertIn("your role is viewer", self.text(page, "#form"))
        controls = "#settings :is(input, button):enabled:not([type=hidden])"
        self.assertIsNone(page.evaluate(f"document.querySelector('{controls}')"))
        token = page.evaluate("document.querySelector('[name=csrf]').value")
        fields = {"action": "save", "name": "evil", "csrf": token}
        status, text = page.evaluate(POST.replace("FIELDS", json.dumps(fields)))
        self.assertEqual(status, 403)
        self.assertIn("may not change anything", text)
        page.goto(self.site.url + "/status")
        self.wait_text(page, "#summary", "connected to")


class ChoiceTests(AdminCase):
    """Language and colours."""

    def test_language(self) -> None:
        """The browser's language is taken, unless another one is chosen, which is remembered."""
        page = self.open(language="ja")
        self.assertEqual(self.text(page, "h1"), "サインイン")
        page.click("footer a[lang=en]")
        page.wait("document.documentElement?.lang === 'en' && document.readyState === 'complete'")
        self.assertEqual(page.evaluate("location.search"), "")
        page.reload()
        self.assertEqual(self.text(page, "h1"), "Sign in")

    def test_colours(self) -> None:
        """The browser's colours are taken, unless others are chosen."""
        page = self.open()
        page.look_like(1280, 900, dark=True)
        ground = "document.body && getComputedStyle(document.documentElement).backgroundColor"
        dark = page.evaluate(ground)
        page.click("footer a[href='?theme=light']")
        page.wait(f"document.readyState === 'complete' && {ground} !== '{dark}'")
        page.reload()
        self.assertNotEqual(page.evaluate(ground), dark)

    def test_not_there(self) -> None:
        """A page that is not there is a page that says so, in the reader's language."""
        self.expected_complaints = ("404",)
        page = self.sign_in(language="ja")
        page.goto(self.site.url + "/nowhere")
        self.assertIn("このページはありません", self.text(page, "main"))
