"""Telling systemd how we are: sd_notify(3), without a dependency and a no-op elsewhere."""

from __future__ import annotations

import os
import socket
import time


def notify(*assignments: str) -> bool:
    """Send assignments such as ``READY=1``, ``STOPPING=1``, ``STATUS=2 links``, ``WATCHDOG=1``.

    Answers False where there is nobody to tell, or nobody listens: the daemon works all the same.
    """
    name = os.environ.get("NOTIFY_SOCKET", "")
    if not name.startswith(("/", "@")):
        return False
    # "@" stands for the zero byte of Linux's abstract names, see unix(7).
    address = f"\0{name[1:]}" if name.startswith("@") else name
    message = "\n".join(text.replace("\n", " ") for text in assignments)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)
            sender.sendto(message.encode(), address)
    except OSError:
        return False
    return True


def reloading() -> bool:
    """Say that a reload has begun; send ``READY=1`` when it is done (Type=notify-reload)."""
    return notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def watchdog_interval() -> float | None:
    """Seconds between two ``WATCHDOG=1``, half of what systemd allows; None: it does not watch."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        allowed = int(os.environ.get("WATCHDOG_USEC", ""))
    except ValueError:
        return None
    return allowed / 2_000_000 if allowed > 0 else None
