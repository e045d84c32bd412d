"""A client that sends any SASL messages, in any order, by any mechanism, to a login service."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.words.xish.domish import Element

from bridgewire.login import LoginReply, LoginRequest, TokenRequest
from bridgewire.namespaces import SASL
from bridgewire.sasl import sasl_data, sasl_message
from callbridged.logins.guests import Guests
from callbridged.logins.login import LoginService, OutOfOrder
from callbridged.logins.mechanisms import MECHANISMS
from callbridged.logins.token_store import TokenStore
from callbridged.logins.tokens import Tokens
from callbridged.logins.user_certificates import XMPP_ADDRESS, UserCertificates
from tests.callbridged.accounts import Accounts
from tests.callbridged.people import SCHEMES
from tests.support.ca import CertificateAuthority

#: By index: the first byte of the data. One that there is not is among them.
NAMES = (*MECHANISMS, "X-UNHEARD-OF")
BINDINGS = {"tls-exporter": b"\1" * 32, "tls-server-end-point": b"\2" * 32}

#: Octets that are in no UTF-8, and what they stand for.
NEXT, NONCE, SILENCE, ABORT, AGAIN, NOT_BASE64 = (bytes([one]) for one in range(0xFF, 0xF9, -1))

_directory = Path(tempfile.mkdtemp(prefix="fuzz-sasl-"))
atexit.register(shutil.rmtree, _directory, ignore_errors=True)
_store = TokenStore(_directory)
_authority = CertificateAuthority(_directory, "Users CA")
#: Nobody comes in by a code that nobody knows, so one will do for all.
_coded = Guests(Clock(), "open sesame")
_certificates = UserCertificates((_authority.certificate,))


def _certificate() -> bytes:
    octets = b"alice@example.com"
    name = x509.OtherName(XMPP_ADDRESS, bytes([0x0C, len(octets)]) + octets)
    path, _ = _authority.issue("alice", other=[name])
    return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)


_CERTIFICATE = _certificate()


def _at_once(work: Any, *args: Any, **more: Any) -> Deferred[Any]:
    async def done() -> Any:
        return work(*args, **more)

    return Deferred.fromCoroutine(done())


def walk(data: bytes) -> list[str]:
    """Send what the data says, and answer the names of what was answered.

    The first octet is the mechanism, the second what the server says of the client. Then come
    messages, with NEXT between them; NONCE stands for the nonce of the last challenge.
    """
    if len(data) < 2:
        return []
    clock = Clock()
    backend = Accounts()
    backend.mechanisms = frozenset({*SCHEMES, "PLAIN"})
    service = LoginService(
        clock,
        backend,
        "example.com",
        certificates=_certificates,
        guests=_coded if data[1] & 32 else Guests(clock),
        tokens=Tokens(_store, 100.0, _at_once, clock.seconds),
    )
    name = NAMES[data[0] % len(NAMES)]
    messages = data[2:].split(NEXT)
    said = _said(data[1], messages)
    answers: list[str] = []
    nonce = b""
    for message in messages:
        first = not answers or message[:1] == AGAIN
        element = _element(message.replace(NONCE, nonce), name if first else "")
        results: list[Any] = []
        answer = service.answer(LoginRequest("s1", element, "192.0.2.7", 10.0, **said), "link")
        Deferred.fromCoroutine(answer).addBoth(results.append)
        assert results, "it waits for something"
        if isinstance(results[0], Failure):
            results[0].trap(OutOfOrder)
            answers.append("out of order")
            continue
        reply = LoginReply.from_element(results[0].to_element())
        kind = reply.element.name
        assert kind != "success" or name in ("EXTERNAL", "ANONYMOUS"), reply.element.toXml()
        if kind == "challenge":
            nonce = (sasl_data(reply.element) or b"").partition(b",")[0].removeprefix(b"r=")
        answers.append(kind)
    service.link_lost("link")
    assert service.outstanding() == 0
    clock.advance(30000)
    assert not clock.getDelayedCalls()
    return answers


def _said(flags: int, messages: list[bytes]) -> dict[str, Any]:
    """What the server says of the client."""
    said: dict[str, Any] = {}
    if flags & 1:
        said["channel_bindings"] = BINDINGS
    if flags & 2:
        said["offered"] = NAMES[:-1]
    if flags & 4:
        said["token"] = TokenRequest("agent", "HT-SHA-256-NONE", bool(flags & 64))
    if flags & 8:
        said["certificate"] = messages.pop() if flags & 16 else _CERTIFICATE
    return said


def _element(message: bytes, mechanism: str) -> Element:
    kind, rest = message[:1], message[1:]
    if kind == ABORT:
        return Element((SASL, "abort"))
    element = sasl_message(
        "auth" if mechanism else "response",
        None if kind in (SILENCE, NOT_BASE64) else rest if kind == AGAIN else message,
    )
    if kind == NOT_BASE64:
        element.addContent("".join(map(chr, rest)))
    if mechanism:
        element["mechanism"] = mechanism
    return element


def seeds() -> Iterator[bytes]:
    """Messages as clients send them, by every mechanism."""
    for number, name in enumerate(NAMES):
        header = b"p=tls-exporter,," if name.endswith("-PLUS") else b"n,,"
        scram = header + b"n=alice,r=abc" + NEXT + b"c=biws,r=" + NONCE + b",p=AAAA"
        for flags in (0, 7, 15, 31, 63, 127):
            for text in (
                scram,
                b"y,a=alice@example.com,n=al=2Cice,r=abc,x=y",
                b"\0alice\0password",
                b"alice@example.com\0alice\0x" + NEXT + b"y",
                b"alice\0" + b"x" * 32,
                b"alice@example.com" + NEXT + b"\x30\x82",
                SILENCE + NEXT + b"x" + NEXT + ABORT,
                NOT_BASE64 + b"!" + NEXT + AGAIN + b"x",
            ):
                yield bytes([number, flags]) + text
