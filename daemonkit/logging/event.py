"""What a daemon's log can say: events with a name, an id that stays, and a text for people.

::

    LINK_LOST = Event(
        "link-lost",
        "link of {callbridge} from {peer} is down, {reason}: {why}",
        "The connection of a Call Bridge is gone. Logins go to the others meanwhile.",
        limit=Limit(("callbridge",), each=10),
    )

    self.log.warn(LINK_LOST, callbridge=..., peer=..., reason=..., why=...)

An event is the format of its line, so that Twisted's `Logger` takes it as it is. journald shows
``meaning`` with the line (``journalctl --catalog``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self
from uuid import NAMESPACE_URL, UUID, uuid5

#: Message ids are made of an event's name below this, so that they stay as long as the name does.
_NAMESPACE = uuid5(NAMESPACE_URL, "https://pypi.org/project/callbridge-xmpp/")


@dataclass(frozen=True)
class Limit:
    """How many lines of an event there may be in a minute.

    ``per``: fields that tell apart who or what it is about, an IPv6 address by its /64; ``each``:
    lines for one of these, ``in_all``: for all of them together.
    """

    per: tuple[str, ...]
    each: int = 1
    in_all: int = 100


class Event(str):
    """The format of a line, ``{field}`` for each field, with what the event is called and means.

    ``limit`` None is for what no peer can bring about, and an empty ``meaning`` for what can be
    anything: it has no message id.
    """

    name: str
    meaning: str
    limit: Limit | None

    def __new__(cls, name: str, text: str, meaning: str, *, limit: Limit | None = None) -> Self:
        event = super().__new__(cls, text)
        event.name = name
        event.meaning = meaning
        event.limit = limit
        return event

    @cached_property
    def message_id(self) -> UUID:
        """``MESSAGE_ID`` of journald, see systemd.journal-fields(7)."""
        return uuid5(_NAMESPACE, self.name)


def events_in(namespace: dict[str, object]) -> list[Event]:
    """Answer the events of a module, ``vars(module)``, in its order."""
    return [one for one in namespace.values() if isinstance(one, Event)]
