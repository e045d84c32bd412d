"""Takes a changed callbridged.ini, and changed files that it names, into use while links are up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from twisted.logger import Logger

from bridgewire import tls
from bridgewire.identity import CertificateFault
from callbridged.backends import BackendFault, IUserBackend
from callbridged.bridge import Bridge, link_settings, user_certificates
from callbridged.config import Config
from callbridged.links.link_interface import LinkSettings
from callbridged.logins.user_certificates import UserCertificates
from callbridged.ports import port_tls
from daemonkit.credentials import in_words
from daemonkit.ini import Setting
from daemonkit.logging.events import WARNING
from daemonkit.logging.log import Log
from daemonkit.logging.service import reopen
from daemonkit.reload import Differences, ReloadFault, compare

#: Keys of each section: sockets and files are open already.
_FIXED: Mapping[str, tuple[str, ...]] = {
    "callbridge": ("state_directory", "control_socket"),
    "admin": ("listen",),
    "metrics": ("listen",),
}
#: What the metrics port is made with, if it is with TLS.
_OF_METRICS = ("certificate", "private_key")

log = Logger()


@dataclass(frozen=True)
class Fresh:
    """What was read: the configuration as it will be in use, and what was made of its files."""

    config: Config
    differences: Differences
    link: LinkSettings
    certificates: UserCertificates | None
    ports: Mapping[str, tls.Connections]
    warnings: tuple[str, ...]
    log: Callable[[], None]


def read(load: Callable[[], Config], bridge: Bridge, daemon_log: Log | None = None) -> Fresh:
    """Read all files. Takes its time, and changes nothing.

    ``daemon_log``: what a changed ``[log]`` moves; None: it is none of ours.

    Raises:
        ConfigurationFault: the file cannot be used.
        ReloadFault: a certificate, or the log, cannot be used.
    """
    config, differences = settle(bridge.config, load())
    link, certificates, ports, warnings = read_certificates(config, bridge.ports)
    moved = reopen(daemon_log, config.log)
    return Fresh(config, differences, link, certificates, ports, warnings, moved)


def read_certificates(
    config: Config, sections: Iterable[str]
) -> tuple[LinkSettings, UserCertificates | None, Mapping[str, tls.Connections], tuple[str, ...]]:
    """Answer what is made of a configuration's certificates, and all warnings.

    ``sections``: whose ports there are.

    Raises:
        ReloadFault: with all that cannot be used.
    """
    faults: list[str] = []
    link = _collect(faults, link_settings, config)
    certificates = _collect(faults, user_certificates, config)
    ports = {
        section: found
        for section in sections
        if (found := _collect(faults, partial(port_tls, section), config))
    }
    if faults or link is None:
        raise ReloadFault(faults)
    settings, warnings = link
    more = (warning for one in ports.values() for warning in one.identity.warnings)
    warnings = tuple(dict.fromkeys((*config.warnings, *warnings, *more)))
    return settings, certificates, ports, warnings


def settle(old: Config, new: Config) -> tuple[Config, Differences]:
    """Answer what of ``new`` can be in use without a restart, with the rest of ``old``."""

    fixed = dict(_FIXED)
    if (old.metrics.certificate is None) != (new.metrics.certificate is None):
        fixed["metrics"] += _OF_METRICS

    def is_fixed(setting: Setting) -> bool:
        return setting.key in fixed.get(setting.section, ())

    def settled(section: str) -> Any:
        kept = {key: getattr(getattr(old, section), key) for key in fixed[section]}
        return replace(getattr(new, section), **kept)

    differences = compare(old.settings, new.settings, is_fixed)
    sections = {section: settled(section) for section in fixed}
    return replace(new, **sections, settings=differences.settings), differences


def apply(fresh: Fresh, bridge: Bridge, reactor: Any, at_once: bool = False) -> Differences:
    """Take it into use. Links stay or move, and logins under way go on.

    ``at_once``: links that move do not stay until new ones are up.

    Raises:
        ReloadFault: a user backend cannot be opened. Then nothing has changed.
    """
    config, differences = fresh.config, fresh.differences
    before = bridge.logins.mechanisms
    try:
        bridge.users.replace(_open(config, bridge, reactor))
    except BackendFault as fault:
        raise ReloadFault([str(fault)]) from None
    fresh.log()
    bridge.configure(config, fresh.certificates)
    for section, port in fresh.ports.items():
        bridge.ports[section].replace(port)
    if bridge.logins.mechanisms != before:
        bridge.relay.offer_again()
    if at_once or differences.touches("callbridge", "tls", "dns", "link"):
        bridge.reconnect(config, fresh.link, at_once)
    else:
        bridge.links.hurry()
    for follow in bridge.followers:
        follow(config)
    for warning in (*fresh.warnings, *bridge.ineffective()):
        log.warn(WARNING, text=in_words(warning))
    return differences


def _open(config: Config, bridge: Bridge, reactor: Any) -> list[tuple[str, IUserBackend]]:
    """Open the backends that are new, or have other settings; the others are there already.

    Raises:
        ReloadFault: one or more cannot be opened.
    """
    in_use = bridge.config.users.backends
    faults: list[str] = []
    backends = []
    for one in config.users.backends:
        try:
            backend = bridge.users.backend(one.name) if one in in_use else one.open(reactor)
        except BackendFault as fault:
            faults.append(str(fault))
        else:
            backends.append((one.name, backend))
    if faults:
        raise ReloadFault(faults)
    return backends


def _collect(faults: list[str], make: Callable[[Config], Any], config: Config) -> Any:
    try:
        return make(config)
    except CertificateFault as fault:
        faults += fault.faults
        return None
