"""The XEP-0114 handshake: proof of the shared secret, without sending it."""

from __future__ import annotations

import hashlib
import hmac


def component_digest(stream_id: str, secret: str) -> str:
    """Answer what a component puts into ``<handshake/>``: 40 lowercase hexadecimal digits.

    SHA-1 over the stream id followed by the secret, as XEP-0114 section 3 has it. The digest
    travels inside TLS, and the stream id is used once.
    """
    return hashlib.sha1((stream_id + secret).encode(), usedforsecurity=False).hexdigest()


def digests_match(offered: str, expected: str) -> bool:
    """Compare two digests in a time that does not depend on where they differ."""
    return hmac.compare_digest(offered.strip().lower().encode(), expected.encode())
