"""HTML out of views, in memory: with Jinja2, which unit tests have to do without."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import NOT_DONE_YET, Request

from bridgewire.steps import Reason, Step, StepFailure
from callbridged.web.access import Caller
from callbridged.web.pages.following import Following
from callbridged.web.pages.language import LANGUAGES, language
from callbridged.web.pages.plots import Counts, Sample
from callbridged.web.pages.render import SECTIONS, Renderer, coded
from callbridged.web.pages.view import View, link_views
from callbridged.web.sessions import Session
from daemonkit.logging.recent import RecentEvent
from daemonkit.web.live import Live
from daemonkit.web.pages import Page
from tests.callbridged.web.test_flow import a_link, upto
from tests.callbridged.web.test_view import status
from tests.daemonkit.web.case import SiteCase
from tests.support.http import HttpClient

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
NOTHING = Counts(0, 0, 0, None, None)
EVIL = "<script>alert('x')</script>\"'&"


def a_view(*links: dict[str, Any], event: str = "all is well") -> View:
    """What there is to see of these links."""
    events = [RecentEvent(NOW, "warn", "x", event, {})]
    links = links or (a_link("registered", *upto(Step.ACTIVE)),)
    shown = link_views(status(*links), {})
    return View(NOW, "registered", False, shown, [event], [], events, NOTHING, [NOTHING] * 5)


class RenderTests(SynchronousTestCase):
    """The sections of a page."""

    def setUp(self) -> None:
        self.renderer = Renderer()

    def test_escaped(self) -> None:
        """What a peer may have written into a log line or a certificate is text, everywhere."""
        error = StepFailure(Step.CERTIFICATE, Reason.CERTIFICATE_NAME_MISMATCH, EVIL, EVIL)
        link = a_link("waiting", *upto(Step.TLS), error=error, target=EVIL)
        view = a_view(link, event=EVIL)
        for tag in LANGUAGES:
            sections = self.renderer.sections(view, language(tag))
            self.assertEqual(set(sections), {"announce", *SECTIONS})
            for name, html in sections.items():
                self.assertNotIn("<script", html, name)
            for name in ("summary", "flow", "alarms", "events"):
                self.assertIn("&lt;script&gt;", sections[name], name)

    def test_made_anew(self) -> None:
        """A section is the same while nothing of it changes, and for how long it has been so."""
        before = a_view()
        for seconds, changed in ((5, set()), (70, {"summary"})):
            later = replace(before, at=NOW + timedelta(seconds=seconds))
            first, second = (self.renderer.sections(one, language("en")) for one in (before, later))
            different = {name for name in first if first[name] != second[name]}
            self.assertEqual(different, changed)

    def test_commands(self) -> None:
        """Commands stand between backticks in our sentences, and are shown as code."""
        self.assertEqual(coded("Run `a <b>`, now."), "Run <code>a &lt;b&gt;</code>, now.")
        self.assertEqual(coded("One ` is <none>."), "One ` is &lt;none&gt;.")

    def test_numbers(self) -> None:
        """Each step is shown, and read out, with its number: sentences and logs name it so."""
        flow = self.renderer.sections(a_view(), language("en"))["flow"]
        for step in Step:
            self.assertIn(f'<span class="number">{step.number}</span>', flow)

    def test_both_languages(self) -> None:
        """Sentences of ours are in the reader's language, and what is not says so."""
        error = StepFailure(Step.REGISTER, Reason.AUTHENTICATION_FAILURE, "Refused.", "Mend it.")
        view = a_view(a_link("waiting", *upto(Step.REGISTER), error=error))
        flow = self.renderer.sections(view, language("ja"))["flow"]
        self.assertIn("シークレットが違います。", flow)
        self.assertIn('<p lang="en">Refused.</p>', flow)


class _Followed(Page):
    """``/live`` of one session."""

    def __init__(self, following: Following, session: Session, tag: str) -> None:
        super().__init__()
        self.following = following
        self.session = session
        self.tag = tag

    def show(self, request: Request) -> bytes | int:
        if self.following.follow(request, self.session, language(self.tag)):
            return NOT_DONE_YET
        return b"no room"


class FollowingTests(SiteCase):
    """Several browsers, and one look a second."""

    def setUp(self) -> None:
        super().setUp()
        self.view = a_view()
        self.looks = 0
        self.rendered: list[str] = []
        self.live = Live(self.clock, most=3, each=3)
        renderer = Renderer()
        sections = renderer.sections

        def counted(view: View, language: Any) -> dict[str, str]:
            self.rendered.append(language.tag)
            return sections(view, language)

        renderer.sections = counted  # type: ignore[method-assign]
        self.following = Following(self.clock, self.live, renderer, self.look, self.samples)
        self.session = Session(Caller("rosalind", "admin", "192.0.2.1"), b"", 0.0, 0.0)
        for tag in LANGUAGES:
            self.root.putChild(tag.encode(), _Followed(self.following, self.session, tag))

    def look(self) -> View:
        self.looks += 1
        return self.view

    def samples(self, seconds: int) -> list[Sample]:
        return [Sample(second, 1, 0, 0, 2.5, 3.5) for second in range(seconds)]

    def follow(self, tag: str = "en") -> HttpClient:
        client = self.client(f"192.0.2.{len(self.door.places)}")
        client.type(f"GET /{tag} HTTP/1.1\r\nHost: x\r\n\r\n")
        return client

    def events(self, client: HttpClient) -> list[str]:
        """The names of what came since the last time."""
        return [
            line.removeprefix("event: ")
            for line in client.read().decode().splitlines()
            if line.startswith("event: ")
        ]

    def test_one_look(self) -> None:
        """However many follow, it is looked once a second, and made once for each language."""
        clients = [self.follow(), self.follow(), self.follow("ja")]
        self.clock.advance(0)
        self.assertEqual((self.looks, self.rendered), (1, ["en", "ja"]))
        for client in clients:
            self.assertEqual(self.events(client), ["announce", *SECTIONS, "sample"])
        self.clock.advance(1)
        self.assertEqual(self.looks, 2)

    def test_only_news(self) -> None:
        """What has not changed is not sent again."""
        client = self.follow()
        self.clock.advance(0)
        self.events(client)
        self.clock.advance(1)
        self.assertEqual(self.events(client), ["sample"])
        self.view = a_view(event="another one")
        self.clock.advance(1)
        self.assertEqual(self.events(client), ["alarms", "events", "sample"])

    def test_nobody(self) -> None:
        """While nobody follows nothing is looked at, and nothing waits to be."""
        client = self.follow()
        self.clock.advance(0)
        client.lose()
        self.clock.advance(1)
        self.assertEqual((self.looks, len(self.following)), (1, 0))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.follow()
        self.clock.advance(0)
        self.assertEqual(self.looks, 2)

    def test_no_room(self) -> None:
        """Where too many follow one more is told so."""
        for _ in range(3):
            self.follow()
        client = self.client("192.0.2.99")
        answer = client.type("GET /en HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertIn(b"no room", answer)

    def test_broken_look(self) -> None:
        """A look that fails is logged, and the next one goes well."""
        client = self.follow()
        good, self.view = self.view, None  # type: ignore[assignment]
        self.clock.advance(0)
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1)
        self.view = good
        self.clock.advance(1)
        self.assertIn("summary", self.events(client))

    def test_samples(self) -> None:
        """Who comes gets all samples, and from then on the latest, as JSON."""
        client = self.follow()
        for number in (300, 5):
            self.clock.advance(1)
            data = client.read().decode().partition("event: sample\n")[2].splitlines()[0]
            found = json.loads(data.removeprefix("data: "))
            self.assertEqual((len(found), found[-1]), (number, [number - 1, 1, 0, 0, 2.5, 3.5]))
