"""What there is to know of a login that has ended; in both daemons the same, and no secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

#: Characters to keep of a name, which may be anything that somebody has typed, and of a text.
MAX_NAME = 64
MAX_TEXT = 300

#: Seconds; to have waited for less is not worth a word.
_NOTHING = 0.0005

Kind = Literal["password", "token", "certificate", "guest"]


@dataclass(frozen=True, slots=True)
class LoginRecord:
    """One login, by whichever daemon has seen it. What is not known is empty.

    ``login``: the ``session`` of the messages on the link, which is the same in both daemons.
    ``user``: the localpart of who is in, or is claimed to be. ``asked``: the Call Bridges that
    xmppd asked, in turn; or the XMPP server that asked callbridged. ``outcome``: ``success``, or
    what it failed with. ``waited``: for whom it was waited (`daemonkit.waits.Whom`), in
    seconds, out of ``seconds``. ``link``: how many of those for Call Bridges were on the link.
    """

    ended: datetime
    login: str
    user: str
    domain: str
    mechanism: str
    peer: str
    asked: tuple[str, ...]
    outcome: str
    seconds: float
    kind: Kind = "password"
    step: str = ""
    reason: str = ""
    text: str = ""
    waited: Mapping[str, float] | None = None
    link: float | None = None

    @property
    def succeeded(self) -> bool:
        """True where somebody is in."""
        return self.outcome == "success"

    def as_json(self) -> dict[str, object]:
        """Answer it for JSON; what is not known is None."""
        waited = self.waited
        return {
            "time": self.ended.isoformat(timespec="milliseconds"),
            "login": self.login or None,
            "user": self.user or None,
            "domain": self.domain,
            "kind": self.kind,
            "mechanism": self.mechanism or None,
            "peer": self.peer or None,
            "asked": list(self.asked),
            "outcome": self.outcome,
            "step": self.step or None,
            "reason": self.reason or None,
            "text": self.text or None,
            "ms": _milliseconds(self.seconds),
            "waited_ms": None
            if waited is None
            else {
                whom: _milliseconds(seconds)
                for whom, seconds in waited.items()
                if seconds > _NOTHING
            },
            "link_ms": None if self.link is None else _milliseconds(self.link),
        }


def kind_of(mechanism: str, *, guest: bool = False) -> Kind:
    """Answer what a login by ``mechanism`` is proved with. ``guest``: it let a guest in."""
    if guest or mechanism == "ANONYMOUS":
        return "guest"
    if mechanism == "EXTERNAL":
        return "certificate"
    return "token" if mechanism.startswith("HT-") else "password"


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)
