"""A secret's rotation, as the daemon and operators see it: which secret counts and is in use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from twisted.logger import Logger

from daemonkit.units import format_duration
from xmppd.components.registry import Known, Registry, RegistryFault
from xmppd.events import ROTATION_LONG, SECRET_NOT_ROTATED, SECRET_ROTATED

#: Seconds after which a rotation that is not over deserves a warning.
LONG = 24 * 3600.0

log = Logger()

_IN_USE = {
    "current": "the link uses the old secret",
    "next": "the link uses the new secret",
    "former": "the link uses neither of the two",
}


def secret_used(registry: Registry, domain: str, name: str, used: bytes) -> None:
    """A link of ``name`` is up with the secret of this mark: that may complete a rotation."""
    try:
        if registry.used(domain, name, used):
            log.info(SECRET_ROTATED, callbridge=f"{name}.{domain}", domain=domain)
        elif is_long(registry.find(domain, name)):
            log.warn(ROTATION_LONG, callbridge=f"{name}.{domain}", domain=domain, name=name)
    except RegistryFault as fault:
        log.error(
            SECRET_NOT_ROTATED,
            callbridge=f"{name}.{domain}",
            domain=domain,
            name=name,
            fault=str(fault),
        )


def is_long(known: Known | None, now: Callable[[], datetime] | None = None) -> bool:
    """True where a rotation goes on that ought to be over by now."""
    if known is None or known.rotated_at is None:
        return False
    return ((now or _now)() - known.rotated_at).total_seconds() >= LONG


def in_use(known: Known | None, used: bytes) -> str | None:
    """Answer ``secret_in_use`` of a status: ``current``, ``next`` or ``former``.

    ``used``: the mark of what the link has proved; empty, and None is the answer, without a link.
    """
    if not used:
        return None
    return "former" if known is None else known.which(used)


def as_json(known: Known | None, now: Callable[[], datetime] | None = None) -> object:
    """Answer ``rotation`` of a status: None where none goes on."""
    if known is None or known.next_secret is None or known.rotated_at is None:
        return None
    seconds = ((now or _now)() - known.rotated_at).total_seconds()
    return {
        "since": known.rotated_at.isoformat(timespec="seconds"),
        "seconds": max(0, round(seconds)),
        "long": is_long(known, now),
    }


def describe(link: Mapping[str, Any]) -> Iterator[str]:
    """Answer sentences on a Call Bridge's rotation, from its entry in a status; mostly none."""
    rotation, used = link.get("rotation"), link.get("secret_in_use")
    if rotation:
        text = f"a rotation goes on for {format_duration(rotation['seconds'])}"
        yield f"{text}; {_IN_USE[used]}" if used else text
        if rotation["long"]:
            yield (
                "that is long: give the new secret to the Call Bridge and reload it, or end the "
                f"rotation with `xmppctl callbridge rotate {link['name']} --abort`"
            )
    elif used == "former":
        yield "the link uses a former secret, which does not count from its next registration on"


def _now() -> datetime:
    return datetime.now(UTC)
