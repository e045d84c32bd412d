"""All that Status > General shows, at one moment, for all readers. Pure; knows no language."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from callbridged.alarms.alarm import Alarm
from callbridged.links.link_interface import State
from callbridged.web.pages.flow import Row, Served, make_rows
from callbridged.web.pages.plots import Counts
from daemonkit.logging.recent import RecentEvent
from daemonkit.login_record import LoginRecord

Tone = Literal["good", "bad", "calm"]
Age = Literal["", "former", "newer"]


@dataclass(frozen=True)
class LinkView:
    """One link. ``target`` empty: no XMPP server is known. ``key``: an id for its element.

    ``age``: ``former`` if it is of the settings before, ``newer`` if it is to take the place of the
    one before it, for another secret say, and else empty.
    """

    key: str
    target: str
    component: str
    state: State
    since: datetime
    address: str
    tls: str
    rows: Sequence[Row]
    age: Age = ""
    secret_former: bool = False

    @property
    def registered(self) -> bool:
        """True while it can be used."""
        return self.state is State.REGISTERED

    @property
    def failed(self) -> Row | None:
        """The step that failed, if one has."""
        return next((one for one in self.rows if one.error is not None), None)

    @property
    def tone(self) -> Tone:
        """What colour it has."""
        return "good" if self.registered else "bad" if self.failed else "calm"


@dataclass(frozen=True)
class View:
    """The status. ``totals``: of the last five minutes; ``minutes``: of each, the latest first."""

    at: datetime
    service: Literal["registered", "down"]
    draining: bool
    links: Sequence[LinkView]
    warnings: Sequence[str]
    alarms: Sequence[Alarm]
    events: Sequence[RecentEvent]
    totals: Counts
    minutes: Sequence[Counts]


def link_views(status: Mapping[str, Any], served: Mapping[str, Served]) -> list[LinkView]:
    """Answer the links of a status, those with the former settings last.

    ``served``: by target, what each XMPP server has asked.
    """
    ours = f"{status['callbridge']}.{status['domain']}"
    found = []

    def add(link: Mapping[str, Any], component: str, age: Age) -> None:
        draining = status["draining"]
        found.append(_link(link, component, age, served, draining=draining))
        if link.get("newer"):
            found.append(_link(_newer(link), component, "newer", served, draining=draining))

    for link in status["links"]:
        add(link, ours, "")
    for link in status.get("former", []):
        add(link, f"{link['callbridge']}.{link['domain']}", "former")
    return found


def _newer(link: Mapping[str, Any]) -> dict[str, Any]:
    """Answer the link that is to take the place of ``link``, as an entry of its own."""
    return {
        **link,
        "state": link["newer"],
        "steps": link.get("newer_steps", []),
        "address": None,
        "tls": None,
        "ready": False,
        "newer": None,
        "secret_in_use": None,
    }


def served_by(records: Iterable[LoginRecord]) -> dict[str, Served]:
    """Answer, by XMPP server, how many of these logins it asked for, and how long the last took."""
    found: dict[str, Served] = {}
    for record in records:
        for server in record.asked:
            before = found.get(server, Served())
            found[server] = Served(before.logins + 1, record.seconds)
    return found


def _link(
    link: Mapping[str, Any],
    component: str,
    age: Age,
    served: Mapping[str, Served],
    *,
    draining: bool,
) -> LinkView:
    target = link["target"]
    words = re.sub(r"[^a-z0-9]+", "-", f"{component} {target} {age}".lower()).strip("-")
    asked = Served() if age == "newer" else served.get(target, Served())
    return LinkView(
        key=f"link-{words}",
        target=target,
        component=component,
        state=State(link["state"]),
        since=datetime.fromisoformat(link["since"]),
        address=link["address"] or "",
        tls=link["tls"] or "",
        rows=make_rows(link, component, asked, draining=draining),
        age=age,
        secret_former=link.get("secret_in_use") == "former",
    )
