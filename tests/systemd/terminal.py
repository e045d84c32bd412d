"""A person at a terminal of a host: types command lines, answers what is asked, and reads."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import termios
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.support.booted import Host
from tests.support.waiting import DEADLINE, NeverHappened

#: No colours and no pager: what is left is what a person reads.
_PLAIN = "export TERM=dumb NO_COLOR=1 SYSTEMD_COLORS=0 PAGER=cat; cd /root; "
#: Lines and columns.
_SIZE = (24, 80)
_CONTROL_C = b"\x03"
#: Also where what runs the tests ignores it, as a shell's jobs in the background do.
_HEARS_CONTROL_C = ("env", "--default-signal=INT")


@dataclass(frozen=True)
class Said:
    """What was on the screen, and the exit status."""

    text: str
    status: int


class Terminal:
    """``answers``: what to type when what is written last matches the pattern."""

    def __init__(self, host: Host, answers: Mapping[str, str]) -> None:
        self.host = host
        self._answers = answers

    def type(self, line: str, enough: Callable[[str], bool] = lambda _: False) -> Said:
        """Run a command line. Once what it has said is ``enough``, Control-C ends it."""
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, _SIZE)
        process = subprocess.Popen(
            [*_HEARS_CONTROL_C, "setsid", "--ctty", "--wait", *self.host.words(_PLAIN + line)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        try:
            text = self._converse(ours, line, enough)
            return Said(text, process.wait())
        finally:
            process.kill()
            os.close(ours)

    def _converse(self, terminal: int, line: str, enough: Callable[[str], bool]) -> str:
        text, answered, interrupted = "", 0, False
        while True:
            ready, _, _ = select.select([terminal], [], [], DEADLINE)
            if not ready:
                raise NeverHappened(f"{self.host.name}# {line}\nhas nothing more to say:\n{text}")
            try:
                text += os.read(terminal, 65536).decode(errors="replace").replace("\r", "")
            except OSError:  # the last process that had it open has ended
                return text
            for pattern, answer in self._answers.items():
                if re.search(pattern, text[answered:]):
                    answered = len(text)
                    os.write(terminal, answer.encode() + b"\n")
            if not interrupted and enough(text):
                os.write(terminal, _CONTROL_C)
                interrupted = True
