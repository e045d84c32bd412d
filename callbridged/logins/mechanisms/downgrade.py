"""Lets SCRAM clients see whether what they were offered was tampered with (XEP-0474, 0.5)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection

from callbridged.logins.mechanisms.gs2 import PLUS

_BETWEEN = "\x1e"
_BINDINGS = "\x1f"


def offer_hash(hash_name: str, offered: Collection[str], bindings: Collection[str]) -> str:
    """Answer the value of the attribute ``h`` (section 5.1), base64.

    ``hash_name``: as hashlib has it. The types of ``bindings`` were announced (XEP-0440) exactly if
    a -PLUS mechanism was ``offered``. All names are ASCII, so that their order is i;octet.
    """
    said = _BETWEEN.join(sorted(offered))
    if any(name.endswith(PLUS) for name in offered):
        said += _BINDINGS + _BETWEEN.join(sorted(bindings))
    return base64.b64encode(hashlib.new(hash_name, said.encode("ascii")).digest()).decode("ascii")
