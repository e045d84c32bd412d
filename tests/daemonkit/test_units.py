"""Tests of daemonkit.units."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from daemonkit.units import (
    format_duration,
    parse_duration,
    parse_size,
    rough_duration,
    spell_duration,
)


class DurationTests(SynchronousTestCase):
    """Durations in settings, and for people."""

    def test_rough(self) -> None:
        """One number, rounded down, which does not change every second."""
        spoken = {-5: "", 59: "", 60: "1 min", 3599: "59 min", 3600: "1 h", 7300: "2 h"}
        spoken |= {48 * 3600 - 1: "47 h", 48 * 3600: "2 d", 10 * 86400: "10 d"}
        for seconds, text in spoken.items():
            self.assertEqual(rough_duration(seconds), text)

    def test_units(self) -> None:
        """Milliseconds, seconds, minutes and hours become seconds."""
        written = {"500ms": 0.5, "10s": 10.0, "5m": 300.0, "1h": 3600.0, "1.5s": 1.5, "0s": 0.0}
        for text, seconds in written.items():
            self.assertEqual(parse_duration(text), seconds)

    def test_refused(self) -> None:
        """A duration without a unit, with a sign, a space or another unit is refused."""
        for text in ("", "10", "s", "-1s", "+1s", "1 s", "1S", "1d", "1e3s", ".5s", "1s\n"):
            refusal = self.assertRaises(ValueError, parse_duration, text)
            self.assertIn("Write it like", str(refusal))

    @given(st.integers(0, 10**9))
    def test_spelling(self, milliseconds: int) -> None:
        """What is spelt for people is read as the same duration again."""
        seconds = milliseconds / 1000
        self.assertEqual(parse_duration(spell_duration(seconds)), seconds)

    def test_spelt_with_largest_unit(self) -> None:
        """A duration is spelt with the largest unit that leaves no fraction."""
        spelt = {0.0: "0ms", 0.5: "500ms", 90.0: "90s", 300.0: "5m", 7200.0: "2h"}
        for seconds, text in spelt.items():
            self.assertEqual(spell_duration(seconds), text)

    def test_formatted(self) -> None:
        """A measured time is shown with two units at most."""
        formatted = {
            0.0032: "3.2 ms",
            0.9999: "1.0 s",
            1.5: "1.5 s",
            59.99: "1m 0s",
            250.0: "4m 10s",
            3599.7: "1h 0m",
            10920.0: "3h 2m",
            187200.0: "2d 4h",
        }
        for seconds, text in formatted.items():
            self.assertEqual(format_duration(seconds), text)


class SizeTests(SynchronousTestCase):
    """Sizes in settings."""

    def test_units(self) -> None:
        """Sizes are binary, and become bytes."""
        written = {"512B": 512, "8KiB": 8192, "256KiB": 262144, "1MiB": 1048576, "2GiB": 2**31}
        for text, size in written.items():
            self.assertEqual(parse_size(text), size)

    def test_refused(self) -> None:
        """A size without a unit, with a decimal unit or a fraction is refused."""
        for text in ("", "8", "8KB", "8kib", "1.5KiB", "-1B", "8 KiB"):
            self.assertRaises(ValueError, parse_size, text)
