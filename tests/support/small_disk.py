"""A disk that is full. Needs root."""

from __future__ import annotations

import subprocess
from pathlib import Path


class SmallDisk:
    """A directory with a file system of its own, of one MiB."""

    def __init__(self, path: Path) -> None:
        path.mkdir()
        self.path = path
        _run("mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(path))

    def fill(self) -> None:
        """Leave no room."""
        try:
            (self.path / "full").write_bytes(bytes(2 * 1024 * 1024))
        except OSError:
            return
        raise AssertionError("it has room for more than it should")

    def remove(self) -> None:
        _run("umount", "--lazy", str(self.path))


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}: {done.stderr}")
