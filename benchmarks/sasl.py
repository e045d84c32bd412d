"""The client's end of SASL, for load: as little work as the mechanisms allow.

An exchange is a generator: it yields what to send and is sent the server's challenges. The server
is not verified: it is ours.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Generator
from dataclasses import dataclass
from functools import lru_cache

Exchange = Generator[bytes, bytes, None]


@dataclass(frozen=True)
class Credentials:
    """Whoever logs in. ``token``: of FAST (XEP-0484); ``end_point``: of tls-server-end-point."""

    user: str
    password: str
    token: str = ""
    end_point: bytes = b""


def exchange(mechanism: str, who: Credentials) -> Exchange:
    """Answer the client's side of one exchange."""
    match mechanism:
        case "PLAIN":
            return _one(f"\0{who.user}\0{who.password}".encode())
        case "EXTERNAL" | "ANONYMOUS":
            return _one(b"")
        case "HT-SHA-256-NONE":
            proof = hmac.digest(who.token.encode(), b"Initiator", "sha256")
            return _one(who.user.encode() + b"\0" + proof)
        case _:
            return _scram(mechanism, who)


def _one(message: bytes) -> Exchange:
    yield message


def _scram(mechanism: str, who: Credentials) -> Exchange:
    """RFC 5802 and RFC 7677; -PLUS by tls-server-end-point, all that Python's ssl can do."""
    plain = mechanism.removesuffix("-PLUS")
    hash_name = plain.removeprefix("SCRAM-").replace("-", "").lower()
    header, binding = (b"n,,", b"")
    if plain != mechanism:
        header, binding = b"p=tls-server-end-point,,", who.end_point
    bare = b"n=%b,r=%b" % (who.user.encode(), base64.b64encode(os.urandom(18)))
    challenge = yield header + bare
    fields = dict(field.split(b"=", 1) for field in challenge.split(b","))
    salt, rounds = base64.b64decode(fields[b"s"]), int(fields[b"i"])
    key, stored = _keys(hash_name, who.password.encode(), salt, rounds)
    last = b"c=%b,r=%b" % (base64.b64encode(header + binding), fields[b"r"])
    signature = hmac.digest(stored, b",".join((bare, challenge, last)), hash_name)
    proof = bytes(a ^ b for a, b in zip(key, signature, strict=True))
    yield last + b",p=" + base64.b64encode(proof)


@lru_cache(maxsize=10_000)
def _keys(hash_name: str, password: bytes, salt: bytes, rounds: int) -> tuple[bytes, bytes]:
    """Client key and stored key: thousands of rounds, so once per salt, as good clients do."""
    salted = hashlib.pbkdf2_hmac(hash_name, password, salt, rounds)
    key = hmac.digest(salted, b"Client Key", hash_name)
    return key, hashlib.new(hash_name, key).digest()
