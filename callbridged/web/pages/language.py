"""Texts of the pages in the language of the reader, and which language that is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

#: What there are texts in, the one for everybody else in front.
LANGUAGES = ("en", "ja")

_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60))


@dataclass(frozen=True)
class Language:
    """``tag``: as in ``lang``. ``texts``: by their keys, with ``{name}`` where something goes."""

    tag: str
    texts: Mapping[str, str]

    def text(self, key: str, **values: object) -> str:
        """Answer the text with ``values`` put in. Raises KeyError."""
        return self.texts[key].format(**values) if values else self.texts[key]

    def seconds(self, seconds: float) -> str:
        """Answer how long something took: ``3 ms``, ``1.2 s``."""
        if seconds < 0.0095:
            return f"{seconds * 1000:.1f} ms"
        return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"

    def duration(self, seconds: float) -> str:
        """Answer for how long something has been so, in whole minutes, hours or days."""
        for unit, size in _UNITS:
            count = int(seconds // size)
            if count:
                return self.text(f"duration.{unit}{'' if count == 1 else 's'}", count=count)
        return self.text("duration.now")


@cache
def language(tag: str) -> Language:
    """Answer one of `LANGUAGES`; their order of texts is that of the files."""
    source = files("callbridged.web.pages") / "messages" / f"{tag}.json"
    return Language(tag, json.loads(source.read_text(encoding="utf-8")))


def preferred(accept: str) -> str:
    """Answer which of `LANGUAGES` an ``Accept-Language`` asks for (RFC 9110, section 12.5.4)."""
    best, quality = LANGUAGES[0], 0.0
    for part in accept[:200].split(","):
        tag, _, parameter = part.partition(";")
        primary = tag.strip().lower().partition("-")[0]
        weight = re.fullmatch(r"\s*q=([01](?:\.\d{0,3})?)\s*", parameter)
        asked = float(weight[1]) if weight else float(not parameter.strip())
        if primary in LANGUAGES and asked > quality:
            best, quality = primary, asked
    return best
