"""Durations, sizes and numbers as people write them: ``500ms``, ``10s``, ``8KiB``."""

from __future__ import annotations

import re

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def parse_duration(text: str) -> float:
    """Answer the seconds in ``500ms``, ``10s``, ``1.5s``, ``5m`` or ``1h``.

    Raises:
        ValueError: with a sentence that says how to write it.
    """
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)(ms|s|m|h)", text)
    if match is None:
        raise ValueError(f"{text!r} is no duration. Write it like 500ms, 10s, 5m or 1h.")
    number, unit = match.groups()
    # Rounded, so that 200ms is the same float as 0.2.
    return round(float(number) * _SECONDS[unit], 9)


def parse_size(text: str) -> int:
    """Answer the bytes in ``512B``, ``8KiB``, ``1MiB`` or ``2GiB``.

    Raises:
        ValueError: with a sentence that says how to write it.
    """
    match = re.fullmatch(r"([0-9]{1,12})(B|KiB|MiB|GiB)", text)
    if match is None:
        raise ValueError(f"{text!r} is no size. Write it like 512B, 8KiB or 1MiB.")
    number, unit = match.groups()
    return int(number) * _BYTES[unit]


def parse_integer(text: str) -> int:
    """Answer a whole number without a sign. Raises ValueError with a sentence."""
    if not (text.isascii() and text.isdecimal()) or len(text) > 15:
        raise ValueError(f"{text[:40]!r} is no whole number.")
    return int(text)


def spell_duration(seconds: float) -> str:
    """Answer the exact text that `parse_duration` reads, with the largest unit that divides it."""
    milliseconds = round(seconds * 1000)
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def format_duration(seconds: float) -> str:
    """Answer a short text for people: ``3.2 ms``, ``1.5 s``, ``4m 10s``, ``3h 2m``, ``2d 4h``."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m {whole % 60}s"
    minutes = whole // 60
    if minutes < 24 * 60:
        return f"{minutes // 60}h {minutes % 60}m"
    hours = minutes // 60
    return f"{hours // 24}d {hours % 24}h"


def counted(number: int, noun: str) -> str:
    """Answer ``1 session`` or ``2 sessions``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def rough_duration(seconds: float) -> str:
    """Answer ``5 min``, ``2 h`` or ``3 d``, rounded down; empty below a minute."""
    minutes = int(seconds) // 60
    if minutes < 60:
        return f"{minutes} min" if minutes > 0 else ""
    hours = minutes // 60
    return f"{hours} h" if hours < 48 else f"{hours // 24} d"
