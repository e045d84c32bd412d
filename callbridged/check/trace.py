"""What goes over the wire during a check, in a file, with what is secret in it left out."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from bridgewire.stream import XmlStream

#: The proof of the secret: whoever has it and the stream's id can guess secrets at leisure.
_HANDSHAKE = re.compile(r"(<handshake[^>]*>)[^<]+")


class Trace:
    """Writes each piece as one entry; with no path it writes nothing."""

    def __init__(self, path: Path | None) -> None:
        """Raises OSError where the file cannot be written. Nobody else may read it."""
        self._file: IO[str] | None = None
        if path is not None:
            number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            self._file = os.fdopen(number, "w", encoding="utf-8")

    def follow(self, target: str, stream: XmlStream) -> None:
        """Write down what ``stream`` sends and gets from now on."""
        if self._file is None:
            return
        stream.rawDataOutFn = lambda data: self._write(target, ">", data)
        take = stream.dataReceived

        def received(data: bytes) -> None:
            self._write(target, "<", data)
            take(data)

        stream.dataReceived = received  # type: ignore[method-assign]

    def close(self) -> None:
        """Nothing more comes."""
        if self._file is not None:
            self._file.close()

    def _write(self, target: str, direction: str, data: bytes) -> None:
        assert self._file is not None  # noqa: S101
        text = _HANDSHAKE.sub(r"\1(hidden)", data.decode("utf-8", "backslashreplace"))
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._file.write(f"{now} {target} {direction} {text}\n")
