"""SCRAM keys as text, in the form of RFC 5803, which PostgreSQL and other servers use, too.

::

    SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8o...=:wfPLwc...=
"""

from __future__ import annotations

import base64
import binascii
import re

from callbridged.scram_keys import SCHEMES, ScramKeys

_KEYS = re.compile(
    r"(?P<scheme>[A-Z0-9-]{1,20})\$(?P<iterations>[1-9][0-9]{0,8}):(?P<salt>[^$:]+)"
    r"\$(?P<stored>[^$:]+):(?P<server>[^$:]+)"
)


def parse_keys(text: str) -> tuple[str, ScramKeys]:
    """Answer the mechanism and its keys.

    Raises:
        ValueError: with a sentence that says what is wrong, and shows no key.
    """
    match = _KEYS.fullmatch(text)
    if match is None:
        raise ValueError("the keys are not SCHEME$ITERATIONS:SALT$STORED_KEY:SERVER_KEY.")
    scheme = match["scheme"]
    if scheme not in SCHEMES:
        raise ValueError(f"{scheme} is none of {', '.join(SCHEMES)}.")
    keys = ScramKeys(
        parse_base64(match["salt"]),
        int(match["iterations"]),
        parse_base64(match["stored"]),
        parse_base64(match["server"]),
    )
    keys.check_form(scheme)
    return scheme, keys


def format_keys(mechanism: str, keys: ScramKeys) -> str:
    """Answer the text that `parse_keys` reads."""

    def text(octets: bytes) -> str:
        return base64.b64encode(octets).decode("ascii")

    return (
        f"{mechanism}${keys.iterations}:{text(keys.salt)}"
        f"${text(keys.stored_key)}:{text(keys.server_key)}"
    )


def parse_base64(text: str) -> bytes:
    """Answer the octets. Raises ValueError with a sentence."""
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("something in it is not base64.") from None
