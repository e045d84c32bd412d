"""Somebody who runs containers without being root, on a host with a network of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.support.processes import ROOT
from tests.support.waiting import wait_until

_NAMESPACES = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
#: Of podman.sh.
_USER = 6000


class Operator:
    """Needs root. ``home`` is where commands run; `close` ends all that was started there."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.home = place / "home"
        self.home.mkdir(parents=True)
        for directory in (place, self.home):
            os.chown(directory, _USER, _USER)
        ready = place / "ready"
        self._host = subprocess.Popen(
            [
                *("unshare", *_NAMESPACES, "sh", ROOT / "tests" / "container" / "podman.sh", place),
                *("sh", "-c", f"echo $$ >{ready}; exec sleep infinity"),
            ],
            stdin=subprocess.DEVNULL,
        )
        wait_until("the host is there", lambda: ready.exists() and ready.read_text())
        children = Path(f"/proc/{self._host.pid}/task/{self._host.pid}/children")
        self._inside = children.read_text().split()[0]

    def run(self, command: str, typed: str = "", check: bool = True) -> str:
        """What a command of the shell prints, on both channels, as this user."""
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(self._place / "run"),
            "CONTAINERS_CONF": str(self._place / "etc" / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self._place / "etc" / "storage.conf"),
            # The kernel's seccomp and mounts are enough for building, and there is no network.
            "BUILDAH_ISOLATION": "chroot",
        }
        become = ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups"]
        return self._inside_of(
            [*become, "sh", "-euc", f"cd {self.home}; {command}"], environment, typed, check
        )

    def run_here(self, *command: str | Path) -> str:
        """The same for a command of ours, as root, in the same network."""
        return self._inside_of(["env", "-C", ROOT, *command], dict(os.environ), "", True)

    def _inside_of(
        self, command: list[str | Path], environment: dict[str, str], typed: str, check: bool
    ) -> str:
        enter = ["nsenter", f"--target={self._inside}", "--mount", "--net", "--pid"]
        done = subprocess.run(
            [*map(str, enter), *map(str, command)],
            input=typed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"exit status {done.returncode} of: {command[-1]}\n{done.stdout}")
        return done.stdout

    def close(self) -> None:
        """Every process in there ends with the first one."""
        self._host.kill()
        self._host.wait()
        shutil.rmtree(self._place)
