"""Questions to a web hook and its answers, as JSON: docs/web-hook.md says the same at length.

A question is an object; so is its answer. What is wrong with an answer is a `BadAnswer`, which says
what, and shows nothing of it: a hook that is broken may answer with the password.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Set
from dataclasses import dataclass, field
from typing import Any, NoReturn

from bridgewire.username import parse_username
from callbridged.backends import AccountRefused
from callbridged.scram_keys import ScramKeys
from callbridged.scram_text import parse_base64, parse_keys

VERSION = 1
#: Characters of a text in an answer; a localpart has no more octets.
MAX_TEXT = 1023

#: What a refused user is told (RFC 6120 section 6.5), by what the hook answers.
_REFUSALS = {"disabled": "account-disabled", "expired": "credentials-expired"}
_RESULTS = ("allow", "deny", *_REFUSALS)


class BadAnswer(Exception):
    """An answer that is none; the text continues "its answer to check-password ..."."""


@dataclass(frozen=True)
class Question:
    """One question.

    ``mechanism``: the client's, without -PLUS, or the one that keys are wanted for. ``peer``: the
    client's IP address. ``password``: for check-password alone.
    """

    method: str
    username: str
    mechanism: str | None = None
    peer: str | None = None
    password: str | None = field(default=None, repr=False)

    def encode(self, seconds: float) -> bytes:
        """Answer the JSON text. ``seconds``: for how long the answer is waited for."""
        members: dict[str, object] = {
            "version": VERSION,
            "method": self.method,
            "username": self.username,
        }
        if self.password is not None:
            members["password"] = self.password
        members |= {
            "mechanism": self.mechanism,
            "peer": self.peer,
            "deadline": round(seconds, 3),
        }
        return json.dumps(members, ensure_ascii=False).encode("utf-8")


def read_password_answer(body: bytes) -> bool | str:
    """Answer as `IUserBackend.check_password`. Raises BadAnswer and AccountRefused.

    ``{"result": "allow", "username": "alice"}``, with or without ``username``.
    """
    answer = _object(body)
    _check_members(answer, {"result"}, {"result", "username"})
    result = _result(answer)
    if result in _REFUSALS:
        raise AccountRefused(_REFUSALS[result], f"the web hook says {result}")
    return result == "allow" and (_username(answer) or True)


def read_keys_answer(body: bytes, scheme: str) -> ScramKeys | None:
    """Answer the keys for ``scheme``; None: there are none. Raises BadAnswer.

    ``{"keys": "SCRAM-SHA-256$..."}``, or an object with the four values in base64, or null. Besides
    ``username``, and ``result`` where the right proof is refused.
    """
    answer = _object(body)
    _check_members(answer, {"keys"}, {"keys", "result", "username"})
    if answer["keys"] is None:
        return None
    result = "allow" if answer.get("result") is None else _result(answer)
    if result == "deny":
        raise BadAnswer('has keys for a user who does not exist: write {"keys": null}')
    found = _keys(answer["keys"], scheme)
    return ScramKeys(
        found.salt,
        found.iterations,
        found.stored_key,
        found.server_key,
        username=_username(answer),
        refusal=_REFUSALS.get(result),
    )


def read_account_answer(body: bytes) -> bytes | None:
    """Answer as `IAccounts.fingerprint`. Raises BadAnswer.

    ``{"fingerprint": "..."}``; null: there is no such user.
    """
    answer = _object(body)
    _check_members(answer, {"fingerprint"}, {"fingerprint"})
    if answer["fingerprint"] is None:
        return None
    return hashlib.sha256(_text(answer, "fingerprint").encode()).digest()


def _keys(value: object, scheme: str) -> ScramKeys:
    try:
        if isinstance(value, str):
            named, keys = parse_keys(value)
        elif isinstance(value, dict):
            named, keys = scheme, _keys_of_object(value)
            keys.check_form(scheme)
        else:
            raise BadAnswer("has keys that are neither a text, nor an object, nor null")
    except ValueError as error:
        raise BadAnswer(f"has keys that cannot be used: {str(error).rstrip('.')}") from None
    if named != scheme:
        raise BadAnswer(f"has keys for {named}, and was asked for {scheme}")
    return keys


def _keys_of_object(value: dict[str, Any]) -> ScramKeys:
    members = {"salt", "iterations", "stored_key", "server_key"}
    _check_members(value, members, members)
    if type(value["iterations"]) is not int:  # a bool is one, too
        raise BadAnswer("has iterations that are no whole number")
    return ScramKeys(
        parse_base64(_text(value, "salt")),
        value["iterations"],
        parse_base64(_text(value, "stored_key")),
        parse_base64(_text(value, "server_key")),
    )


def _object(body: bytes) -> dict[str, Any]:
    """Answer the members of a JSON object (RFC 8259), each there once. Raises BadAnswer."""
    try:
        value = json.loads(
            body.decode("utf-8"), object_pairs_hook=_members, parse_constant=_no_number
        )
    except UnicodeDecodeError:
        raise BadAnswer("is not UTF-8 text") from None
    except RecursionError:
        raise BadAnswer("is nested too deeply") from None
    except ValueError:
        raise BadAnswer("is not JSON") from None
    if not isinstance(value, dict):
        raise BadAnswer("is JSON, and no object")
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise BadAnswer("has the same member twice")
    return members


def _no_number(_: str) -> NoReturn:
    raise BadAnswer("is not JSON: NaN and Infinity are no numbers there")


def _check_members(answer: dict[str, Any], needed: Set[str], known: Set[str]) -> None:
    missing = needed - answer.keys()
    if missing:
        raise BadAnswer(f"lacks {' and '.join(sorted(missing))}")
    if answer.keys() - known:
        raise BadAnswer(f"has other members than {' and '.join(sorted(known))}")


def _result(answer: dict[str, Any]) -> str:
    result = answer["result"]
    if not isinstance(result, str) or result not in _RESULTS:
        raise BadAnswer(f"has a result that is none of {', '.join(_RESULTS)}")
    return result


def _username(answer: dict[str, Any]) -> str | None:
    """Answer it in normal form (RFC 7622)."""
    if answer.get("username") is None:
        return None
    try:
        return parse_username(_text(answer, "username"))
    except ValueError:
        raise BadAnswer("has a username that cannot stand before the @") from None


def _text(answer: dict[str, Any], name: str) -> str:
    text = answer[name]
    if not isinstance(text, str) or not 0 < len(text) <= MAX_TEXT:
        raise BadAnswer(f"has a {name} that is no text of 1 to {MAX_TEXT} characters")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # half of a surrogate pair
        raise BadAnswer(f"has a {name} that is no Unicode text") from None
    return text
