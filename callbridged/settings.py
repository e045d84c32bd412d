"""Settings that the web page and the API change: validated whole, saved, and in use at once.

What is saved is an overlay of the ini file, so that it is in use after a restart, too. A change
and a reload wait for each other, and of both either all is taken or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred

from callbridged.bridge import Bridge
from callbridged.config import Config
from callbridged.config_callbridge import CallBridge
from callbridged.overlay import KEYS, SECTION, Overlay, ValueFault, read_overlay
from callbridged.reload import Fresh, apply, read, read_certificates
from daemonkit import credentials
from daemonkit.ini import ConfigurationFault
from daemonkit.logging.log import Log
from daemonkit.reload import HalfDone, Outcome, Reload, ReloadFault

T = TypeVar("T")

_BACK = "An internal error; the log has its traceback. What was in use before is in use again."


class Conflict(Exception):
    """Somebody else has changed the settings meanwhile. ``version`` is what they are now."""

    def __init__(self, version: str) -> None:
        super().__init__("The settings have changed meanwhile. Look at them again, and repeat it.")
        self.version = version


class SettingsFault(Exception):
    """What was asked for cannot be used, and nothing was changed.

    ``faults``: all, each as (key, sentence with a remedy). The key is empty where the fault is in
    none of the values: in a certificate, or elsewhere in the ini file.
    """

    def __init__(self, faults: Iterable[tuple[str, str]]) -> None:
        self.faults = tuple((key, credentials.in_words(text)) for key, text in faults)
        super().__init__("\n".join(f"{key}: {text}" if key else text for key, text in self.faults))


@dataclass(frozen=True)
class Changed:
    """What a change has brought. ``values``: of the settings here that are others now, by key, the
    former and the new one; of a secret neither, but two empty texts. ``outcome`` has all settings,
    for the ini file may have been edited, too."""

    outcome: Outcome
    values: Mapping[str, tuple[str, str]]


class Load(Protocol):
    """`callbridged.config.load` of the daemon's ini file."""

    def __call__(self, *, overlay: Overlay) -> Config: ...


class InThread(Protocol):
    """Runs a function in a thread."""

    def __call__(self, function: Callable[[], T], /) -> Deferred[T]: ...


class Settings:
    """Those of ``[callbridge]`` that can be changed: name, domain, server_address, secret.

    Values are texts as in the ini file. A key that is absent stays as it is; an empty
    ``server_address`` means SRV.
    """

    def __init__(
        self,
        reactor: Any,
        bridge: Bridge,
        load: Load,
        in_thread: InThread,
        log: Log | None = None,
    ) -> None:
        """``log``: the daemon's, which a change may move as well; None: it is none of ours."""
        self._reactor = reactor
        self._bridge = bridge
        self._load = load
        self._in_thread = in_thread
        self._log = log
        self._state_directory = bridge.config.callbridge.state_directory
        self._run = token_hex(8)
        self._seen: object = None
        self._count = 0
        self.reload: Reload[Fresh] = Reload(
            reactor,
            in_thread,
            lambda: self._read(self._overlay()),
            lambda fresh: apply(fresh, bridge, reactor),
        )

    @property
    def version(self) -> str:
        """Another one after each change of these settings, a reload's included."""
        now = tuple(
            (one.key, one.value, one.mark)
            for one in self._bridge.config.settings
            if one.section == SECTION and one.key in (*KEYS, "secret_file")
        )
        if now != self._seen:
            self._seen = now
            self._count += 1
        return f"{self._run}-{self._count}"

    def current(self) -> dict[str, str]:
        """Answer what is in use, without the secret."""
        return _values(self._bridge.config.callbridge)

    async def candidate(self, values: Mapping[str, str]) -> Config:
        """Answer the configuration as it would be with these values. Nothing is changed.

        Raises:
            SettingsFault: as `change`.
        """

        def make() -> Config:
            config = self._load(overlay=self._with(values, self._overlay()))
            read_certificates(config, self._bridge.ports)
            return config

        return await self._in_thread(lambda: _told(make))

    async def change(
        self, values: Mapping[str, str], *, version: str | None, at_once: bool = False
    ) -> Changed:
        """Let these values be in use from now on, and after a restart.

        ``version``: the one that the change is of; None: of any. ``at_once``: links to where the
        Call Bridge was do not wait for those to where it will be.

        Raises:
            Conflict: there is a newer version.
            SettingsFault: with every fault.
        """
        return await self._replace(lambda there: self._with(values, there), version, at_once)

    async def reset(self, keys: Iterable[str] = KEYS, *, version: str | None = None) -> Changed:
        """Let what the ini file says be in use again; ``version`` and errors as of `change`."""
        gone = tuple(keys)
        return await self._replace(
            lambda there: there.without(gone),
            version,
            at_once=False,
            damaged=set(gone) >= set(KEYS),
        )

    def _overlay(self, damaged: bool = False) -> Overlay:
        return read_overlay(self._state_directory, damaged=damaged)

    def _with(self, values: Mapping[str, str], there: Overlay) -> Overlay:
        """Answer the overlay with those of ``values`` that the ini file does not have anyway."""
        changed, others = there.with_values(values), there.without(values)
        try:
            found = self._load(overlay=others).callbridge
        except ConfigurationFault:  # told of the whole, together with the faults of the values
            return changed
        same = {**_values(found), "secret": found.secret}
        return others.with_values({key: one for key, one in values.items() if one != same[key]})

    def _read(self, overlay: Overlay) -> Fresh:
        return read(lambda: self._load(overlay=overlay), self._bridge, self._log)

    async def _replace(
        self,
        edit: Callable[[Overlay], Overlay],
        version: str | None,
        at_once: bool,
        damaged: bool = False,
    ) -> Changed:
        def prepare() -> tuple[Overlay, Fresh]:
            before = self._overlay(damaged)
            after = edit(before)
            fresh = self._read(after)
            _write(after)
            return before, fresh

        async with self.reload.turn:
            if version not in (None, self.version):
                raise Conflict(self.version)
            before, fresh = await self._in_thread(lambda: _told(prepare))
            try:
                if not self.reload.running:
                    raise ReloadFault(["The daemon is about to stop."])
                former = self._bridge.config.callbridge
                outcome = self.reload.take(
                    lambda: apply(fresh, self._bridge, self._reactor, at_once)
                )
                return Changed(outcome, _differences(former, self._bridge.config.callbridge))
            except ReloadFault as fault:
                await self._in_thread(lambda: _write(before))
                faults = fault.faults
                if isinstance(fault, HalfDone) and (await self.reload.once()).ok:
                    faults = (_BACK,)
                raise SettingsFault(("", text) for text in faults) from None


def _values(callbridge: CallBridge) -> dict[str, str]:
    return {
        "name": callbridge.name,
        "domain": callbridge.domain,
        "server_address": str(callbridge.server_address or ""),
    }


def _differences(former: CallBridge, new: CallBridge) -> dict[str, tuple[str, str]]:
    before, now = _values(former), _values(new)
    found = {key: (before[key], now[key]) for key in now if before[key] != now[key]}
    return found if former.secret == new.secret else {**found, "secret": ("", "")}


def _told(work: Callable[[], T]) -> T:
    """Do the work, and let whatever of it somebody can mend be a SettingsFault."""
    try:
        return work()
    except ValueFault as fault:
        raise SettingsFault(fault.faults) from None
    except ConfigurationFault as fault:
        raise SettingsFault(_by_key(fault)) from None
    except ReloadFault as fault:
        raise SettingsFault(("", text) for text in fault.faults) from None


def _write(overlay: Overlay) -> None:
    try:
        overlay.write()
    except OSError as error:
        text = f"{overlay.path} cannot be written: {error.strerror}. Mend that, and try again."
        raise SettingsFault([("", text)]) from None


def _by_key(fault: ConfigurationFault) -> Iterable[tuple[str, str]]:
    for one, sentence in zip(fault.faults, fault.each, strict=True):
        key = one.setting.removeprefix(f"[{SECTION}] ")
        if one.source is not None and key in KEYS:
            text = one.text.removeprefix(f"{one.setting}: ")
            yield key, text.removesuffix(one.source.remedy).rstrip()
        else:
            yield "", sentence
