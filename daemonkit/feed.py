"""Records of what passes by: the latest of them, and those who read on as more come. No I/O.

Nobody is waited for, and no reader has a queue: each has only its place. Who reads so slowly that
the records it has not seen are gone is told how many those were.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")

#: Records that are kept.
KEPT = 1000


class Feed(Generic[T]):
    """The latest records, oldest first."""

    def __init__(self, kept: int = KEPT) -> None:
        self.kept = kept
        #: How many there have been in all.
        self.total = 0
        self._records: deque[T] = deque(maxlen=kept)
        self._readers: list[Reader[T]] = []

    def add(self, record: T) -> None:
        """Keep a record, and let the readers know."""
        self._records.append(record)
        self.total += 1
        for reader in tuple(self._readers):
            reader.wake()

    def last(self, number: int, wanted: Callable[[T], bool]) -> list[T]:
        """Answer the latest records that are ``wanted``, at most ``number``."""
        found = list(islice(filter(wanted, reversed(self._records)), number))
        return found[::-1]

    def follow(self, wake: Callable[[], None]) -> Reader[T]:
        """Answer a reader of the records from now on. ``wake`` is called whenever one has come."""
        reader = Reader(self, wake)
        self._readers.append(reader)
        return reader

    @property
    def readers(self) -> int:
        """How many follow."""
        return len(self._readers)


class Reader(Generic[T]):
    """One who follows, as fast as it can. `stop` when it has gone."""

    def __init__(self, feed: Feed[T], wake: Callable[[], None]) -> None:
        self._feed = feed
        self._place = feed.total
        self.wake = wake

    def read(self, number: int) -> tuple[int, list[T]]:
        """Answer the next records, at most ``number``, and how many before them were missed."""
        feed = self._feed
        oldest = feed.total - len(feed._records)
        missed = max(0, oldest - self._place)
        begin = self._place + missed
        new = feed.total - begin
        if new == 1:
            records = [feed._records[-1]]
        else:
            records = list(islice(feed._records, begin - oldest, begin - oldest + number))
        self._place = begin + len(records)
        return missed, records

    def stop(self) -> None:
        """Read no more."""
        if self in self._feed._readers:
            self._feed._readers.remove(self)
