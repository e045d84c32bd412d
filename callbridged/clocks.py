"""Does a server's clock agree with this one? If not, certificates may look expired."""

from __future__ import annotations

from datetime import UTC, datetime

from twisted.internet.defer import Deferred
from twisted.words.xish.domish import Element

from bridgewire.iq import RequestError, new_request
from bridgewire.namespaces import TIME
from callbridged.link_interface import ActiveLink

#: Seconds by which the two clocks may differ before that is worth a warning.
CLOCK_SKEW = 30.0


async def ask_skew(link: ActiveLink, within: float) -> float | None:
    """Answer by how many seconds the server's clock is ahead (XEP-0202); None if it says nothing.

    ``within``: seconds for the answer. Below 0: it is behind.
    """
    question = new_request("get", link.component, link.domain, Element((TIME, "time")))
    sent = datetime.now(UTC)
    asking: Deferred[Element] = link.request(question, within)
    try:
        time = (await asking).firstChildElement()
        utc = next(iter(time.elements(TIME, "utc"))) if time is not None else ""
        return (datetime.fromisoformat(str(utc)) - sent).total_seconds()
    except (RequestError, ValueError, TypeError, StopIteration):  # it need not know how late it is
        return None


def describe_skew(target: str, skew: float | None) -> str:
    """Answer a warning; empty where the clocks agree, or nobody knows."""
    if skew is None or abs(skew) <= CLOCK_SKEW:
        return ""
    how = "ahead of" if skew > 0 else "behind"
    return (
        f"The clock of {target} is {abs(skew):.0f} s {how} the one of this host. Let both hosts "
        "take the time from the network (NTP)."
    )
