"""The shipped fail2ban files, read by the real fail2ban."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.support.processes import ROOT

SHIPPED = ROOT / "packaging" / "fail2ban"
FILTER = SHIPPED / "filter.d" / "xmppd.conf"
#: Where Debian's package has the rest of a configuration.
_INSTALLED = Path("/etc/fail2ban")


def found(log: Path) -> Counter[str]:
    """How many failed logins of which address the shipped filter finds in a log."""
    return Counter(_run(["fail2ban-regex", "--out", "ip", str(log), str(FILTER)]).split())


def found_in_journal(log: Path) -> Counter[str]:
    """The same where each line comes through the journal: fail2ban writes it like this.

    There, only those of one event are read.
    """
    journal = log.with_suffix(".journal")
    lines = log.read_text(errors="replace").splitlines()
    texts = [one.partition(" info [login-refused] ")[2] for one in lines]
    journal.write_text("".join(f"edge xmppd[123]: {text}\n" for text in texts if text))
    return found(journal)


def jail(directory: Path) -> list[str]:
    """What fail2ban makes of the shipped jail and filter, set up in ``directory``."""
    shutil.copytree(_INSTALLED, directory, ignore=shutil.ignore_patterns("jail.d"))
    for name in ("filter.d", "jail.d"):
        (directory / name).mkdir(exist_ok=True)
        shutil.copy(SHIPPED / name / "xmppd.conf", directory / name)
    # Others that come with it want logs that are not here.
    (directory / "jail.local").write_text("[DEFAULT]\nenabled = false\n")
    return _run(["fail2ban-client", "-c", str(directory), "-d"]).splitlines()


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout
