"""Our own tests of profanity, with one that another Debian has, and that may be newer."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = "tests.integration.clients.test_profanity"


def run(root: Path) -> int:
    """Run them with the profanity below ``root``, where its package and libraries were unpacked.

    It runs with the loader and the libraries that lie there, so it needs no chroot.
    """
    machine = f"{platform.machine()}-linux-gnu"
    (loader,) = root.glob("usr/lib*/ld-linux*.so.*")
    command = [loader, "--library-path", root / "usr/lib" / machine, root / "usr/bin/profanity"]
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory) / "profanity"
        # The home of Python is for the plugins of profanity, not for our interpreter.
        script.write_text(
            f"#!/bin/sh\nPYTHONHOME={shlex.quote(str(root / 'usr'))} "
            f'exec {shlex.join(map(str, command))} "$@"\n'
        )
        script.chmod(0o755)
        return subprocess.run(
            [sys.executable, "-m", "twisted.trial", f"--temp-directory={directory}/trial", TESTS],
            env={
                **os.environ,
                "PATH": f"{directory}:{os.environ['PATH']}",
                "TERMINFO_DIRS": f"{root}/usr/share/terminfo:{root}/usr/lib/terminfo",
            },
            check=False,
        ).returncode
