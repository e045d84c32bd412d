"""Links that register anew while they are up: with another secret, or because an operator asks.

Each gets a successor, which shows the server a word that the link has announced, and takes its
place (docs/link-protocol.md). So logins find one of the two at any time, and where the server
refuses the successor, for a wrong secret say, the link goes on, and the successor tries again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bridgewire.steps import Reason, StepFailure
from callbridged.events import LINK_NOT_RENEWED, LINK_RENEWAL_BEGINS, LINK_RENEWED
from callbridged.links.dialer import Link
from callbridged.links.discovery import Target

#: Bytes of randomness in what a successor shows.
TOKEN_BYTES = 16

_REMEDY = (
    "Give that server the new secret, by `xmppctl callbridge rotate NAME --secret-stdin`; or "
    "correct it here and reload. It is tried again."
)


@dataclass(frozen=True)
class Renewed:
    """How a renewal went: ``failure`` None where the successor has taken the link's place."""

    target: Target
    failure: StepFailure | None


class Renewals:
    """The links to renew, one after another, and the successors that there are."""

    log = Logger()

    def __init__(
        self, make: Callable[[Target, str], Link], replace: Callable[[Link, Link], None]
    ) -> None:
        """``make(target, token)`` makes a link that shows ``token``.

        ``replace(link, successor)`` puts the successor into the link's place, and ends the link.
        """
        self.successors: dict[Target, Link] = {}
        #: No link is renewed any more: all of them are to be given up.
        self.retired = False
        self._make = make
        self._replace = replace
        self._asked: dict[Target, None] = {}
        self._told: set[Link] = set()
        self._waiting: list[tuple[set[Target], Deferred[list[Renewed]]]] = []

    def ask(self, links: Iterable[Link]) -> Deferred[list[Renewed]]:
        """Renew these; the answer fires when each has been replaced, or its successor has failed.

        `update` begins with it.
        """
        targets = {link.target for link in links}
        self._asked |= dict.fromkeys(targets)
        for target in targets & self.successors.keys():
            self._drop(target)  # a new one, that has not failed yet
        asked: Deferred[list[Renewed]] = Deferred()
        self._waiting.append((targets, asked))
        return asked

    def update(self, links: Mapping[Target, Link]) -> None:
        """Something has changed: go on where it is possible."""
        for target in [one for one in self._asked if self.retired or one not in links]:
            del self._asked[target]
        for target, successor in list(self.successors.items()):
            link = links.get(target)
            if successor.stopping:
                continue
            if link is None or link.stopping or not self._needed(link):
                self._drop(target)
            elif successor.ready:
                self.log.info(LINK_RENEWED, target=target)
                self._take_over(link, successor)
            elif successor.failure is not None:
                self._failed(link, successor, successor.failure)
        self._begin(links)
        self._answer()

    def finished(self, link: Link) -> None:
        """A link is over that may have been a successor."""
        self._told.discard(link)
        if self.successors.get(link.target) is link:
            del self.successors[link.target]

    def warnings(self, links: Mapping[Target, Link]) -> list[str]:
        """Answer sentences on successors that have failed, each with a remedy."""
        said = []
        for target, successor in self.successors.items():
            failure, link = successor.failure, links.get(target)
            if failure is not None and link is not None and not successor.stopping:
                in_use = " with the former secret" if link.outdated else ""
                refused = failure.reason is Reason.AUTHENTICATION_FAILURE
                remedy = _REMEDY if refused and link.outdated else failure.remedy
                said.append(
                    f"The link to {target} could not be renewed and goes on{in_use}: "
                    f"{failure.step}, {failure.reason}. {remedy}".rstrip()
                )
        return said

    def stop(self) -> None:
        """End all successors."""
        for target in list(self.successors):
            self._drop(target)

    def _needed(self, link: Link) -> bool:
        return not self.retired and (link.target in self._asked or link.outdated)

    def _begin(self, links: Mapping[Target, Link]) -> None:
        if any(not one.ready and one.failure is None for one in self.successors.values()):
            return  # its turn is not over
        for target, link in links.items():
            if target not in self.successors and not link.stopping and self._needed(link):
                token = secrets.token_hex(TOKEN_BYTES)
                successor = self.successors[target] = self._make(target, token)
                self.log.info(LINK_RENEWAL_BEGINS, target=target)
                link.announce(token).addCallback(_begin, successor)
                return

    def _take_over(self, link: Link, successor: Link) -> None:
        del self.successors[link.target]
        self._asked.pop(link.target, None)
        self._told.discard(successor)
        self._replace(link, successor)

    def _failed(self, link: Link, successor: Link, failure: StepFailure) -> None:
        if failure.reason is Reason.CONFLICT and link.registered:
            # Its secret is right, but this server lets nobody take a place that is not free.
            self._take_over(link, successor)
        elif successor not in self._told:
            self._told.add(successor)
            self.log.warn(LINK_NOT_RENEWED, target=link.target)

    def _drop(self, target: Target) -> None:
        successor = self.successors[target]
        if not successor.stopping:
            successor.stop()

    def _answer(self) -> None:
        for entry in list(self._waiting):
            targets, asked = entry
            failures = {target: self._failure(target) for target in targets}
            under_way = [one for one in targets if one in self._asked and failures[one] is None]
            if not under_way:
                self._waiting.remove(entry)
                asked.callback([Renewed(one, failures[one]) for one in sorted(targets, key=str)])

    def _failure(self, target: Target) -> StepFailure | None:
        successor = self.successors.get(target)
        return None if successor is None or successor.stopping else successor.failure


def _begin(_: object, successor: Link) -> None:
    successor.begin()
