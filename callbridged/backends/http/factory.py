"""Opens `http:` user backends. Twisted's HTTP client is loaded only where there is one."""

from __future__ import annotations

from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from bridgewire.certificates import CertificateFault
from callbridged.backends import (
    BackendFault,
    ISettingsReader,
    IUserBackend,
    IUserBackendFactory,
    section_name,
)
from callbridged.backends.http.settings import HookSettings, read_settings
from daemonkit.ini import IniReader


@implementer(IPlugin, IUserBackendFactory, ISettingsReader)
class HttpBackendFactory:
    """Opens ``http:NAME``."""

    prefix = "http"
    description = "the NAME of a section [http NAME] that says where a web hook is"

    def read(self, argument: str, ini: IniReader) -> HookSettings:
        """Read ``[http NAME]``. Raises BackendFault where no section is named."""
        return read_settings(section_name(self.prefix, argument, "hook"), ini)

    def open(self, argument: HookSettings, reactor: Any) -> IUserBackend:
        """Answer the backend; nothing is asked before the first login. Raises BackendFault."""
        # What it stands on takes 5 MiB, and callbridgectl reads settings only.
        from callbridged.backends.http.backend import open_backend

        try:
            return open_backend(reactor, argument)
        except CertificateFault as fault:
            raise BackendFault(str(fault)) from None
