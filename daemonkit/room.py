"""Is there room left on the disk for what a daemon keeps in its state directory?"""

from __future__ import annotations

import os
from pathlib import Path

#: Bytes. Databases and their journals need a part of it; the rest is time to do something.
LITTLE = 16 * 1024 * 1024


def warnings(directory: Path) -> list[str]:
    """Answer what `describe_room` does, if it is anything."""
    return list(filter(None, [describe_room(directory)]))


def describe_room(directory: Path) -> str:
    """Answer a warning; empty where there is room, or nobody can tell."""
    try:
        found = os.statvfs(directory)
    except OSError:
        return ""
    left = found.f_bavail * found.f_frsize
    if left >= LITTLE:
        return ""
    return (
        f"Only {left // 1024} KiB are left on the disk of {directory}, and what is new cannot be "
        "kept there. Make room."
    )
