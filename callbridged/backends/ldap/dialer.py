"""Connections to the first of a directory's servers that can be used."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from bridgewire import tls
from bridgewire.steps import StepFailure
from callbridged.backends.ldap.connection import LdapConnection
from callbridged.backends.ldap.interface import Say
from callbridged.backends.ldap.messages import Codec
from callbridged.backends.ldap.settings import LdapSettings
from callbridged.backends.ldap.urls import DirectoryUrl
from callbridged.backends.ldap.words import Words, too_late
from callbridged.events import DIRECTORY_SERVER_FAILED
from callbridged.links.connect import connect
from daemonkit.hosts import is_address

#: Seconds for which a server that failed is tried after the others.
AVOIDED = 30.0


class Dialer:
    """Makes connections that are secured and not bound."""

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: LdapSettings,
        addresses: Callable[[str], Awaitable[list[str]]],
        make_codec: Callable[[], Codec],
    ) -> None:
        """``reactor`` provides IReactorTCP and IReactorTime; ``addresses`` answers those of a host,
        or raises StepFailure. Raises CertificateFault."""
        self._reactor = reactor
        self._settings = settings
        self._addresses = addresses
        self._make_codec = make_codec
        #: When a server failed, by its name.
        self._failed: dict[str, float] = {}
        self._contexts = {
            url: tls.web_client(
                settings.identity, settings.authorities, None if is_address(url.host) else url.host
            )
            for url in settings.urls
            if url.tls or settings.start_tls
        }

    async def open(self, until: float, say: Say) -> LdapConnection:
        """Answer a connection to a server that can be used.

        ``until``: when it is too late, by the reactor's clock; while there are more servers, one
        gets its share of what is left. Raises StepFailure.
        """
        failures: dict[str, StepFailure] = {}
        urls = self._in_order()
        for place, url in enumerate(urls):
            left = max(0.0, until - self._reactor.seconds())
            try:
                connection = await self._within(left / (len(urls) - place), url, say)
            except StepFailure as failure:
                failures[str(url)] = failure
                self.avoid(str(url))
                continue
            self._failed.pop(str(url), None)
            self._mention(failures, str(url))
            return connection
        raise _together(list(failures.values()))

    def avoid(self, name: str) -> None:
        """Try this server after the others for a while."""
        self._failed[name] = self._reactor.seconds()

    def _in_order(self) -> list[DirectoryUrl]:
        now = self._reactor.seconds()
        lately = {name for name, when in self._failed.items() if now - when < AVOIDED}
        return sorted(self._settings.urls, key=lambda url: str(url) in lately)

    async def _within(self, seconds: float, url: DirectoryUrl, say: Say) -> LdapConnection:
        doing = [str(url)]

        def note(what: str) -> None:
            doing[0] = what
            say(what)

        def give_up(*_: object) -> None:
            raise too_late(self._settings.section, doing[0])

        attempt = Deferred.fromCoroutine(self._connect(seconds, url, note))
        attempt.addTimeout(seconds, self._reactor, onTimeoutCancel=give_up)
        return await attempt

    async def _connect(self, seconds: float, url: DirectoryUrl, say: Say) -> LdapConnection:
        words = Words(self._settings, url)
        try:
            say(f"the address of {url.host}")
            addresses = await self._addresses(url.host)
            say(f"the connection to {url}")
            factory = Factory.forProtocol(
                lambda: LdapConnection(str(url), self._make_codec(), words, self._settings.timeout)
            )
            factory.noisy = False
            made: Any = await connect(self._reactor, addresses, url.port, factory, seconds)
        except StepFailure as failure:
            raise words.not_connected(failure) from None
        connection: LdapConnection = made
        if url in self._contexts:
            say(f"the TLS handshake with {url}")
            await connection.secure(self._contexts[url], url.host, start=not url.tls)
        return connection

    def _mention(self, failures: dict[str, StepFailure], used: str) -> None:
        for name, failure in failures.items():
            self.log.warn(
                DIRECTORY_SERVER_FAILED,
                backend=self._settings.section,
                server=name,
                reason=failure.reason,
                used=used,
                why=f"{failure.reason}: {failure.text} {failure.remedy}",
            )


def _together(failures: list[StepFailure]) -> StepFailure:
    """The first, with what the others add to it."""
    first, *others = failures
    if not others:
        return first
    texts = dict.fromkeys(f"{failure.text} {failure.remedy}" for failure in failures)
    return StepFailure(first.step, first.reason, " ".join(texts))
