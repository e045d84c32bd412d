"""Files that settings name: are they there, may they be read, may others read them?

Where no other exception is named, a function raises ValueError with a sentence that begins with the
path and ends with a remedy.
"""

from __future__ import annotations

import os
import stat
from hashlib import blake2b
from pathlib import Path

#: Bytes in a file that is read whole; beyond, it is some other file.
MAX_FILE = 1024 * 1024
#: Characters in a secret.
MAX_SECRET = 1024

_MARK_KEY = os.urandom(32)


def others_may_read(path: Path) -> bool:
    """True where every user of the machine may read the file; not where it cannot be seen."""
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:  # we have a copy, see daemonkit.credentials
        return False


def check_readable(path: Path) -> None:
    """The file is there, and this user may read it."""
    _read(path, 1)


def read_secret(path: Path) -> str:
    """Answer the one line that is in a file."""
    content = _read(path, MAX_FILE)
    try:
        lines = content.decode("utf-8").strip().splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not text. Put the secret into it, in one line.") from None
    if len(lines) != 1:
        raise ValueError(f"{path} has {len(lines)} lines. Put the secret into it, in one line.")
    try:
        return check_secret(lines[0].strip())
    except ValueError as error:
        raise ValueError(f"{path} has no secret in it: {error}") from None


def check_secret(text: str) -> str:
    """Answer ``text`` if it can be a secret."""
    if not text or not text.isprintable() or len(text) > MAX_SECRET:
        raise ValueError(f"a secret is 1 to {MAX_SECRET} characters of text.")
    return text


def check_directory(path: Path) -> None:
    """The directory may be written to, or has yet to be made."""
    if not path.exists():
        return
    if not path.is_dir():
        raise ValueError(f"{path} is not a directory. Name another, or move that file away.")
    if not os.access(path, os.W_OK | os.X_OK):
        raise ValueError(f"{path} may not be written to by this user. Make it the daemon's own.")


def check_appendable(path: Path) -> None:
    """Lines can be written to the end of the file, or it can be made."""
    if path.is_dir():
        raise ValueError(f"{path} is a directory. Name a file in it.")
    if not path.parent.is_dir():
        raise ValueError(
            f"{path} cannot be made: {path.parent} is not there. Make that directory, and let it "
            "belong to the daemon's user."
        )
    there = path.exists()
    if not os.access(path if there else path.parent, os.W_OK if there else os.W_OK | os.X_OK):
        what = path if there else path.parent
        raise ValueError(f"{what} may not be written to by this user. Make it the daemon's own.")


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return file.read(limit)
        raise ValueError(f"{path} is no file. Name a file.")
    except FileNotFoundError:
        raise ValueError(f"{path} is not there. Put it there, or correct the path.") from None
    except IsADirectoryError:
        raise ValueError(f"{path} is a directory. Name a file.") from None
    except PermissionError:
        raise ValueError(
            f"{path} may not be read by this user. Give the daemon's user or group access to it, "
            "and to the directories above it."
        ) from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}. Correct the path.") from None


#: Another one where a file is another one, or was changed.
Signature = tuple[int, int, int, int]


def signature(path: Path) -> Signature:
    """Answer that of a file. Raises OSError."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def mark(content: bytes) -> bytes:
    """Answer what is the same for the same ``content``, and says nothing of it to anybody else."""
    return blake2b(content, key=_MARK_KEY, digest_size=16).digest()


def mark_file(path: Path) -> bytes:
    """Answer the mark of what is in a file; of what cannot be read, an empty one. Raises nothing.

    Of a file with more than `MAX_FILE` bytes, the beginning counts, and when it was changed.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
            if len(content) > MAX_FILE:
                content += str(os.fstat(file.fileno()).st_mtime_ns).encode()
    except OSError:
        return b""
    return mark(content)
