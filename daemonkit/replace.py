"""Changing a file so that whoever reads it sees the old one or the new one, also after a crash."""

from __future__ import annotations

import fcntl
import os
import pwd
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def directory_lock(path: Path) -> Iterator[None]:
    """Hold off others who would change files in the directory of ``path`` in the same way.

    Waits for them. The lock is the directory's own, so that no lock file stays behind.
    """
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def replace_file(
    path: Path, content: bytes, account: str | None = None, *, public: bool = False
) -> None:
    """Put ``content`` in the place of what is at ``path``, or make it.

    A file that is there keeps its owner and its mode, but for what others may do, which is
    nothing. A new one is for its owner alone (0600). Made by root, it belongs to the owner of its
    directory; where that is root too, the group of ``account`` may read it (0640), so that a
    daemon that runs as that user can. ``public``: there is no secret in it, and others may read a
    new one (0644), and one that they could read before.

    Raises:
        OSError: nothing was changed. PermissionError also where the owner could not be kept.
    """
    path = path.resolve()  # through a symbolic link: the link stays, the file is replaced
    with suppress(FileNotFoundError):
        there = path.stat()
        mode = stat.S_IMODE(there.st_mode) & (0o664 if public else 0o660)
        _write(path, content, mode, (there.st_uid, there.st_gid))
        return
    mode = 0o644 if public else 0o600
    if os.geteuid() != 0:
        _write(path, content, mode, None)
        return
    above = path.parent.stat()
    known = find_account(account) if above.st_uid == 0 else None
    if known is None:
        _write(path, content, mode, (above.st_uid, above.st_gid))
    else:
        _write(path, content, mode | 0o040, (0, known.pw_gid))


def find_account(name: str | None) -> pwd.struct_passwd | None:
    """Answer the user of this name, if the machine has one."""
    with suppress(KeyError):
        return pwd.getpwnam(name) if name else None
    return None


def _write(path: Path, content: bytes, mode: int, owner: tuple[int, int] | None) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            made = os.fstat(descriptor)
            if owner is not None and (made.st_uid, made.st_gid) != owner:
                os.fchown(descriptor, *owner)
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
