"""How much a peer may send on a stream, before and after it has proved who it is."""

from __future__ import annotations

from dataclasses import dataclass, replace

#: Limits on bytes are looked at each time the stream passes a multiple of this, so that they do
#: not depend on how the bytes were cut into packets.
GRAIN = 1024


@dataclass(frozen=True)
class Limits:
    """How much a peer may send.

    ``stanza_bytes``, ``depth``, ``attributes`` and ``elements`` hold for each child of the stream;
    ``tag_bytes`` for one tag, which is looked at anew with each grain until its end has come;
    ``stream_bytes`` and ``stream_elements`` for the stream as a whole (0: no limit), which is what
    bounds a peer that has not proved who it is. ``unsent_bytes`` is how much may wait for a peer
    that reads slowly. ``keep_parser``: expat stays in memory between stanzas, for streams that are
    busy or short.
    """

    stanza_bytes: int = 256 * 1024
    depth: int = 32
    attributes: int = 32
    elements: int = 2000
    tag_bytes: int = 8 * 1024
    stream_bytes: int = 0
    stream_elements: int = 0
    unsent_bytes: int = 1024 * 1024
    keep_parser: bool = False


#: Before a peer has proved who it is: at most 8 KiB and 32 elements in all.
BEFORE_LOGIN = Limits(
    stanza_bytes=8192 - GRAIN,
    depth=8,
    attributes=16,
    elements=32,
    stream_bytes=8192 - GRAIN,
    stream_elements=32,
)
AFTER_LOGIN = Limits()
#: A Call Bridge or component carries the traffic of many users.
COMPONENT_LINK = replace(
    AFTER_LOGIN,
    stanza_bytes=1024 * 1024,
    elements=10_000,
    unsent_bytes=16 * 1024 * 1024,
    keep_parser=True,
)
#: What a component takes from its server: a stanza that just passed the server's own limits is
#: longer once it is written anew, with everything escaped and each namespace declared.
SERVER_LINK = replace(
    COMPONENT_LINK,
    stanza_bytes=16 * 1024 * 1024,
    depth=40,
    attributes=128,
    elements=20_000,
    tag_bytes=1024 * 1024,
)
