"""How a daemon ends where starting it again would not help: somebody has to mend something."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from daemonkit import credentials


def end(program: str, fault: object) -> NoReturn:
    """Say what is wrong on standard error and end with status 78, EX_CONFIG of sysexits.h.

    The units have ``RestartPreventExitStatus=78``. A fault that may go by itself, such as a port
    that is busy, has another status, and is tried again.
    """
    text = f"{program}: {credentials.in_words(str(fault))}"
    if os.environ.get("JOURNAL_STREAM") and sys.stderr is sys.__stderr__:
        # Each line is an error for journald as well, see sd-daemon(3). Later the log sees to that.
        text = "\n".join(f"<3>{line}" for line in text.splitlines())
    print(text, file=sys.stderr, flush=True)
    raise SystemExit(os.EX_CONFIG)
