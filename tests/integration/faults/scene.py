"""Scenes: each is made once in a run of trial, whichever of its workers wants it (``--jobs``)."""

from __future__ import annotations

import fcntl
import functools
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

#: The file by which trial knows a directory that it has made, new for each run.
_MARKER = "_trial_marker"


def scene(make: Callable[[], T]) -> Callable[[], T]:
    """Let ``make`` run once. What it answers is texts, and goes to other workers as a file."""

    @functools.cache
    @functools.wraps(make)
    def shown() -> T:
        kept = _directory() / f"{make.__module__}.{make.__qualname__}"
        with kept.with_name(f"{kept.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not kept.exists():
                kept.write_bytes(pickle.dumps(make()))
            found: T = pickle.loads(kept.read_bytes())
            return found

    return shown


def _directory() -> Path:
    """Where this run has its files; a worker's own directory is below it."""
    here = Path.cwd()
    return next((one for one in (here.parent, here) if (one / _MARKER).exists()), here)
