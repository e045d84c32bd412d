"""The header in front of SCRAM's first message (RFC 5801 section 4), and what it may say."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from callbridged.logins.mechanisms.exchange import SaslFailure

PLUS = "-PLUS"
_BINDING = re.compile(r"p=([A-Za-z0-9.-]{1,64})")  # RFC 5802 section 7, cb-name


@dataclass(frozen=True)
class Gs2Header:
    """``flag`` is ``n``, ``y`` or ``p``, with ``binding`` its channel binding type.

    ``text`` is the header as it was sent, ``authzid`` without its escapes.
    """

    flag: str
    binding: str
    authzid: str
    text: str


def split_header(message: str) -> tuple[Gs2Header, str]:
    """Answer the header of a first message, and the rest of it. Raises SaslFailure."""
    parts = message.split(",", 2)
    if len(parts) != 3 or not parts[2]:
        raise SaslFailure("malformed-request", "the first message has no GS2 header")
    flag, authzid, bare = parts
    bound = _BINDING.fullmatch(flag)
    if flag not in ("n", "y") and not bound:
        raise SaslFailure("malformed-request", "the GS2 header has no channel binding flag")
    if authzid and not authzid.startswith("a="):
        raise SaslFailure("malformed-request", "the GS2 header has no authzid where one belongs")
    return Gs2Header(
        flag[0], bound[1] if bound else "", _unescape(authzid[2:]), message[: -len(bare)]
    ), bare


def binding_data(
    header: Gs2Header, mechanism: str, bindings: Mapping[str, bytes], offered: Collection[str]
) -> bytes:
    """Answer the channel binding data that the client has to prove, empty where it binds to none.

    RFC 5802 section 6; for a type that there is not it asks for a failure without naming one that
    XMPP has, and Prosody says ``malformed-request``, too. ``offered`` is empty where nobody knows
    what the client was shown.

    Raises:
        SaslFailure: the flag does not go with the mechanism, the connection or the offer.
    """
    if header.flag == "p":
        if not mechanism.endswith(PLUS):
            why = "it binds to the channel, by a mechanism that is not -PLUS"
            raise SaslFailure("malformed-request", why)
        if header.binding not in bindings:
            why = f"it binds to the channel by {header.binding}, which is not there"
            raise SaslFailure("malformed-request", why)
        return bindings[header.binding]
    if mechanism.endswith(PLUS):
        raise SaslFailure("malformed-request", "a -PLUS mechanism, and it binds to no channel")
    if header.flag == "y" and any(name.endswith(PLUS) for name in offered):
        raise SaslFailure(
            "not-authorized",
            "downgrade: the client could bind to the channel, and has not seen that -PLUS "
            "mechanisms were offered. Somebody between it and the server may have hidden them",
        )
    return b""


def _unescape(saslname: str) -> str:
    """RFC 5802 section 5.1; with any other ``=``, it cannot be anybody's JID."""
    return saslname.replace("=2C", ",").replace("=3D", "=")
