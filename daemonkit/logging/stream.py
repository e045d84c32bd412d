"""Lines as text or JSON, to a file or to stderr."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path

from daemonkit.logging.events import PRINTED
from daemonkit.logging.line import Line

#: rw-r-----; the umask may take more of it.
_MODE = 0o640

Format = Callable[[Line], str]


def as_text(line: Line) -> str:
    """Answer ``TIME LEVEL [EVENT] TEXT``; a traceback stands indented below."""
    said = f"{line.when} {line.level.name} [{line.event.name}] {line.said}"
    for one in line.traceback.splitlines():
        said += f"\n    {one}"
    return said


def as_json(line: Line) -> str:
    """Answer an object with ``time``, ``level``, ``event``, ``message``, and the fields."""
    told = {
        "time": line.when,
        "level": line.level.name,
        "event": line.event.name,
        "message": line.text,
        **line.fields,
    }
    if line.traceback:
        told["traceback"] = line.traceback
    return json.dumps(told)


class StreamSink:
    """Writes lines to a file descriptor, which is its own from now on."""

    def __init__(self, descriptor: int, form: Format) -> None:
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        self._form = form

    def write(self, line: Line) -> None:
        """Write it all. Raises OSError: a part of it may be there then."""
        data = memoryview(f"{self._form(line)}\n".encode("utf-8", "replace"))
        while data:
            written = self._file.write(data)
            if written is None:  # somebody made the other end's pipe non-blocking
                raise BlockingIOError(0, "nobody reads it")
            data = data[written:]

    def close(self) -> None:
        """Close the descriptor."""
        self._file.close()


class FileSink(StreamSink):
    """Writes lines to a file, and what was printed on stderr also there.

    Who starts a daemon, and sees it end, looks there.
    """

    def write(self, line: Line) -> None:
        """Write it all. Raises OSError: a part of it may be there then."""
        if line.event is PRINTED:
            with contextlib.suppress(OSError):
                os.write(2, f"{line.text}\n".encode("utf-8", "replace"))
        super().write(line)


def open_stderr(form: Format) -> StreamSink:
    """Answer what writes to the stderr that we were started with, whatever becomes of ours."""
    return StreamSink(os.dup(2), form)


def open_file(path: Path, form: Format) -> FileSink:
    """Answer what writes to the end of a file, which is made if need be. Raises OSError."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY
    return FileSink(os.open(path, flags, _MODE), form)
