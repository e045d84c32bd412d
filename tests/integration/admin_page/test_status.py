"""Status > General in a real browser: links, steps, logins as they happen, alarms, events."""

from __future__ import annotations

import json

from bridgewire.steps import Step
from tests.integration.admin_page.case import AdminCase

HIDE = """
Object.defineProperty(document, "hidden", { value: HIDDEN, configurable: true });
document.dispatchEvent(new Event("visibilitychange"));
"""

MORPH = """
import("/static/morph.js").then(({ morph }) => {
  const place = document.createElement("div");
  place.innerHTML = "<details id='a'>1</details><details id='b' open>2</details>";
  return COURSE.map((html) => { morph(place, html); return place.innerHTML; });
})
"""


class StatusTests(AdminCase):
    """What there is to see, and how it changes while one looks."""

    def test_registered(self) -> None:
        """The connection and the service are worded as CMS does, and each step has its time."""
        page = self.sign_in()
        target = self.site.server_addresses[0]
        self.wait_text(page, "#summary", f"connected to {target} (secure)")
        self.assertIn(
            "registered", self.text(page, "#summary .good + .good, #summary div:last-child")
        )
        steps = page.evaluate(
            "[...document.querySelectorAll('#flow .steps li')].map((one) => "
            "[one.value, one.className, one.querySelector('.took')?.innerText ?? ''])"
        )
        self.assertEqual([one[0] for one in steps], [one.number for one in Step])
        page.wait("document.querySelector('#flow li:nth-child(11)').className === 'done'")
        for number, state, took in steps[3:10]:
            self.assertEqual(state, "done", number)
            self.assertRegex(took, r"^[\d.]+ m?s$", number)

    def test_login_appears(self) -> None:
        """A login that happens while one looks is in the plot a moment later, and in the table."""
        page = self.sign_in()
        page.wait("document.querySelector('#plot-rate [data-now=success]').textContent === '0'")
        before = page.evaluate("document.querySelector('#numbers tbody td').innerText")
        self.log_in()
        page.wait("document.querySelector('#plot-rate path.success').getAttribute('d') !== ''")
        page.wait("document.querySelector('#plot-latency path.median').getAttribute('d') !== ''")
        page.wait(f"document.querySelector('#numbers tbody td').textContent !== '{before}'")
        page.wait("document.querySelector('#flow li:nth-child(12)').className === 'done'")

    def test_refused_login(self) -> None:
        """A login with a wrong password is drawn apart from those that succeed."""
        page = self.sign_in()
        self.log_in("not-her-password")
        page.wait("document.querySelector('#plot-rate path.refused').getAttribute('d') !== ''")

    def test_same_drawing(self) -> None:
        """The page as it comes has the lines that its script draws."""
        self.log_in()
        drawn = "[...document.querySelectorAll('.plot path')].map((one) => one.getAttribute('d'))"
        plain = self.sign_in(script=False)
        plain.call("Emulation.setScriptExecutionDisabled", value=False)
        page = self.sign_in()
        samples = "document.querySelector('.plots').dataset.samples"
        for one in (plain, page):
            self.assertGreater(len(one.evaluate(f"JSON.parse({samples})")), 290)
        source = (
            "fetch('/status').then((one) => one.text()).then((text) => { "
            "const fresh = new DOMParser().parseFromString(text, 'text/html'); "
            "document.querySelector('main').replaceWith(fresh.querySelector('main')); "
            f"const before = {drawn}; "
            "return import('/static/plots.js?again').then(() => "
            f"[before, {drawn}]); }})"
        )
        before, after = page.evaluate(source)
        self.assertEqual(before, after)
        self.assertTrue(before[1] or before[2] or before[3])

    def test_server_lost(self) -> None:
        """While one looks, a server that goes away turns the step red, with what to do about it,
        and opens the link for that."""
        page = self.sign_in()
        target = self.site.server_addresses[0]
        self.wait_text(page, "#summary", f"connected to {target} (secure)")
        page.click("#flow summary")
        page.wait("!document.querySelector('#flow details').open")
        server = self.site.servers[0]
        server.kill()
        try:
            page.wait("document.querySelector('#flow li.failed') !== null")
            self.wait_text(page, "#flow li.failed .trouble", "What to do")
            self.wait_text(page, "#summary", "failed at step 6, TCP connection")
            self.wait_text(page, "#events", "connect-refused")
            self.wait_text(page, "#summary", "down")
            self.assertIn("Authentication service: down", self.text(page, "#announce"))
        finally:
            server.process.start()
        self.wait_text(page, "#summary", f"connected to {target} (secure)")
        self.assertEqual(page.evaluate("document.querySelectorAll('#flow li.failed').length"), 0)

    def test_hidden_tab(self) -> None:
        """A tab that nobody looks at follows nothing, and catches up when it is looked at."""
        page = self.sign_in()
        page.wait("document.querySelector('#plot-rate [data-now=success]').textContent === '0'")
        page.evaluate(HIDE.replace("HIDDEN", "true"))
        page.evaluate("globalThis.heard = 0; addEventListener('sample', () => globalThis.heard++)")
        drawn = "document.querySelector('#plot-rate path.success').getAttribute('d')"
        before = page.evaluate(drawn)
        self.log_in()
        self.assertEqual(page.evaluate("heard"), 0)
        page.evaluate(HIDE.replace("HIDDEN", "false"))
        page.wait(f"{drawn} !== {before!r}")
        page.wait("heard > 1")

    def test_reader_keeps_what_is_open(self) -> None:
        """What is closed stays so, and the focus where it is, while parts change."""
        page = self.sign_in()
        page.wait("document.querySelector('#flow details').open")
        page.click("#flow summary")
        page.wait("!document.querySelector('#flow details').open")
        self.log_in()
        page.wait("document.querySelector('#flow li:nth-child(12)').className === 'done'")
        self.assertFalse(page.evaluate("document.querySelector('#flow details').open"))
        self.assertEqual(page.evaluate("document.activeElement.localName"), "summary")

    def test_what_comes_before(self) -> None:
        """What is open stays so while something comes before it, and goes again."""
        page = self.sign_in()
        a, b = ("<details id='{}'>{}</details>".format(*one) for one in ("a3", "b4"))
        course = [f"<p>first</p>{a} {b}", b, f"{a}<i>last</i>{b}", f"{b}<p>last</p>", a, b]
        seen = page.evaluate(MORPH.replace("COURSE", json.dumps(course)))
        there = b.replace(">4", " open=''>4")
        wanted = [one.replace(b, there) for one in course[:-1]] + [b]  # another one, in the end
        self.assertEqual([one.replace('"', "'") for one in seen], wanted)
