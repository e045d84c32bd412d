"""What a request brings along, as names and values: a form, or JSON. No I/O.

Nothing is guessed: what cannot be read in one way only is refused, and so is a name that is there
twice, since others might take the other one.
"""

from __future__ import annotations

import json
import re
from email.message import Message
from http import HTTPStatus
from typing import Any, NoReturn
from urllib.parse import unquote_to_bytes

from callbridged.web.api.failures import (
    INVALID,
    TWICE,
    ApiFailure,
    Reason,
    bad_request,
    malformed,
    parameter_error,
)

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
#: What a body may be.
MEDIA_TYPES = (FORM, JSON)

#: More parameters than any object has.
MAX_PARAMETERS = 50

#: Names and values, each name once. Values are texts out of a form, anything out of JSON.
Parameters = dict[str, Any]

_BROKEN_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def parse_body(content_type: str | None, encoding: str | None, body: bytes) -> Parameters:
    """Answer what is in a body. ``encoding``: the header Content-Encoding.

    Raises:
        ApiFailure: 415 for what is neither a form nor JSON, 400 for what is not a good one.
    """
    if encoding is not None and encoding.strip().lower() not in {"", "identity"}:
        raise _unsupported(f"Content-Encoding {encoding[:80]!r}", "Send it as it is.")
    if not body:
        return {}
    if content_type is None:
        raise _unsupported("no Content-Type", "Name one.")
    media_type, charset = _parse_content_type(content_type)
    if media_type not in MEDIA_TYPES:
        raise _unsupported(f"Content-Type {media_type[:80]!r}", "Send another one.")
    if charset not in {"", "utf-8", "utf8", "us-ascii"}:
        raise _unsupported(f"charset {charset[:80]!r}", "Send UTF-8.")
    return parse_json(body) if media_type == JSON else parse_form(body)


def parse_form(text: bytes) -> Parameters:
    """Answer what a form says, or the part of a URL after its question mark.

    Raises ApiFailure.
    """
    found: Parameters = {}
    faults = []
    pieces = [piece for piece in text.split(b"&") if piece]
    if len(pieces) > MAX_PARAMETERS:
        raise malformed(f"There are {len(pieces)} parameters. Send {MAX_PARAMETERS} at most.")
    for piece in pieces:
        raw_name, _, raw_value = piece.partition(b"=")
        try:
            name = _unquote(raw_name)
        except ValueError:
            raise malformed(
                "The name of a parameter is not UTF-8 in percent-encoding. Encode it, as curl does "
                "with --data-urlencode."
            ) from None
        if name in found:
            faults.append(_twice(name))
        found[name] = ""
        try:
            found[name] = _unquote(raw_value)
        except ValueError:
            said = "it is not UTF-8 in percent-encoding. Use --data-urlencode with curl."
            faults.append(parameter_error(name, INVALID, said))
    if faults:
        raise bad_request(*faults)
    return found


def parse_json(text: bytes) -> Parameters:
    """Answer what a JSON object says (RFC 8259). Raises ApiFailure."""
    pairs: list[tuple[str, Any]] = []

    def take(members: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal pairs
        pairs = members  # the outermost object is the last one that ends
        return dict(members)

    try:
        found = json.loads(
            text.decode("utf-8"), object_pairs_hook=take, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError:
        raise malformed("The body is not UTF-8. Send JSON in UTF-8.") from None
    except (ValueError, RecursionError):
        raise malformed("The body is no JSON. Send an object, like {}.") from None
    if not isinstance(found, dict):
        raise malformed("The body is JSON, but no object. Send an object, like {}.")
    if len(pairs) > MAX_PARAMETERS:
        raise malformed(f"There are {len(pairs)} parameters. Send {MAX_PARAMETERS} at most.")
    names = [name for name, _ in pairs]
    faults = [_twice(name) for name in found if names.count(name) > 1]
    if faults:
        raise bad_request(*faults)
    return found


def _parse_content_type(text: str) -> tuple[str, str]:
    message = Message()
    message["content-type"] = text
    charset = message.get_param("charset", "")
    name = text.partition(";")[0].strip().lower()
    return name, str(charset).strip().lower()


def _unquote(text: bytes) -> str:
    """Raises ValueError."""
    if _BROKEN_PERCENT.search(text):
        raise ValueError("a percent sign without two digits")
    return unquote_to_bytes(text.replace(b"+", b" ")).decode("utf-8")


def _twice(name: str) -> Reason:
    return parameter_error(name, TWICE, "it is there twice. Send it once.")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _unsupported(what: str, remedy: str) -> ApiFailure:
    said = f"The body has {what}. {remedy} A body is {FORM} or {JSON}, in UTF-8."
    reason = Reason("unsupportedMediaType", said)
    return ApiFailure(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, (reason,))
