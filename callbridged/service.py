"""The daemon: the Call Bridge, and what operators and systemd see of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from twisted.application.service import IService, MultiService, Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from bridgewire.steps import Step
from callbridged.alarms.alarm import Alarm
from callbridged.alarms.facts import make_alarms
from callbridged.bridge import Bridge
from callbridged.config import Config
from callbridged.control import commands
from callbridged.events import (
    ADMIN_CHANGED,
    ALARM_CLEARED,
    BACKEND_REMOVED,
    CONFIGURED,
    DIRECTORY_ANSWERS,
    LINK_RECOVERED,
    LINK_RENEWED,
    LINKS_MOVE,
    LINKS_MOVED,
    LINKS_STAY,
    OFFER_TAKEN,
)
from callbridged.links.link_interface import State
from callbridged.metrics_port import MetricsService
from callbridged.settings import Load, Settings
from callbridged.status import Status
from daemonkit.control import ControlService
from daemonkit.credentials import in_words
from daemonkit.logging.events import RELOADED, WARNING
from daemonkit.logging.log import Log
from daemonkit.logging.recent import RecentEvents
from daemonkit.logging.service import LoggedService
from daemonkit.notify import notify
from daemonkit.pulse import Pulse
from daemonkit.tasks import cancel
from daemonkit.units import rough_duration

#: Seconds after which systemd is not kept waiting for the first attempt: a name server or an XMPP
#: server may never answer. Less than TimeoutStartSec in the unit.
READY_AFTER = 30.0

#: Events that an operator wants to have heard of though they are no warnings.
NEWS = (
    CONFIGURED,
    OFFER_TAKEN,
    LINK_RECOVERED,
    LINK_RENEWED,
    LINKS_MOVE,
    LINKS_MOVED,
    LINKS_STAY,
    ADMIN_CHANGED,
    ALARM_CLEARED,
    BACKEND_REMOVED,
    DIRECTORY_ANSWERS,
    RELOADED,
)
#: Alarms that ``systemctl status`` names.
_SHOWN_ALARMS = 3


class Beginning(Service):
    """Starts first: says what is about to run, and what of it deserves a look (step 2)."""

    log = Logger()

    def __init__(self, config: Config, warnings: Sequence[str]) -> None:
        self._config = config
        self._warnings = warnings

    def startService(self) -> None:
        super().startService()
        callbridge = self._config.callbridge
        self.log.info(
            CONFIGURED,
            step=Step.CONFIGURATION,
            domain=callbridge.domain,
            name=callbridge.name,
            how="server_address" if callbridge.server_address else "SRV",
            backends=_names(self._config),
        )
        for warning in self._warnings:
            self.log.warn(WARNING, text=in_words(warning))


class Readiness(Service):
    """Starts last and stops first: tells systemd. Ready means that a first attempt was made."""

    def __init__(self, clock: IReactorTime, first_attempt: Deferred[None], pulse: Pulse) -> None:
        self._clock = clock
        self._pulse = pulse
        self._first_attempt = first_attempt
        self._call: IDelayedCall | None = None

    def startService(self) -> None:
        super().startService()
        self._call = self._clock.callLater(READY_AFTER, self._ready)
        self._first_attempt.addCallback(lambda _: self._ready())

    def _ready(self) -> None:
        if self._call is not None:
            cancel(self._call)
            self._call = None
            notify("READY=1")
            self._pulse.look()

    def stopService(self) -> None:
        super().stopService()
        cancel(self._call)
        self._call = None
        notify("STOPPING=1")


def _names(config: Config) -> str:
    return ", ".join(one.name for one in config.users.backends)


def make_service(reactor: Any, config: Config, load: Load, log: Log | None = None) -> MultiService:
    """Answer the daemon as one service. ``load`` reads the ini file again.

    ``log`` None: it is none of ours.

    Raises:
        CertificateFault: for certificates that cannot be used.
        BackendFault: for user backends that cannot be opened.
    """
    bridge = Bridge(reactor, config)
    in_thread = partial(deferToThreadPool, reactor, reactor.getThreadPool())
    settings = Settings(reactor, bridge, load, in_thread, log)
    reload = settings.reload
    alarms = make_alarms(reactor, bridge)
    recent = RecentEvents(reactor, NEWS)

    def line() -> str:
        name, links = bridge.config.callbridge.name, bridge.links.status()
        now, former = datetime.now(UTC), bridge.links.former()
        said = status_line(name, links, now, former) + reload.warning
        return said + alarms_in_words(alarms.active)

    status = Status(reactor, bridge, reload, alarms)
    pulse = Pulse(reactor, line)
    daemon = LoggedService(log)
    recent.setServiceParent(daemon)  # the first, so that it hears all others
    own_ports: list[IService] = [MetricsService(reactor, bridge, reload, alarms)]
    make_commands = partial(commands, bridge, settings, status, alarms)
    if config.admin.listen:
        # With the libraries of callbridge-xmpp[admin], which nothing else needs.
        from callbridged.web.service import AdminService

        admin = AdminService(reactor, bridge, settings, alarms, recent, status)
        own_ports.append(admin)
        make_commands = partial(make_commands, was_reset=admin.audit.settings_reset)
    of_ports = (text for one in bridge.ports.values() for text in one.identity.warnings)
    for one in (
        reload,
        Beginning(config, tuple(dict.fromkeys((*bridge.warnings, *of_ports)))),
        bridge,
        alarms,
        *own_ports,
        ControlService(reactor, config.callbridge.control_socket, make_commands()),
        pulse,
        Readiness(reactor, bridge.links.first_attempt, pulse),
    ):
        one.setServiceParent(daemon)
    return daemon


def alarms_in_words(alarms: Sequence[Alarm]) -> str:
    """Answer what the line for ``systemctl status`` should end with, mostly nothing."""
    if not alarms:
        return ""
    shown = [f"{one.kind} {one.subject}" for one in alarms[:_SHOWN_ALARMS]]
    more = len(alarms) - len(shown)
    said = ", ".join([*shown, f"{more} more"] if more else shown)
    return f"; {'alarms' if len(alarms) > 1 else 'alarm'}: {said}"


def status_line(
    name: str,
    links: Sequence[Mapping[str, Any]],
    now: datetime,
    former: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Answer what ``systemctl status`` shows, from ``links`` and ``former`` of the status.

    For how long is in whole minutes, hours or days: systemd is told of each other line.
    """
    up = [link for link in links if link["state"] == State.REGISTERED]
    down = [link for link in links if link["state"] != State.REGISTERED]
    said = []
    if up:
        targets = ", ".join(str(link["target"]) for link in up)
        since = min(datetime.fromisoformat(link["since"]) for link in up)
        time = rough_duration((now - since).total_seconds())
        registered = f"registered as {name} for {time}" if time else f"registered as {name}"
        said.append(f"connected to {targets} (secure), {registered}")
    outdated = [str(link["target"]) for link in links if link.get("secret_in_use") == "former"]
    if outdated:
        said.append(f"with the former secret: {', '.join(outdated)}")
    for link in down:
        error = link["last_error"]
        why = f", {error['step']}: {error['reason']}" if error else ""
        said.append(f"{link['target'] or 'no XMPP server'} {link['state']}{why}")
    said += [
        f"still connected to {link['target']} as {link['callbridge']}.{link['domain']}"
        for link in former
        if link["state"] == State.REGISTERED
    ]
    return "; ".join(said)
