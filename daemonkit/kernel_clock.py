"""Is this machine's clock kept right? The kernel is told by whichever program does it.

chrony, systemd-timesyncd, ntpd and the host of a container all set it by adjtimex(2). `timedatectl`
goes by the same value.
"""

from __future__ import annotations

import ctypes

#: Microseconds. The kernel's own bound, to which the error grows where nobody corrects it.
_MAX_ERROR = 16_000_000


class _Timex(ctypes.Structure):
    """``struct timex`` up to what is read here; the kernel writes 208 bytes."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("rest", ctypes.c_byte * 512),
    )


def is_synchronized() -> bool:
    """True where something keeps the clock right."""
    timex = _Timex()
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.adjtimex(ctypes.byref(timex)) >= 0 and timex.maxerror < _MAX_ERROR)
