"""Reading a join file, see `bridgewire.join`: whole or not at all, and every fault at once."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast, get_args

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from bridgewire.jid import parse_host
from bridgewire.join import TIME, VERSION, JoinFile, Member, Receiver, show_time

#: Bytes in a join file; beyond, it is some other file.
MAX_FILE = 256 * 1024
#: Call Bridges in one.
MAX_CALLBRIDGES = 1000
#: Characters in a secret.
MAX_SECRET = 1024

#: Standard input, as a path.
STDIN = Path("-")

_NEEDED = ("for", "domain", "hostname", "port", "expires", "callbridges", "authorities")
_OPTIONAL = ("certificate", "private_key")
_MEMBER = {"name", "secret", "expires"}
_ANEW = "Copy the file anew, or let the XMPP server make another one."


class JoinFault(Exception):
    """A join file that cannot be used; ``faults`` are sentences that say what to do."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__(" ".join(faults))
        self.faults = tuple(faults)


def load_join(path: Path, receiver: Receiver, now: float) -> JoinFile:
    """Answer what is in a file, or in standard input (``-``), for ``receiver``.

    ``now`` is UNIX time.

    Raises:
        JoinFault: it cannot be read or used, is for the other kind of host, or has expired.
    """
    try:
        if path == STDIN:
            content = sys.stdin.buffer.read(MAX_FILE + 1)
        else:
            with path.open("rb") as file:
                content = file.read(MAX_FILE + 1)
        join = parse(content)
    except OSError as error:
        raise JoinFault([f"{path} cannot be read: {error.strerror}."]) from None
    except JoinFault as fault:
        raise JoinFault([f"{path} cannot be used.", *fault.faults]) from None
    if join.receiver != receiver:
        command = "callbridgectl" if join.receiver == "callbridge" else "xmppctl"
        raise JoinFault([f"{path} is for another host: run `{command} setup --join FILE` there."])
    if now > join.expires:
        again = (
            f"xmppctl callbridge join {join.callbridges[0].name}"
            if receiver == "callbridge"
            else f"xmppctl setup --server {join.hostname}"
        )
        raise JoinFault(
            [
                f"{path} was good until {show_time(join.expires)}. Delete it, and run `{again}` on "
                "the XMPP server for another one; or correct this machine's clock."
            ]
        )
    return join


def parse(content: bytes) -> JoinFile:
    """Answer what is in a join file.

    Raises:
        JoinFault: with all that is wrong with it, but never with what is secret in it.
    """
    found = _object(content)
    faults: list[str] = []
    unknown = [key for key in found if key not in (*_NEEDED, *_OPTIONAL, "version")]
    if unknown:
        faults.append(f"It has {_shown(unknown)}, which nobody knows. {_ANEW}")
    missing = [key for key in _NEEDED if key not in found]
    if missing:
        faults.append(f"{_shown(missing)} is missing. {_ANEW}")
    join = JoinFile(
        receiver=_receiver(found, faults),
        domain=_host(found, "domain", faults),
        hostname=_host(found, "hostname", faults),
        port=_port(found, faults),
        expires=_time(found.get("expires", ""), faults),
        callbridges=_members(found.get("callbridges", []), faults),
        authorities=_certificates(found, "authorities", faults),
        certificate=_certificates(found, "certificate", faults),
        private_key=_key(found, faults),
    )
    members = found.get("callbridges")
    if join.receiver == "callbridge" and isinstance(members, list) and len(members) != 1:
        faults.append(f"It is for one Call Bridge, and names {len(members)}. {_ANEW}")
    if ("certificate" in found) != ("private_key" in found):
        faults.append(f"certificate and private_key come together, and one is missing. {_ANEW}")
    if faults:
        raise JoinFault(faults)
    return join


def _object(content: bytes) -> Mapping[str, Any]:
    if len(content) > MAX_FILE:
        raise JoinFault([f"It is longer than {MAX_FILE // 1024} KiB, and no join file. {_ANEW}"])
    try:
        lines = content.decode("utf-8").splitlines(keepends=True)
        text = "".join(line for line in lines if not line.startswith("#"))
        found = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise JoinFault([f"It is no join file, or was cut off or changed. {_ANEW}"]) from None
    if not isinstance(found, dict) or type(found.get("version")) is not int:
        raise JoinFault([f"It does not say which version of a join file it is. {_ANEW}"])
    if found["version"] != VERSION:
        raise JoinFault(
            [
                f"It is a join file of version {found['version']}, and this program knows "
                f"version {VERSION}. Install the same version on both hosts."
            ]
        )
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _receiver(found: Mapping[str, Any], faults: list[str]) -> Receiver:
    value = found.get("for", "callbridge")
    if value not in get_args(Receiver):
        faults.append(f"It is neither for a Call Bridge nor for a server. {_ANEW}")
    return cast(Receiver, value)


def _host(found: Mapping[str, Any], key: str, faults: list[str]) -> str:
    value = found.get(key, "example.com")
    host = parse_host(value) if isinstance(value, str) and value.isprintable() else ""
    if not host:
        faults.append(f"{key} is no name of a host. {_ANEW}")
    return host


def _port(found: Mapping[str, Any], faults: list[str]) -> int:
    value = found.get("port", 5223)
    if type(value) is not int or not 1 <= value <= 65535:
        faults.append(f"port is none: ports are 1 to 65535. {_ANEW}")
        return 0
    return value


def _time(value: object, faults: list[str]) -> int:
    try:
        return int(datetime.strptime(str(value), TIME).replace(tzinfo=UTC).timestamp())
    except ValueError:
        if value != "":
            faults.append(f"expires is no time, like 2026-11-26T09:00:00Z. {_ANEW}")
        return 0


def _members(value: object, faults: list[str]) -> tuple[Member, ...]:
    if not isinstance(value, list) or len(value) > MAX_CALLBRIDGES:
        faults.append(f"callbridges is no list of Call Bridges. {_ANEW}")
        return ()
    found = []
    for one in value:
        if not isinstance(one, dict) or not {"name", "secret"} <= one.keys() <= _MEMBER:
            faults.append(f"A Call Bridge in it has no name, or no secret. {_ANEW}")
            continue
        name, secret = _host(one, "name", faults), one["secret"]
        good = isinstance(secret, str) and secret.isprintable() and 0 < len(secret) <= MAX_SECRET
        if not good:
            faults.append(f"A secret is 1 to {MAX_SECRET} characters of text. {_ANEW}")
            continue
        if "." in name:
            faults.append(f"A Call Bridge's name has no dot in it. {_ANEW}")
        expires = _time(one["expires"], faults) if "expires" in one else None
        found.append(Member(name, secret, expires))
    if len({one.name for one in found}) < len(found):
        faults.append(f"A Call Bridge is in it twice. {_ANEW}")
    return tuple(found)


def _certificates(found: Mapping[str, Any], key: str, faults: list[str]) -> str:
    pem = _lines(found.get(key))
    try:
        if key in found:
            x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        faults.append(f"{key} has no certificate in PEM. {_ANEW}")
    return pem


def _key(found: Mapping[str, Any], faults: list[str]) -> str:
    pem = _lines(found.get("private_key"))
    try:
        if "private_key" in found:
            serialization.load_pem_private_key(pem.encode(), password=None)
    except Exception:  # noqa: BLE001  many kinds, and their texts could quote the key
        faults.append(f"private_key is no private key in PEM. {_ANEW}")
    return pem


def _lines(value: object) -> str:
    """Join the lines of PEM; empty for what are none."""
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        return ""
    return "".join(f"{one}\n" for one in value)


def _shown(keys: Sequence[str]) -> str:
    """Answer names, some of which may have been sent by anybody."""
    return ", ".join(f"{key[:40]!r}" for key in keys[:10])
