"""Tests of xmppd.components.rotation: what operators see of a rotation, and when it is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from daemonkit.files import mark
from xmppd.components import rotation
from xmppd.components.registry import Known, Registry, RegistryFault

COM = "example.com"
OLD, NEW = mark(b"old"), mark(b"new")
BEGAN = datetime(2026, 11, 25, 5, 0, tzinfo=UTC)
ROTATING = Known("old", None, "new", BEGAN)


class StatusTests(SynchronousTestCase):
    """What is said of a rotation."""

    def test_none(self) -> None:
        """Without a rotation nothing is said of one, with a link or without."""
        for known in (None, Known("old")):
            self.assertIs(rotation.as_json(known), None)
            self.assertIs(rotation.is_long(known), False)
        self.assertEqual(
            list(rotation.describe({"rotation": None, "secret_in_use": "current"})), []
        )

    def test_time(self) -> None:
        """It is said for how long a rotation goes on; a day is long."""
        for seconds, long in ((0, False), (86399, False), (86400, True)):
            told = rotation.as_json(ROTATING, lambda s=seconds: BEGAN + timedelta(seconds=s))
            since = "2026-11-25T05:00:00+00:00"
            self.assertEqual(told, {"since": since, "seconds": seconds, "long": long})

    def test_clock_that_went_back(self) -> None:
        """A rotation from the future goes on for no time."""
        told = rotation.as_json(ROTATING, lambda: BEGAN - timedelta(hours=1))
        assert isinstance(told, dict)
        self.assertEqual((told["seconds"], told["long"]), (0, False))

    def test_in_use(self) -> None:
        """Which secret a link uses: none without a link."""
        self.assertEqual(rotation.in_use(ROTATING, OLD), "current")
        self.assertEqual(rotation.in_use(ROTATING, NEW), "next")
        self.assertEqual(rotation.in_use(ROTATING, mark(b"another")), "former")
        self.assertEqual(rotation.in_use(None, OLD), "former")
        self.assertIs(rotation.in_use(ROTATING, b""), None)


class UseTests(SynchronousTestCase):
    """A link comes up."""

    def setUp(self) -> None:
        self.registry = Registry(Path(self.mktemp()).absolute(), COM)
        self.addCleanup(self.registry.close)
        self.registry.add_secret(COM, "cb1", "old")

    def use(self, proof: bytes) -> list[tuple[LogLevel, str]]:
        """What is logged."""
        with capturedLogs() as logged:
            rotation.secret_used(self.registry, COM, "cb1", proof)
        return [(one["log_level"], formatEvent(one)) for one in logged]

    def test_no_rotation(self) -> None:
        """Mostly there is none, and nothing to say."""
        self.assertEqual(self.use(OLD), [])

    def test_completed(self) -> None:
        """With the new secret the old one is forgotten, which is said."""
        self.registry.rotate(COM, "cb1", "new")
        self.assertEqual(self.use(OLD), [])
        ((level, said),) = self.use(NEW)
        self.assertEqual(level, LogLevel.info)
        self.assertIn("the old one forgotten", said)
        self.assertEqual(self.registry.find(COM, "cb1"), Known("new"))

    def test_long(self) -> None:
        """With the old one, in a rotation that goes on for long, there is a warning."""
        self.registry.rotate(COM, "cb1", "new")
        self.patch(rotation, "LONG", 0.0)
        ((level, said),) = self.use(OLD)
        self.assertEqual(level, LogLevel.warn)
        self.assertIn("rotate cb1 --abort", said)

    def test_not_written(self) -> None:
        """If the old one cannot be forgotten the link is up all the same; the log says how to."""

        def used(*_: object) -> bool:
            raise RegistryFault("The disk is full.")

        self.registry.rotate(COM, "cb1", "new")
        self.patch(self.registry, "used", used)
        ((level, said),) = self.use(NEW)
        self.assertEqual(level, LogLevel.error)
        self.assertIn("The disk is full. Then run `xmppctl callbridge rotate cb1 --finish`.", said)
