"""The web page and the API as a service: its port, its accounts, and how both follow a reload."""

from __future__ import annotations

from typing import Any

from twisted.application.service import MultiService
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from callbridged.alarms.service import Alarms
from callbridged.bridge import Bridge
from callbridged.check.checks import Checks
from callbridged.config import Config
from callbridged.events import ADMIN_LISTENS
from callbridged.ports import NOT_ALLOWED, port_tls
from callbridged.settings import Settings
from callbridged.status import Status
from callbridged.web.accounts import THREADS, Accounts, Changes
from callbridged.web.audit import Audit
from callbridged.web.basic import Remembered
from callbridged.web.guard import Guard
from callbridged.web.sessions import Sessions
from callbridged.web.sign_in import Access
from callbridged.web.site import Parts, make_site
from daemonkit.listener import listener
from daemonkit.logging.recent import RecentEvents
from daemonkit.workers import Workers

#: Seconds between looks at the administrators' file, and at whose session is over.
LOOK_INTERVAL = 2.0


class AdminService(MultiService):
    """Listens where ``[admin]`` says, until the daemon ends."""

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        bridge: Bridge,
        settings: Settings,
        alarms: Alarms,
        recent: RecentEvents,
        status: Status,
    ) -> None:
        """Raises CertificateFault."""
        super().__init__()
        admin = bridge.config.admin
        self._clock = reactor
        self._call: IDelayedCall | None = None
        context = port_tls("admin", bridge.config)
        assert context is not None  # noqa: S101  this port always has TLS
        bridge.ports["admin"] = context
        bridge.followers.append(self._follow)
        workers = Workers(reactor, THREADS, "admin")
        workers.setServiceParent(self)
        self.accounts = Accounts(admin.users_file, workers)
        self.audit = Audit(bridge.config.callbridge.state_directory)
        self.accounts.changed = self._accounts_changed
        self.sessions = Sessions(reactor, admin.session_idle, admin.session_lifetime)
        self.access = Access(
            self.accounts, self.sessions, Guard(reactor), self.audit, Remembered(reactor)
        )
        parts = Parts(
            reactor,
            bridge,
            settings,
            alarms,
            recent,
            status,
            Checks(reactor, status),
            self.access,
            self.audit,
        )
        self.site = make_site(reactor, parts)
        self._listen = admin.listen
        for endpoint in admin.listen:
            listener(
                endpoint,
                self.site.accept,
                reactor,
                program="callbridged",
                context=context,
                not_allowed=NOT_ALLOWED,
            ).setServiceParent(self)

    def startService(self) -> None:
        super().startService()
        self.log.info(ADMIN_LISTENS, where=", ".join(self._listen))
        self._look()

    def stopService(self) -> Any:
        if self._call is not None:
            self._call.cancel()
            self._call = None
        self.sessions.sweep(lambda _: False)
        return super().stopService()

    def _look(self) -> None:
        self._call = self._clock.callLater(LOOK_INTERVAL, self._look)
        self.accounts.look()
        self.sessions.sweep(self.access.stays)

    def _follow(self, config: Config) -> None:
        self.accounts.move(config.admin.users_file)
        self.sessions.set_lifetime(config.admin.session_idle, config.admin.session_lifetime)

    def _accounts_changed(self, changes: Changes) -> None:
        self.audit.accounts_changed(changes)
        self.sessions.sweep(self.access.stays)
