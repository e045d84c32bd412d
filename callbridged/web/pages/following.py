"""Browsers that follow the status: one look a second for all of them, and each gets what is new."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.web.server import Request

from callbridged.logins.login_rates import WINDOW
from callbridged.web.pages.language import Language
from callbridged.web.pages.plots import Sample
from callbridged.web.pages.render import Renderer
from callbridged.web.pages.view import View
from callbridged.web.sessions import Session, open_stream
from daemonkit.web.live import Live, LiveStream

#: Seconds from one look to the next.
INTERVAL = 1.0
#: Seconds of samples that are sent each time: so many may get lost.
RECENT = 5


class _Follower:
    """One browser, and what it has been sent."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self.sent: dict[str, str] = {}
        self.stream: LiveStream | None = None


class Following:
    """Looks while somebody follows, and never otherwise.

    Sections are made once for each language, however many follow; a browser gets those that differ
    from what it has got, and the samples of the last seconds.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        live: Live,
        renderer: Renderer,
        look: Callable[[], View],
        samples: Callable[[int], Sequence[Sample]],
    ) -> None:
        """``samples`` answers those of so many seconds that are over."""
        self._clock = clock
        self._live = live
        self._renderer = renderer
        self._look = look
        self._samples = samples
        self._followers: dict[_Follower, None] = {}
        self._call: IDelayedCall | None = None

    def follow(self, request: Request, session: Session, language: Language) -> bool:
        """Let ``session`` follow on ``request``, which is not done then. False: no room."""
        follower = _Follower(language)

        def gone() -> None:
            self._followers.pop(follower, None)

        follower.stream = open_stream(self._live, request, session, gone)
        if follower.stream is None:
            return False
        self._followers[follower] = None
        if self._call is None:
            self._call = self._clock.callLater(0, self._tick)
        return True

    def __len__(self) -> int:
        """How many follow."""
        return len(self._followers)

    def _tick(self) -> None:
        self._call = None
        if not self._followers:
            return
        self._call = self._clock.callLater(INTERVAL, self._tick)
        try:
            self._send()
        except Exception:  # noqa: BLE001 - logged whole; the next look may go better
            self.log.failure("Error in what browsers follow")

    def _send(self) -> None:
        view, latest = self._look(), self._samples(RECENT)
        made: dict[str, dict[str, str]] = {}
        for follower in tuple(self._followers):
            stream, tag = follower.stream, follower.language.tag
            assert stream is not None  # noqa: S101  it is among them once it has one
            if tag not in made:
                made[tag] = self._renderer.sections(view, follower.language)
            # Who comes, or comes back, may have missed all of them.
            samples = latest if follower.sent else self._samples(WINDOW)
            for name, html in made[tag].items():
                if follower.sent.get(name) != html:
                    follower.sent[name] = html
                    stream.send(name, html)
            stream.send("sample", samples)
