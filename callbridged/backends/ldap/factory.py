"""Opens ``ldap:NAME``."""

from __future__ import annotations

from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from bridgewire.certificates import CertificateFault
from callbridged.backends import (
    BackendFault,
    ISettingsReader,
    IUserBackendFactory,
    section_name,
)
from callbridged.backends.addresses import Addresses
from callbridged.backends.ldap.backend import LdapBackend, SearchBackend, UserDnBackend
from callbridged.backends.ldap.dialer import Dialer
from callbridged.backends.ldap.directory import Directory
from callbridged.backends.ldap.interface import Search
from callbridged.backends.ldap.messages import Codec
from callbridged.backends.ldap.settings import LdapSettings, UserSearch, read_settings
from daemonkit.ini import IniReader
from daemonkit.workers import Workers

#: Lookups of servers' addresses at once.
LOOKUPS = 2


@implementer(IPlugin, IUserBackendFactory, ISettingsReader)
class LdapBackendFactory:
    """Opens ``ldap:NAME``."""

    prefix = "ldap"
    description = "the NAME of a section [ldap NAME] that says where a directory is"

    def read(self, argument: str, ini: IniReader) -> LdapSettings:
        """Read ``[ldap NAME]``. Raises BackendFault where no section is named."""
        return read_settings(section_name(self.prefix, argument, "office"), ini)

    def open(self, argument: LdapSettings, reactor: Any) -> LdapBackend:
        """Answer the backend; the directory is asked at the first login. Raises BackendFault."""
        settings = argument
        try:
            from callbridged.backends.ldap.codec import LibldapCodec
        except ImportError as error:
            raise BackendFault(
                f"{settings.section} needs python-ldap, which cannot be used ({error}). Install "
                "it with: pip install 'callbridge-xmpp[ldap]'. On Debian that needs gcc, "
                "python3-dev, libldap-dev and libsasl2-dev."
            ) from None
        codec = LibldapCodec()
        try:
            _check_filter(settings, codec)
        finally:
            codec.close()
        workers = Workers(reactor, LOOKUPS, f"addresses for ldap:{settings.name}")
        addresses = {url.host: Addresses(url.host, workers) for url in settings.urls}
        try:
            dialer = Dialer(reactor, settings, lambda host: addresses[host].find(), LibldapCodec)
        except CertificateFault as fault:
            raise BackendFault(str(fault)) from None
        directory = Directory(reactor, settings, dialer)
        way = settings.way
        backend: LdapBackend = (
            SearchBackend(settings, directory, way)
            if isinstance(way, UserSearch)
            else UserDnBackend(settings, directory, way)
        )
        workers.setServiceParent(backend)
        return backend


def _check_filter(settings: LdapSettings, codec: Codec) -> None:
    way = settings.way
    if isinstance(way, UserSearch):
        try:
            codec.search(Search(way.base, way.scope, way.filter.fill("x"), ()), 1)
        except ValueError as error:
            raise BackendFault(f"{settings.section} filter: {error} Correct it.") from None
