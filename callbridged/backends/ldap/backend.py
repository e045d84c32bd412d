"""Users of an LDAP directory: passwords are checked by binds, SCRAM keys are read."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from callbridged.backends import (
    AccountRefused,
    BackendUnavailable,
    BrokenAccount,
    IAccounts,
    IDecoySource,
    IUserBackend,
)
from callbridged.backends.ldap import account_state, bindings, users
from callbridged.backends.ldap.account_state import refusal_of
from callbridged.backends.ldap.directory import Bound, Directory
from callbridged.backends.ldap.interface import Entry, ResultCode, Search, printable
from callbridged.backends.ldap.settings import LdapSettings, UserSearch
from callbridged.backends.ldap.templates import Template, escape_in_filter
from callbridged.backends.ldap.words import refused
from callbridged.events import DIRECTORY_ANSWERS, DIRECTORY_UNAVAILABLE
from callbridged.scram_keys import ScramKeys
from daemonkit.tasks import detach

Now = Callable[[], datetime]
now_utc: Now = partial(datetime.now, UTC)


@implementer(IUserBackend)
class LdapBackend(MultiService, ABC):
    """What both ways to a user's entry have in common."""

    log = Logger()

    def __init__(self, settings: LdapSettings, directory: Directory, now: Now = now_utc) -> None:
        super().__init__()
        self.mechanisms = settings.mechanisms
        self._settings = settings
        self._directory = directory
        self._now = now
        self._trying: Deferred[Any] | None = None
        attributes = (
            settings.username_attribute,
            settings.scram_attribute,
            *account_state.ATTRIBUTES,
            *users.FINGERPRINT,
        )
        self._attributes = tuple(dict.fromkeys(filter(None, attributes)))

    def startService(self) -> None:
        super().startService()
        self._trying = detach(self._try(), self.log, "trying a directory")

    def stopService(self) -> object:
        if self._trying is not None:
            self._trying.cancel()
        self._directory.close()
        return super().stopService()

    async def scram_keys(self, username: str, mechanism: str) -> ScramKeys | None:
        """Answer nothing: there is nobody who could read them."""
        return None

    async def check_password(self, username: str, password: str) -> bool | str:
        """Bind with it. Raises BackendUnavailable and AccountRefused."""
        sent = bindings.to_send(password)
        return False if sent is None else await self._check(username, sent)

    @abstractmethod
    async def _check(self, username: str, password: str) -> bool | str:
        """Bind with a password that is fit for it, never empty. Raises as `check_password`."""

    async def _try(self) -> None:
        """Log in as nobody, so that the log has what is wrong before somebody does."""
        section = self._settings.section
        try:
            await self._check(secrets.token_hex(16), secrets.token_hex(16))
        except (BackendUnavailable, AccountRefused) as why:
            self.log.warn(DIRECTORY_UNAVAILABLE, backend=section, why=str(why))
        else:
            self.log.info(DIRECTORY_ANSWERS, backend=section)

    def _is_right(self, bound: Bound, entry: Entry | None = None) -> bool:
        """Answer what a server says of a password, by a bind that ended so.

        Raises AccountRefused, and BackendUnavailable where it has not looked.
        """
        right = bindings.says_right(bound.result)
        if right is not None:
            return right
        if entry is not None and bound.result.code == ResultCode.UNWILLING_TO_PERFORM:
            self._check_state(entry, bound=False)  # 389-ds has it in these words
        raise refused(self._settings, bound.name, "a user's bind", bound.result)

    def _check_state(self, entry: Entry, *, bound: bool) -> None:
        """Raises AccountRefused where the entry says so."""
        refusal = refusal_of(entry, self._now(), bound=bound)
        if refusal is not None:
            raise refusal.to_exception()

    def _localpart(self, entry: Entry) -> str:
        settings = self._settings
        return users.localpart(entry, settings.username_attribute, settings.username_domain)


class UserDnBackend(LdapBackend):
    """The name gives the DN. Who has bound reads the own entry."""

    def __init__(
        self, settings: LdapSettings, directory: Directory, way: Template, now: Now = now_utc
    ) -> None:
        super().__init__(settings, directory, now)
        self._user_dn = way

    async def _check(self, username: str, password: str) -> bool | str:
        own = Search(self._user_dn.fill(username), "base", "(objectClass=*)", self._attributes)
        until = self._directory.begin()
        bound = await self._directory.bind_and_read(password, own, until)
        if not self._is_right(bound):
            return False
        if not bound.entries:
            raise BrokenAccount(
                f"{printable(own.base)} may not read its own entry. Let users read theirs; or let "
                f"{self._settings.section} search, with base, filter and bind_dn."
            )
        (entry,) = bound.entries
        self._check_state(entry, bound=True)
        localpart = self._localpart(entry)
        return localpart == username or localpart


@implementer(IAccounts, IDecoySource)
class SearchBackend(LdapBackend):
    """A search finds the entry."""

    #: The daemon's own: directories have none to share.
    decoy_key = None

    def __init__(
        self, settings: LdapSettings, directory: Directory, way: UserSearch, now: Now = now_utc
    ) -> None:
        super().__init__(settings, directory, now)
        self.iterations = settings.iterations
        self._way = way
        #: Seconds that the last bind of a user took.
        self._usual = 0.0

    async def scram_keys(self, username: str, mechanism: str) -> ScramKeys | None:
        """Read the keys. Raises BackendUnavailable."""
        until = self._directory.begin()
        entry = await self._find(username, until)
        if entry is None:
            return None
        keys = users.scram_keys(entry, self._settings.scram_attribute, mechanism)
        refusal = refusal_of(entry, self._now(), bound=False)
        return replace(
            keys,
            username=await self._let_in(username, entry, until),
            refusal=refusal.condition if refusal else None,
        )

    async def fingerprint(self, username: str) -> bytes | None:
        """Answer a hash over what changes with the password. Raises BackendUnavailable.

        Only for who is let in as ``username``, and may be.
        """
        entry = await self._find(username, self._directory.begin())
        if entry is None or self._localpart(entry) != username:
            return None
        if refusal_of(entry, self._now(), bound=False) is not None:
            return None
        return users.fingerprint(entry)

    async def _check(self, username: str, password: str) -> bool | str:
        until = self._directory.begin()
        entry = await self._find(username, until)
        if entry is None:
            # Who does not exist takes as long as who does. A directory may hash passwords slowly,
            # and has none to hash here: so it is as slow as the last one was.
            nobody = bindings.nobody(self._way.base)
            bound = await self._directory.bind(nobody, password, until)
            await self._directory.wait(self._usual - bound.seconds, until)
            return False
        bound = await self._directory.bind(entry.dn, password, until)
        self._usual = bound.seconds
        if not self._is_right(bound, entry):
            return False
        self._check_state(entry, bound=True)
        localpart = await self._let_in(username, entry, until)
        return localpart == username or localpart

    async def _find(self, username: str, until: float) -> Entry | None:
        way = self._way
        search = Search(way.base, way.scope, way.filter.fill(username), self._attributes)
        entries = await self._directory.search(search, until)
        if len(entries) > 1:
            raise BrokenAccount(users.several(search.filter, entries))
        if entries and not entries[0].dn.strip():
            raise BrokenAccount(f"the filter {printable(search.filter)} finds no user's entry.")
        return entries[0] if entries else None

    async def _let_in(self, username: str, entry: Entry, until: float) -> str:
        """Answer the localpart, where it is nobody else's. Raises BrokenAccount."""
        localpart = self._localpart(entry)
        if localpart != username:
            await self._check_unique(localpart, entry, until)
        return localpart

    async def _check_unique(self, localpart: str, entry: Entry, until: float) -> None:
        """The filter that has found the entry by another name does not see to that."""
        attribute, domain = self._settings.username_attribute, self._settings.username_domain
        own = entry.text(attribute) or ""
        values = {own, f"{localpart}@{domain}" if domain else localpart}
        parts = "".join(f"({attribute}={escape_in_filter(one)})" for one in sorted(values))
        search = Search(self._way.base, self._way.scope, f"(|{parts})", ("1.1",))
        others = [one for one in await self._directory.search(search, until) if one.dn != entry.dn]
        if others:
            raise entry.broken(
                attribute, f"{printable(others[0].dn)} has it, too, and both would be {localpart}"
            )
