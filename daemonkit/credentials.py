"""Files that systemd has brought along for the daemon: credentials, see systemd.exec(5).

A unit with ``LoadCredential=tls:/etc/xmppd/tls`` gets copies of what is in that directory, which
only the daemon may read, whoever owns the files themselves. They are in ``$CREDENTIALS_DIRECTORY``,
where ``/etc/xmppd/tls/xmpp.key`` is called ``tls_xmpp.key``. Settings go on naming the file itself.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

#: Where each copy that was found has come from, for `in_words`.
_origins: dict[str, str] = {}


def directory() -> Path | None:
    """Answer where this process's credentials are; None where it has none."""
    place = os.environ.get("CREDENTIALS_DIRECTORY", "")
    return Path(place) if place.startswith("/") else None


def named() -> str | None:
    """Answer the directory for a ctl command, which can bring it up to date (`refresh`)."""
    place = directory()
    return None if place is None else str(place)


def find(path: Path, beside: Path) -> Path:
    """Answer the credential that is a copy of the file ``path``, or ``path`` itself.

    Its name is that of the file with its directory's in front, and further ones above that if it
    must be: ``tls_xmpp.key``. The file's name alone will do beside ``beside``, the ini file: a
    ``secret`` elsewhere is some other secret.
    """
    place = directory()
    if place is None:
        return path
    parts = path.parts[1:]
    for first in range(len(parts)):
        if first == len(parts) - 1 and path.parent != beside.absolute().parent:
            break
        copy = place / "_".join(parts[first:])
        if os.path.isfile(copy):  # noqa: PTH113 - raises nothing where we may not look
            _origins[str(copy)] = str(path)
            return copy
    return path


def in_words(text: str) -> str:
    """Answer ``text`` with each copy called by the name of the file that it was made of."""
    place = directory()
    if place is None:
        return text
    copies = re.compile(re.escape(f"{place}/") + r"[^\s:;,'\"]+")
    return copies.sub(lambda found: _origins.get(found[0], found[0]), text)
