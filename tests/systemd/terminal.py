"""A person at a terminal of a host: types command lines, answers what is asked, and reads."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import termios
import time
from collections.abc import Mapping
from dataclasses import dataclass

from tests.support.booted import Host
from tests.support.waiting import DEADLINE, NeverHappened

#: No colours, no pager, no window title: what is left is what a person reads.
_PLAIN = "export TERM=dumb NO_COLOR=1 SYSTEMD_COLORS=0 SYSTEMD_URLIFY=0 PAGER=cat; cd /root; "
#: Lines and columns.
_SIZE = (24, 80)
_CONTROL_C = b"\x03"


@dataclass(frozen=True)
class Said:
    """What was on the screen, without the answers that are never shown, and the exit status."""

    text: str
    status: int


class Terminal:
    """``answers``: what to type when the last line is one that the pattern matches."""

    def __init__(self, host: Host, answers: Mapping[str, str]) -> None:
        self.host = host
        self._answers = answers

    def type(self, line: str, until: str = "") -> Said:
        """Run a command line. With ``until`` it is one that never ends: Control-C ends it then."""
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, _SIZE)
        words = self.host.words(_PLAIN + line)
        process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *words], stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        try:
            text = self._converse(ours, line, until)
            return Said(text, process.wait())
        finally:
            process.kill()
            os.close(ours)

    def _converse(self, terminal: int, line: str, until: str) -> str:
        text, answered, end = "", 0, time.monotonic() + DEADLINE
        while True:
            ready, _, _ = select.select([terminal], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise NeverHappened(f"{self.host.name}# {line} has not ended:\n{text}")
            try:
                text += os.read(terminal, 65536).decode(errors="replace").replace("\r", "")
            except OSError:  # the last process that had it open has ended
                return text
            last = text[answered:].rpartition("\n")[2]
            for pattern, answer in self._answers.items():
                if re.search(pattern, last):
                    answered = len(text)
                    os.write(terminal, answer.encode() + b"\n")
            if until and until in text:
                os.write(terminal, _CONTROL_C)
                until = ""
