"""Our own tests of profanity and go-sendxmpp, with those of another Debian, which are newer."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

#: Program -> the module with its tests.
TESTS = {
    "profanity": "tests.integration.clients.test_profanity",
    "go-sendxmpp": "tests.integration.clients.test_go_sendxmpp",
}


def run(root: Path) -> int:
    """Run them with the programs below ``root``, where packages and libraries were unpacked.

    They run with the loader and the libraries that lie there, so they need no chroot.
    """
    machine = f"{platform.machine()}-linux-gnu"
    (loader,) = root.glob("usr/lib*/ld-linux*.so.*")
    with tempfile.TemporaryDirectory() as directory:
        for program in TESTS:
            script = Path(directory) / program
            command = [loader, "--library-path", root / "usr/lib" / machine]
            # The home of Python is for the plugins of profanity, not for our interpreter.
            script.write_text(
                f"#!/bin/sh\nPYTHONHOME={shlex.quote(str(root / 'usr'))} "
                f'exec {shlex.join(map(str, [*command, root / "usr/bin" / program]))} "$@"\n'
            )
            script.chmod(0o755)
        trial = [sys.executable, "-m", "twisted.trial", f"--temp-directory={directory}/trial"]
        return subprocess.run(
            [*trial, *TESTS.values()],
            env={
                **os.environ,
                "PATH": f"{directory}:{os.environ['PATH']}",
                "TERMINFO_DIRS": f"{root}/usr/share/terminfo:{root}/usr/lib/terminfo",
            },
            check=False,
        ).returncode
