"""Ends sessions of a user at the XMPP servers that we hold links to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from twisted.internet.defer import Deferred, DeferredList
from twisted.words.xish.domish import Element

from bridgewire.iq import new_request
from bridgewire.namespaces import LOGIN
from bridgewire.session_end import EndSessions
from callbridged.links.link_interface import ActiveLink

#: Seconds that a server may take.
TIMEOUT = 5.0


@dataclass(frozen=True)
class Ended:
    """How many sessions were ended, at how many servers; and which did not answer rightly."""

    sessions: int
    servers: int
    silent: tuple[str, ...]


async def end_sessions(links: Iterable[ActiveLink], what: EndSessions) -> Ended:
    """Ask over all ``links`` at once, and wait for what they answer."""
    asked = list(links)
    answers = await DeferredList([_ask(link, what) for link in asked], consumeErrors=True)
    counts = [_count(result) if good else None for good, result in answers]
    return Ended(
        sum(count for count in counts if count is not None),
        sum(count is not None for count in counts),
        tuple(str(link.target) for link, count in zip(asked, counts, strict=True) if count is None),
    )


def _ask(link: ActiveLink, what: EndSessions) -> Deferred[Element]:
    order = new_request("set", link.component, link.domain, what.to_element())
    return link.request(order, TIMEOUT)


def _count(iq: Element) -> int | None:
    for answer in iq.elements(LOGIN, "end-sessions"):
        count = answer.getAttribute("count", "")
        if re.fullmatch(r"[0-9]{1,9}", count):
            return int(count)
    return None
