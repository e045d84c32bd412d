"""Users come, are refused, stay, and go: by mouse, and by keyboard alone."""

from __future__ import annotations

import json
import re
import signal
from datetime import UTC, datetime, timedelta

from tests.integration.page.case import PASSWORD, USER, VIOLATION, PageCase, catalogue
from tests.support.site import CLEAN
from tests.support.waiting import wait_until


class UserTests(PageCase):
    """With an account."""

    def test_sign_in_and_out(self) -> None:
        """A user signs in by SCRAM, sees the session as the server knows it, and signs out."""
        page = self.open()
        self.assertEqual(page.evaluate("document.title"), "Sign in · example.com")
        self.assertEqual(self.focus(page), "username")
        self.sign_in(page)
        self.wait_inside(page)
        (session,) = json.loads(self.server.command("--json", "sessions").stdout)["sessions"]
        facts = self.facts(page)
        self.assertEqual(facts["Address"], session["jid"])
        self.assertEqual(facts["Vouched for by"], "cb1.example.com")
        self.assertRegex(facts["Signed in by"], r"SCRAM-SHA-512\nThe password was proved")
        self.assertEqual(facts["Connection"], "WebSocket")
        self.assertEqual(facts["Encryption"], session["tls"])
        self.assertEqual(facts["Your network address"], "127.0.0.1")
        self.assertNotIn("Until", facts)
        self.assertEqual(page.evaluate("document.title"), "Signed in · example.com")
        page.click("#leave")
        page.wait("document.querySelector('#notice').textContent === 'You are signed out.'")
        self.assertEqual(self.server.status()["sessions"], 0)

    def test_address(self) -> None:
        """The address is as good as the name, however it is written; another domain is not."""
        page = self.open()
        self.sign_in(page, f" {USER}@Example.COM ")
        self.wait_inside(page)
        page = self.open()
        self.sign_in(page, f"{USER}@example.org")
        self.assertEqual(self.failure(page), "username-elsewhere")

    def test_wrong_password(self) -> None:
        """It says that name or password is wrong, and lets the user type the password anew."""
        page = self.open()
        self.sign_in(page, password="eat-me")
        self.assertEqual(self.failure(page), "not-authorized")
        self.assertEqual(self.focus(page), "password")
        self.assertEqual(page.evaluate("document.activeElement.ariaInvalid"), "true")
        page.type(PASSWORD)  # it was selected, and is replaced
        page.press("Enter")
        self.wait_inside(page)
        self.assertEqual(self.text(page, "#failure"), "")

    def test_nothing_typed(self) -> None:
        """What is missing or cannot be is said before anybody is asked."""
        page = self.open()
        mark = self.server.process.mark()
        for user, password, failure, field in (
            ("", "", "username-missing", "username"),
            ("the queen", "x", "username-invalid", "username"),
            (USER, "", "password-missing", "password"),
        ):
            self.sign_in(page, user, password)
            page.wait(f"document.activeElement.id === '{field}'")
            self.assertEqual(self.failure(page), failure)
            self.assertEqual(self.focus(page), field)
        self.assertNotIn("login", self.server.process.text(mark))

    def test_forgotten(self) -> None:
        """After the login nothing in the page has the password any more."""
        page = self.open()
        self.sign_in(page)
        self.wait_inside(page)
        self.assertEqual(page.evaluate("document.querySelector('#password').value"), "")
        memory = page.memory()
        self.assertTrue(f"{USER}@example.com/" in memory, "so much for what a snapshot can show")
        self.assertFalse(PASSWORD in memory, "the page still has the password")

    def test_show_password(self) -> None:
        """The password can be seen while it is typed, and is hidden again afterwards."""
        page = self.open()
        button = "#as-user .secret button"
        kind = "document.querySelector('#password').type"
        page.click(button)
        self.assertEqual(page.evaluate(kind), "text")
        self.assertEqual(page.evaluate(f"document.querySelector('{button}').ariaPressed"), "true")
        self.sign_in(page)
        self.wait_inside(page)
        self.assertEqual(page.evaluate(kind), "password")

    def test_keyboard(self) -> None:
        """All of it works without a mouse, and the focus is where the user goes on."""
        page = self.open()
        page.type(USER)
        page.press("Tab")
        page.type(PASSWORD)
        page.press("Tab")
        page.press(" ")  # shows it
        self.assertEqual(page.evaluate("document.querySelector('#password').type"), "text")
        page.press("Tab")
        self.assertEqual(self.focus(page), "enter")
        page.press(" ")
        self.wait_inside(page)
        self.assertEqual(self.focus(page), "h1")
        page.press("Tab")
        self.assertEqual(self.focus(page), "leave")
        page.press("Enter")
        page.wait("!document.querySelector('#sign-in').hidden")
        self.assertEqual(self.focus(page), "h1")

    def test_cancel(self) -> None:
        """Who does not want to wait for an answer need not, and is told what happens meanwhile."""
        page = self.open()
        self.bridge.freeze()
        self.addCleanup(self.bridge.thaw)
        self.sign_in(page)
        page.wait("document.querySelector('#notice').textContent === 'Signing in…'")
        wait_until("it is asked", lambda: self.server.status()["waiting_logins"])
        page.click("#cancel")
        page.wait("!document.querySelector('#notice').textContent")
        self.assertEqual(self.text(page, "#failure"), "")
        self.bridge.thaw()
        self.sign_in(page)
        self.wait_inside(page)

    def test_policy(self) -> None:
        """The browser runs nothing that somebody might have put into the page."""
        page = self.open()
        page.evaluate(
            "(() => { const one = document.createElement('script');"
            "one.textContent = 'globalThis.ran = true'; document.body.append(one); })()"
        )
        self.assertIsNone(page.evaluate("globalThis.ran"))
        complaints = [one for one in page.complaints() if VIOLATION in one]
        self.assertEqual(len(complaints), 1, page.complaints())
        page.happened.clear()

    def test_language(self) -> None:
        """Another language changes every text, keeps what was typed, and is remembered."""
        page = self.open()
        self.assertEqual(page.evaluate("document.documentElement.lang"), "en")
        self.fill(page, "username", USER)
        page.press("Enter")
        english = self.text(page, "#failure")
        page.click("#languages [lang=ja]")
        self.assertEqual(page.evaluate("document.documentElement.lang"), "ja")
        self.assertEqual(page.evaluate("document.querySelector('#username').value"), USER)
        self.assertEqual(self.failure(page), "password-missing")
        self.assertNotEqual(self.text(page, "#failure"), english)
        self.assertEqual(page.evaluate("document.title"), "サインイン · example.com")
        page.reload()
        page.wait("document.documentElement.lang === 'ja'")
        self.sign_in(page)
        self.wait_inside(page)
        shown = page.evaluate("document.body.innerText")
        for text in catalogue(page, "en").values():
            if text != "English" and not text.startswith("{"):
                self.assertNotIn(text, shown)
        self.assertIn(" ".join(self.facts(page)["開始"].split("\n")[:1]), shown)

    def test_preferred_language(self) -> None:
        """At first it is that of the browser, or else English."""
        for wanted, tag in (("ja-JP", "ja"), ("en-GB", "en"), ("fr,ja,en", "ja"), ("fr", "en")):
            self.assertEqual(
                self.open(wanted).evaluate("document.documentElement.lang"), tag, wanted
            )

    def test_ended_by_operator(self) -> None:
        """Whose session the operator ends is told so."""
        page = self.open()
        self.sign_in(page)
        self.wait_inside(page)
        self.server.command("kick", f"{USER}@example.com")
        self.assertEqual(self.failure(page), "ended-by-operator")
        self.assertEqual(self.text(page, "#sign-in h1"), "Sign in")

    def test_page_left(self) -> None:
        """Who leaves the page is signed out, and who comes back to it sees that."""
        page = self.open()
        self.sign_in(page)
        self.wait_inside(page)
        page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")
        page.wait("!document.querySelector('#sign-in').hidden")
        wait_until("the session is over", lambda: self.server.status()["sessions"] == 0)

    def test_no_layout_shift(self) -> None:
        """What is there does not move when more comes."""
        page = self.open()
        page.evaluate(
            "globalThis.shifts = []; new PerformanceObserver((list) => shifts.push("
            "...list.getEntries().filter((one) => !one.hadRecentInput).map((one) => one.value)))"
            ".observe({type: 'layout-shift', buffered: true})"
        )
        self.sign_in(page, password="eat-me")
        self.failure(page)
        self.sign_in(page)
        self.wait_inside(page)
        self.assertLess(sum(page.evaluate("shifts")), 0.01)


class GuestTests(PageCase):
    """Without an account, where no access code is asked for."""

    bridge_settings = {"guest": {"enabled": "yes", "lifetime": "2h"}}

    def test_join(self) -> None:
        """A guest comes in by ANONYMOUS, and sees until when."""
        page = self.open()
        self.join(page)
        self.wait_inside(page)
        facts = self.facts(page)
        self.assertRegex(facts["Address"], r"^guest\d{10}@example\.com/")
        self.assertRegex(facts["Signed in by"], r"ANONYMOUS\nAs a guest, with no password")
        self.assertIn("in 2 hours", facts["Until"])
        until = page.evaluate("document.querySelectorAll('#about time')[1].dateTime")
        left = datetime.fromisoformat(until) - datetime.now(UTC)
        self.assertLess(abs(left - timedelta(hours=2)), timedelta(minutes=2))

    def test_keyboard(self) -> None:
        """Arrow keys choose the way in."""
        page = self.open()
        page.press("Tab", shift=True)
        page.press("ArrowRight")
        self.assertEqual(page.evaluate("document.activeElement.value"), "guest")
        page.press("Tab")
        self.assertEqual(self.focus(page), "code")
        page.press("Enter")
        self.wait_inside(page)


class FailingTests(PageCase):
    """When one of the daemons is not there."""

    expected_complaints = ("WebSocket connection to", "ERR_CONNECTION_REFUSED")

    def test_no_callbridge(self) -> None:
        """With the Call Bridge gone it is not the password, and later the same one is right."""
        page = self.open()
        self.assertIn(self.bridge.stop(), CLEAN)
        self.server.wait_state("cb1", "down")
        self.sign_in(page)
        self.assertEqual(self.failure(page), "temporary-auth-failure")
        self.assertEqual(self.focus(page), "enter")
        self.bridge.start()
        self.server.wait_serving("cb1")
        page.press("Enter")  # the password is still there
        self.wait_inside(page)

    def test_no_server(self) -> None:
        """A server that goes says so; one that is cut off, or not there, is noticed."""
        page = self.open()
        self.sign_in(page)
        self.wait_inside(page)
        self.assertIn(self.server.stop(), CLEAN)
        self.assertEqual(self.failure(page), "shutdown")
        self.sign_in(page)
        page.wait("document.querySelector('#failure').textContent.includes('cannot be reached')")
        self.assertEqual(self.failure(page), "no-connection")
        self.server.start()
        self.server.wait_serving("cb1")
        self.sign_in(page)
        self.wait_inside(page)
        self.server.process.signal(signal.SIGKILL)
        self.assertEqual(self.failure(page), "connection-lost")
        self.server.process.wait()
        self.server.start()
        self.server.wait_serving("cb1")


class GuessingTests(PageCase):
    """Where few failures are too many."""

    server_settings = {"failed_logins": {"free": "1", "most": "2"}}

    def test_paused(self) -> None:
        """Who has guessed too often is told so, and not that the password is wrong."""
        page = self.open()
        for _ in range(2):
            mark = self.server.process.mark()
            self.sign_in(page, password="eat-me")
            self.server.process.wait_for("failed login from", mark)
            page.wait("document.querySelector('#form').ariaBusy === 'false'")
            self.assertEqual(self.failure(page), "not-authorized")
        self.sign_in(page)
        page.wait("document.querySelector('#failure').textContent.includes('Too many')")
        self.assertEqual(self.failure(page), "too-many-attempts")


class LimitedTests(PageCase):
    """An access code, one place for guests, one session for each user, two domains."""

    server_settings = {"session": {"max_sessions_per_user": "1"}}
    bridge_settings = {"guest": {"enabled": "yes", "access_code": "tea-party", "max_guests": "1"}}

    def test_code(self) -> None:
        """A guest needs the code, and the right one."""
        page = self.open()
        self.join(page)
        self.assertEqual(self.failure(page), "no-guests")
        self.assertEqual(self.focus(page), "code")
        self.join(page, "croquet")
        page.wait("document.querySelector('#failure').textContent.includes('wrong')")
        self.assertEqual(self.failure(page), "wrong-code")
        self.join(page, "tea-party")
        self.wait_inside(page)
        self.assertTrue(re.match(r"guest\d{10}@", self.facts(page)["Address"]))

        other = self.open()
        self.join(other, "tea-party")
        self.assertEqual(self.failure(other), "no-room")

    def test_sessions(self) -> None:
        """Who is signed in too often is told so."""
        first, second = self.open(), self.open()
        self.sign_in(first)
        self.wait_inside(first)
        self.sign_in(second)
        self.assertEqual(self.failure(second), "too-many-sessions")
        first.click("#leave")
        first.wait("!document.querySelector('#sign-in').hidden")
        second.press("Enter")
        self.wait_inside(second)
