"""An XMPP domain that this server serves: its name, and who answers its logins."""

from __future__ import annotations

from dataclasses import dataclass

from xmppd.login import Logins


@dataclass(frozen=True, eq=False)
class Domain:
    """One domain. ``name`` is in U-labels, as XMPP has it."""

    name: str
    logins: Logins
