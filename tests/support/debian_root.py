"""A small Debian in a directory, where commands run as on a host of its own, without a network."""

from __future__ import annotations

import subprocess
from pathlib import Path

#: Mounts and processes are in namespaces that end with the command, however it ends: there is
#: nothing to undo. The network is a loopback interface.
_ENTER = """
set -eu
ip link set lo up
mount -t proc proc "$1/proc"
mount -t devtmpfs dev "$1/dev" 2>/dev/null || mount --bind /dev "$1/dev"
exec chroot "$1" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive /bin/bash -euo pipefail -c "$2"
"""
_NAMESPACES = [
    "--mount",
    "--net",
    "--pid",
    "--uts",
    "--ipc",
    "--fork",
    "--kill-child",
    "--propagation=private",
]
#: Where systemctl notes what it is asked for; there is no systemd that runs.
_ASKED = "/var/log/systemctl"


class DebianRoot:
    """Needs root. ``directory`` is the root directory; it is the caller's to remove."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @classmethod
    def unpack(cls, archive: Path, directory: Path) -> DebianRoot:
        """A new one of what tests/packages/root.sh has made."""
        directory.mkdir(parents=True)
        subprocess.run(["tar", "-xf", archive, "-C", directory], check=True)
        # It need not outlive a power failure, and dpkg is quick without.
        (directory / "etc/dpkg/dpkg.cfg.d/unsafe-io").write_text("force-unsafe-io\n")
        return cls(directory)

    def copy(self, directory: Path) -> DebianRoot:
        """One that is the same, and from then on its own."""
        subprocess.run(["cp", "-a", self.directory, directory], check=True)
        return DebianRoot(directory)

    def run(self, script: str) -> str:
        """What a script of bash prints, on both channels; AssertionError where it fails."""
        done = subprocess.run(
            ["unshare", *_NAMESPACES, "sh", "-c", _ENTER, "sh", str(self.directory), script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"exit status {done.returncode} of:\n{script}\n{done.stdout}")
        return done.stdout

    def install(self, *packages: str) -> str:
        """apt-get install, of names in its cache or of files in here."""
        return self.run(f"apt-get -qq --yes --no-install-recommends install {' '.join(packages)}")

    def pretend_systemd(self) -> None:
        """From now on packages think that systemd runs; `asked` says what they want of it."""
        (self.directory / "run/systemd/system").mkdir(parents=True, exist_ok=True)
        command = self.directory / "bin/systemctl"
        command.unlink()
        command.write_text(f'#!/bin/sh\necho "$*" >>{_ASKED}\n')
        command.chmod(0o755)

    def asked(self) -> list[str]:
        """The arguments of systemctl, by call, since the last time."""
        log = self.directory / _ASKED.lstrip("/")
        lines = log.read_text().splitlines() if log.exists() else []
        log.write_text("")
        return lines
