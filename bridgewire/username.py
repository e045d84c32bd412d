"""User names: the localpart of a JID, in its one normal form (RFC 7622 section 3.3)."""

from __future__ import annotations

from functools import lru_cache

from twisted.words.protocols.jabber.xmpp_stringprep import nodeprep

#: Longest localpart, in octets of UTF-8.
MAX_OCTETS = 1023


@lru_cache(maxsize=4096)
def parse_username(text: str) -> str:
    """Answer the normalised localpart, as Twisted's JIDs have it (nodeprep).

    Raises:
        ValueError: no localpart can be made of ``text``; what it says is a sentence.
    """
    if not text:
        raise ValueError("a user name has at least one character.")
    if len(text) > MAX_OCTETS:
        raise ValueError(f"a user name has at most {MAX_OCTETS} octets.")
    try:
        name: str = nodeprep.prepare(text)
        # What is normal stays as it is; a handful of characters need a second pass to get there.
        if not name or nodeprep.prepare(name) != name:
            raise ValueError("no normal form")
        octets = name.encode("utf-8")
    except (ValueError, IndexError):  # what stringprep raises; UnicodeError is a ValueError
        raise ValueError(
            "a user name is the part of a JID before the @: no spaces, none of \"&'/:<>@, "
            "no control characters."
        ) from None
    if len(octets) > MAX_OCTETS:
        raise ValueError(f"a user name has at most {MAX_OCTETS} octets.")
    return name
