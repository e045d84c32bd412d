"""What schemathesis loads for openapi.json: texts of the formats that it says in words only, and
which media type is asked for."""

from __future__ import annotations

import string
from itertools import cycle
from typing import Any

import schemathesis
from hypothesis import strategies as st

_LETTERS = st.text(string.ascii_lowercase, min_size=1, max_size=12)
_NAMES = _LETTERS.map(lambda label: f"{label}.example.com")
# Nobody answers there, and it is this machine: nothing of what is tried goes out.
_PORTS = st.integers(1, 9).map(lambda number: f"127.0.0.1:{number}")
_PRINTABLE = st.characters(min_codepoint=32, max_codepoint=126)
_ACCEPT = cycle(["text/xml", "application/json", "application/xml"])

for name, texts in {
    "label": _LETTERS,
    "domain": _NAMES,
    "server-address": st.just("") | _NAMES | _PORTS,
    "localpart": _LETTERS,
    "secret": st.text(_PRINTABLE, min_size=1, max_size=20).map(str.strip).filter(bool),
}.items():
    schemathesis.openapi.format(name, texts)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Ask for each of what there is in turn; the document itself is JSON only."""
    if not case.path.endswith(".json"):
        case.headers.setdefault("Accept", next(_ACCEPT))
