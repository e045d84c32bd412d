"""Open files of this process, which are connections: how many there are, and how many may be."""

from __future__ import annotations

import os
import resource

#: Fewer than this run out on a busy server.
FEW = 4096
#: Part of the limit from which on it is nearly reached.
_NEARLY = 0.8


def in_use() -> int:
    """Answer how many are open."""
    # Linux 6.2 and newer say it as the size of the directory; to list thousands takes its time.
    return os.stat("/proc/self/fd").st_size or len(os.listdir("/proc/self/fd"))


def limit() -> int | None:
    """Answer how many may be; None for any number."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if most == resource.RLIM_INFINITY else most


def describe(number: int, most: int | None) -> str:
    """Answer ``32 of 65536``."""
    return f"{number} of {'any number' if most is None else most}"


def are_few(number: int, most: int | None) -> bool:
    """True where they may run out."""
    return most is not None and (most < FEW or number >= most * _NEARLY)


#: What to do where they are few.
REMEDY = (
    "That is few, and each connection is one. The unit sets LimitNOFILE=65536; without systemd, "
    "raise `ulimit -n`, and restart the daemon."
)
