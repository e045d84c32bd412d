"""The secret that makes users who do not exist look the same at every login (`scram_keys.Decoys`).

It is a file in the state directory, made at the first start, so that a restart changes nothing.
Call Bridges with the same users should have the same file: else salts that differ between them tell
who does not exist.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from twisted.logger import Logger

from callbridged.events import DECOY_KEY_UNUSABLE
from daemonkit.replace import replace_file

NAME = "decoy_key"
OCTETS = 32

_log = Logger()


def load_decoy_key(state_directory: Path) -> bytes:
    """Answer the key; make one where there is none yet.

    Where it cannot be read or kept, that is logged, and it is good for this process only.
    """
    path = state_directory / NAME
    try:
        key = path.read_bytes()
        if len(key) >= OCTETS:
            return key
        why = f"it has {len(key)} octets only"
    except FileNotFoundError:
        key = secrets.token_bytes(OCTETS)
        try:
            replace_file(path, key)
            return key
        except OSError as error:
            why = error.strerror or str(error)
    except OSError as error:
        why = error.strerror or str(error)
    _log.warn(
        DECOY_KEY_UNUSABLE,
        path=path,
        why=why,
    )
    return os.urandom(OCTETS)
