"""Reading the configuration again while the daemon runs: for SIGHUP, and for a ctl command.

All or nothing: what is new is read and checked whole before anything is changed, and a fault of it
leaves everything as it was. One reload runs at a time. Whoever asks meanwhile gets the next one,
together with all others who do: a thousand signals are two reloads.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger

from daemonkit import credentials
from daemonkit.ini import ConfigurationFault, Setting
from daemonkit.logging.events import NEEDS_RESTART, NOT_RELOADED, RELOADED
from daemonkit.notify import notify, reloading
from daemonkit.tasks import detach

T = TypeVar("T")

#: Runs a function in a thread.
InThread = Callable[[Callable[[], T]], Deferred[T]]


class ReloadFault(Exception):
    """What was read cannot be used; ``faults`` has a sentence or two for each, with its remedy."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class HalfDone(ReloadFault):
    """Taking it into use broke off, by an error of ours."""


@dataclass(frozen=True)
class Differences:
    """What a file says otherwise than the one that is in use: names of settings, like ``[tls] ca``,
    and of whole sections that are new or gone, like ``[domain example.org]``.

    ``fixed``: those that cannot be changed while the daemon runs. ``settings``: what will be in use
    once the others are changed.
    """

    changed: tuple[str, ...]
    fixed: tuple[str, ...]
    settings: tuple[Setting, ...]

    def touches(self, *sections: str) -> bool:
        """True where something in one of these sections has changed, or in a ``[section NAME]``."""
        headings = tuple(f"[{one}{end}" for one in sections for end in ("]", " "))
        return any(name.startswith(headings) for name in self.changed)


def compare(
    old: Iterable[Setting], new: Iterable[Setting], is_fixed: Callable[[Setting], bool]
) -> Differences:
    """Compare the settings in use with those of a file. A setting may be in one of the two only."""
    before = {one.name: one for one in old}
    after = {one.name: one for one in new}
    in_both = {one.section for one in before.values()} & {one.section for one in after.values()}
    changed: dict[str, None] = {}
    fixed: dict[str, None] = {}
    in_use: list[Setting] = []
    for name, setting in {**after, **before}.items():
        was, will_be = before.get(name), after.get(name)
        stays = was != will_be and is_fixed(setting)
        if was != will_be:
            said = name if setting.section in in_both else f"[{setting.section}]"
            (fixed if stays else changed)[said] = None
        which = was if stays else will_be
        if which is not None:
            in_use.append(which)
    return Differences(tuple(changed), tuple(fixed), tuple(in_use))


@dataclass(frozen=True)
class Outcome:
    """How a reload ended. Without ``ok``, all that was in use before still is.

    ``changed``: settings that count from now on; ``needs_restart``: those that would after a
    restart.
    """

    at: datetime
    ok: bool
    faults: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Answer ``reload`` of ``status --json``, and what ``reload --json`` prints."""
        return {**asdict(self), "at": self.at.isoformat(timespec="seconds")}


class Reload(Service, Generic[T]):
    """Reloads while it runs, and remembers how the last time ended.

    ``turn``: held while it reloads, and by whoever changes the configuration in another way.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        in_thread: InThread[T],
        read: Callable[[], T],
        apply: Callable[[T], Differences],
    ) -> None:
        """``read`` runs in a thread, changes nothing, and raises ConfigurationFault or ReloadFault.

        ``apply`` takes what it answered, in the reactor's thread. It raises ReloadFault before it
        has changed anything, and then nothing. ``reactor`` provides IReactorFromThreads.
        """
        self.last: Outcome | None = None
        #: When what is in use was read.
        self.succeeded_at = datetime.now(UTC)
        self.turn = DeferredLock()
        self._reactor = reactor
        self._in_thread = in_thread
        self._read = read
        self._apply = apply
        self._waiting: list[Deferred[Outcome]] = []
        self._busy = False
        self._signalled = False

    def startService(self) -> None:
        super().startService()
        signal.signal(signal.SIGHUP, self._on_signal)

    def stopService(self) -> None:
        # The handler stays: SIGHUP's default would end the daemon before its streams are closed.
        super().stopService()

    def run(self) -> Deferred[Outcome]:
        """Reload, and answer how that ended. Never fails."""
        asked: Deferred[Outcome] = Deferred()
        self._waiting.append(asked)
        if not self._busy:
            detach(self._work(), self.log, "reloading")
        return asked

    @property
    def warning(self) -> str:
        """What the line for ``systemctl status`` should end with, mostly nothing."""
        failed = self.last is not None and not self.last.ok
        return "; not reloaded, the new configuration has faults" if failed else ""

    def _on_signal(self, *_: object) -> None:
        # Python calls this between any two instructions of ours: no more than a note is left here.
        if not self._signalled:
            self._signalled = True
            self._reactor.callFromThread(self._after_signal)

    def _after_signal(self) -> None:
        self._signalled = False
        if self.running:
            self.run()

    async def _work(self) -> None:
        self._busy = True
        try:
            while self._waiting:
                async with self.turn:
                    waiting, self._waiting = self._waiting, []
                    outcome = await self.once()
                for asked in waiting:
                    asked.callback(outcome)
        finally:
            self._busy = False

    async def once(self) -> Outcome:
        """Reload, for who holds the ``turn``. Never fails."""
        reloading()
        try:
            found = await self._in_thread(self._read)
            if not self.running:
                raise ReloadFault(["The daemon is about to stop."])
            outcome = self.take(lambda: self._apply(found))
        except ConfigurationFault as fault:
            outcome = self._refused(fault.each)
        except ReloadFault as fault:
            outcome = self._refused(fault.faults)
        except Exception:  # noqa: BLE001 - logged whole; the daemon goes on
            self.log.failure("Error in reading what is new")
            outcome = self._refused(["An internal error. The log has its traceback."])
        self.last = outcome
        if self.running:
            notify("READY=1")
        return outcome

    def take(self, apply: Callable[[], Differences]) -> Outcome:
        """Take something new into use, and note it, for who holds the ``turn``.

        Raises:
            ReloadFault: by ``apply``, which then has changed nothing; HalfDone: it may have.
        """
        try:
            differences = apply()
        except ReloadFault:
            raise
        except Exception:  # noqa: BLE001 - logged whole; the daemon goes on
            self.log.failure("Error in taking what is new into use")
            text = (
                "An internal error; the log has its traceback. Some of what is new may be in use "
                "already: restart the daemon."
            )
            raise HalfDone([text]) from None
        changed, fixed = differences.changed, differences.fixed
        self.log.info(RELOADED, what=", ".join(changed) or "nothing is new")
        if fixed:
            self.log.warn(NEEDS_RESTART, what=", ".join(fixed))
        at = self.succeeded_at = datetime.now(UTC)
        self.last = Outcome(at, ok=True, changed=changed, needs_restart=fixed)
        return self.last

    def _refused(self, texts: Sequence[str]) -> Outcome:
        faults = tuple(map(credentials.in_words, texts))
        self.log.error(NOT_RELOADED, faults=" ".join(faults))
        return Outcome(datetime.now(UTC), ok=False, faults=faults)
