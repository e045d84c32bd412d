"""Secrets that can be found again, in whatever form they come out, and where they came out."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Collection, Iterator
from pathlib import Path

#: Random, and the same in JSON, XML, percent encoding and Python's repr.
_CORE = re.compile(rb"[0-9A-Za-z]{14}")
#: What is around it, so that a marker has to be escaped in each of them.
_AROUND = "&<{}'\"%>"


def marker() -> str:
    """A secret that nobody has seen before, with characters that have to be escaped."""
    return _AROUND.format(secrets.token_hex(16))


def forms(secret: bytes) -> Iterator[bytes]:
    """The beginning of the secret as it may be written, since texts are cut: plain or wide, in
    base64 at any place of a longer text, in hexadecimal, and with each byte escaped.
    """
    found = _CORE.search(secret)
    core = found[0] if found else secret
    yield core
    yield core.decode().encode("utf-16-le")
    for place in range(3):
        whole = base64.b64encode(bytes(place) + core)
        # The first digits, and the last ones, have bits of what is around.
        inner = whole[(0, 2, 3)[place] : -4]
        yield inner
        yield inner.translate(bytes.maketrans(b"+/", b"-_"))
    for spelt in (core.hex(), core.hex().upper(), core.hex(":"), core.hex(" ")):
        yield spelt.encode()
    for byte in ("%{:02x}", "%{:02X}", "&#{};", "&#x{:x};", "\\x{:02x}", "\\u{:04x}"):
        yield "".join(byte.format(one) for one in core).encode()


class Evidence:
    """What came out of the daemons, by where it was seen; and secrets, which must not be in it."""

    def __init__(self) -> None:
        self._seen: dict[str, list[bytes]] = {}
        self._secrets: dict[str, bytes] = {}
        self._allowed: dict[str, frozenset[str]] = {}

    def hide(self, name: str, secret: str | bytes, but: Collection[str] = ()) -> None:
        """One more secret; it may be seen in the places ``but``."""
        self._secrets[name] = secret.encode() if isinstance(secret, str) else secret
        self._allowed[name] = frozenset(but)

    def hide_key(self, name: str, pem: Path) -> None:
        """A private key of P-256, in PKCS #8; what stands there of the public one is no secret."""
        _, first, second, *_ = pem.read_bytes().splitlines()
        self.hide(f"{name}, its beginning", first[48:64])
        self.hide(f"{name}, its end", second[:24])

    def add(self, place: str, seen: str | bytes) -> None:
        """Something that came out."""
        self._seen.setdefault(place, []).append(seen.encode() if isinstance(seen, str) else seen)

    def places(self) -> Collection[str]:
        """Where something came out."""
        return self._seen.keys()

    def found(self) -> list[tuple[str, str]]:
        """Which secret is where it must not be, once each."""
        return sorted(
            {
                (name, place)
                for name in self._secrets
                for place in self.where(name) - self._allowed[name]
            }
        )

    def where(self, name: str) -> set[str]:
        """The places where a secret is."""
        wanted = list(forms(self._secrets[name]))
        return {
            place
            for place, pieces in self._seen.items()
            if any(form in piece for piece in pieces for form in wanted)
        }
