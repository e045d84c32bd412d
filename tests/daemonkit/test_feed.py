"""Tests of daemonkit.feed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from daemonkit.feed import Feed


def everything(record: int) -> bool:
    return True


class FeedTests(SynchronousTestCase):
    """A feed that keeps three records."""

    def setUp(self) -> None:
        self.feed: Feed[int] = Feed(3)
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1

    def add(self, *records: int) -> None:
        for record in records:
            self.feed.add(record)

    def test_latest(self) -> None:
        """The latest are kept, and answered oldest first."""
        self.assertEqual(self.feed.last(5, everything), [])
        self.add(1, 2, 3, 4)
        self.assertEqual(self.feed.last(5, everything), [2, 3, 4])
        self.assertEqual(self.feed.last(2, everything), [3, 4])
        self.assertEqual(self.feed.last(0, everything), [])
        self.assertEqual(self.feed.total, 4)

    def test_latest_that_are_wanted(self) -> None:
        """A number of records means those that are wanted, however many others came since."""
        self.add(1, 2, 3)
        self.assertEqual(self.feed.last(1, lambda record: record < 3), [2])

    def test_follow(self) -> None:
        """Who follows is woken for each record, and reads those from then on, each once."""
        self.add(1)
        reader = self.feed.follow(self.wake)
        self.assertEqual(reader.read(10), (0, []))
        self.add(2)
        self.assertEqual((self.woken, reader.read(10)), (1, (0, [2])))
        self.add(3, 4)
        self.assertEqual(reader.read(1), (0, [3]))
        self.assertEqual(reader.read(1), (0, [4]))
        self.assertEqual(reader.read(1), (0, []))

    def test_missed(self) -> None:
        """Who is too slow is told how many are gone, and goes on with the oldest that is kept."""
        reader = self.feed.follow(self.wake)
        self.add(1, 2, 3, 4, 5)
        self.assertEqual(reader.read(10), (2, [3, 4, 5]))
        self.assertEqual(reader.read(10), (0, []))

    def test_stop(self) -> None:
        """Who has gone is not woken any more, and may say so twice."""
        reader = self.feed.follow(self.wake)
        self.assertEqual(self.feed.readers, 1)
        reader.stop()
        reader.stop()
        self.add(1)
        self.assertEqual((self.woken, self.feed.readers), (0, 0))

    def test_stop_while_woken(self) -> None:
        """One who goes when it is woken does not keep the news from the others."""
        first = self.feed.follow(lambda: first.stop())
        self.feed.follow(self.wake)
        self.add(1)
        self.assertEqual(self.woken, 1)

    @given(st.lists(st.one_of(st.none(), st.integers(1, 4)), max_size=40))
    def test_nothing_is_lost_silently(self, steps: list[int | None]) -> None:
        """However it is read, each record is read once and in order, or counted as missed."""
        feed: Feed[int] = Feed(3)
        reader = feed.follow(lambda: None)
        expected = 0
        for step in [*steps, 4, 4, 4, 4]:
            if step is None:
                feed.add(feed.total)
                continue
            missed, records = reader.read(step)
            self.assertLessEqual(len(records), step)
            expected += missed
            self.assertEqual(records, list(range(expected, expected + len(records))))
            expected += len(records)
        self.assertEqual(expected, feed.total)
