"""What the API answers: a value like JSON's, written as CMS writes XML or as JSON. No I/O.

In XML a key is an element, but ``id`` and ``total`` are attributes. A list's element has one for
each item, named by the singular: ``<warnings><warning>``. The list that an object is all about,
like ``users`` of ``<users total="1">``, has its items in the object itself. What is null is left
out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import cast
from xml.etree.ElementTree import Element, SubElement, indent, tostring

#: What can be answered, the usual one first.
XML = "text/xml"
JSON = "application/json"
MEDIA_TYPES = (XML, "application/xml", JSON)

#: What has values: str, int, float, bool, None, and mappings and sequences of them.
Value = object

_ATTRIBUTES = frozenset({"id", "total"})
#: What XML 1.0 section 2.2 has no place for; and CR, which would be read as LF.
_NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_QUALITY = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


def negotiate(accept: str | None, offered: Sequence[str] = MEDIA_TYPES) -> str | None:
    """Answer the media type of ``offered`` that is liked best (RFC 9110 section 12.5.1).

    The earlier one where several are liked as well; None where none is. ``accept``: the header.
    """
    if accept is None or not accept.strip():
        return offered[0]
    ranges = dict(filter(None, map(_range, accept.split(","))))

    def liked(media_type: str) -> float:
        kind = media_type.partition("/")[0]
        choices = (media_type, f"{kind}/*", "*/*")
        return next((ranges[one] for one in choices if one in ranges), 0.0)

    best = max(offered, key=liked)
    return best if liked(best) > 0 else None


def _range(text: str) -> tuple[str, float] | None:
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    quality = 1.0
    for parameter in parameters:
        if parameter.startswith("q="):
            number = parameter.removeprefix("q=")
            if not _QUALITY.fullmatch(number):
                return None
            quality = float(number)
    return (name, quality) if name else None


def render(media_type: str, name: str, value: Mapping[str, Value]) -> bytes:
    """Answer an object as text of this media type; ``name`` is that of its element in XML."""
    return to_json(value) if media_type == JSON else to_xml(as_element(name, value))


def to_json(value: Value) -> bytes:
    """Answer JSON in UTF-8, without what is null."""
    return json.dumps(_without_null(value), ensure_ascii=False, allow_nan=False).encode(
        "utf-8", "backslashreplace"
    )


def to_xml(root: Element) -> bytes:
    """Answer the document as CMS writes it: without an encoding, which is UTF-8."""
    for element in root.iter():
        if element.text:
            element.text = _NOT_XML.sub("\ufffd", element.text)
        for key, text in element.items():
            element.set(key, _NOT_XML.sub("\ufffd", text))
    indent(root)
    document: str = tostring(root, encoding="unicode")
    return f'<?xml version="1.0"?>\n{document}\n'.encode()


def as_element(name: str, value: Mapping[str, Value]) -> Element:
    """Answer the element of an object."""
    root = Element(name)
    for key, inner in value.items():
        _put(root, key, inner)
    return root


def camel_case(value: Value) -> Value:
    """Answer a value with its keys in the way of CMS: ``last_error`` is ``lastError``."""
    if isinstance(value, Mapping):
        return {_camel(str(key)): camel_case(inner) for key, inner in value.items()}
    if _is_list(value):
        return [camel_case(inner) for inner in cast(Sequence[Value], value)]
    return value


def _put(parent: Element, key: str, value: Value) -> None:
    if value is None:
        return
    if key in _ATTRIBUTES:
        parent.set(key, _text(value))
    elif isinstance(value, Mapping):
        parent.append(as_element(key, value))
    elif _is_list(value):
        into = parent if parent.tag == key else SubElement(parent, key)
        for item in cast(Sequence[Value], value):
            _put(into, key.removesuffix("s") or key, item)
    else:
        SubElement(parent, key).text = _text(value)


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_list(value: Value) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _without_null(value: Value) -> Value:
    if isinstance(value, Mapping):
        return {key: _without_null(one) for key, one in value.items() if one is not None}
    if _is_list(value):
        return [_without_null(one) for one in cast(Sequence[Value], value)]
    return value


def _camel(key: str) -> str:
    first, *others = key.split("_")
    return first + "".join(one.capitalize() for one in others)
