"""How `twistd` comes to write the log where the configuration says, and what moves it later."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized

from daemonkit.logging.events import WARNING
from daemonkit.logging.log import Log
from daemonkit.logging.settings import LogSettings
from daemonkit.reload import ReloadFault

#: Options of `twistd` that say where to log.
_OPTIONS = ("logger", "logfile", "syslog")

_log = Logger()


class LogFault(Exception):
    """The log cannot be opened; a sentence or two, with the remedy."""


class LoggedService(MultiService):
    """A whole daemon, whose log is the application's own.

    `twistd` gives the application to the service that a plugin makes, and looks for an
    `ILogObserver` among its components just after that. What was logged before comes with it; what
    ends the daemon even earlier is on stderr.
    """

    def __init__(self, log: Log | None) -> None:
        """``log`` None: `twistd` logs as it was told."""
        super().__init__()
        self._log = log

    def setServiceParent(self, parent: Any) -> None:
        super().setServiceParent(parent)
        if self._log is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self._log)

    def stopService(self) -> Deferred[Any]:
        """Say at last what has been left out."""
        stopping: Deferred[Any] = maybeDeferred(super().stopService)
        return stopping.addBoth(self._finish)

    def _finish(self, result: object) -> object:
        if self._log is not None:
            self._log.finish()
        return result


def open_log(
    clock: IReactorTime,
    identifier: str,
    fields: Collection[str],
    prefix: str,
    settings: LogSettings,
    twistd: Mapping[str, Any] | None,
) -> Log | None:
    """Answer a daemon's `Log`; None where ``twistd``, by its options, logs elsewhere.

    Raises:
        LogFault: it cannot be opened.
    """
    twistd = twistd or {}
    told = [f"--{one}" for one in _OPTIONS if twistd.get(one)]
    if told:
        if settings.to != "auto":
            text = f"[log] has no effect: twistd was told where to log, by {told[0]}."
            _log.warn(WARNING, text=text)
        return None
    if settings.to == "auto" and not twistd.get("nodaemon"):
        return None  # there is no stderr
    try:
        return Log(clock, identifier, fields, prefix, settings)
    except OSError as error:
        raise LogFault(_fault(settings, error)) from None


def reopen(log: Log | None, settings: LogSettings) -> Callable[[], None]:
    """Open the log where ``settings`` say, and answer what lets the daemon write there.

    Raises:
        ReloadFault: it cannot be opened.
    """
    if log is None:
        return lambda: None
    try:
        return partial(log.take, log.open(settings), settings)
    except OSError as error:
        raise ReloadFault([_fault(settings, error)]) from None


def _fault(settings: LogSettings, error: OSError) -> str:
    return (
        f"[log] to: {settings.to} cannot be written to: {error.strerror}. Name another place, or "
        "let it belong to the daemon's user."
    )
