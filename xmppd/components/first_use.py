"""A secret that was given out in a join file, until its Call Bridge has used it, for operators."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from bridgewire.join import show_time
from xmppd.components.registry import Known


def as_json(known: Known | None) -> str | None:
    """Answer until when it has to be used, None where it has no end."""
    if known is None or known.expires is None:
        return None
    return datetime.fromtimestamp(known.expires, UTC).isoformat()


def describe(name: str, known: Known | None, now: float | None = None) -> str:
    """Answer what there is to know about the secret of ``name``, mostly nothing."""
    if known is None or known.expires is None:
        return ""
    when = show_time(known.expires)
    if is_late(known, now):
        return (
            f"its join file was good until {when}, and nobody has come with the secret: "
            f"`xmppctl callbridge join {name}` makes another one"
        )
    return f"its join file is good until {when}, and nobody has come with the secret yet"


def is_late(known: Known | None, now: float | None = None) -> bool:
    """True where the secret lets nobody in any more. ``now``: UNIX time, None: the system's."""
    if known is None or known.expires is None:
        return False
    return (time.time() if now is None else now) > known.expires
