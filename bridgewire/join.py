"""The join file: what a new Call Bridge, or a further XMPP server, needs to take part.

It is a text of its own, which a person carries from one host to another: lines that begin with #
say what it is and what to do with it, and then there is one JSON object::

    {
      "version": 1,
      "for": "callbridge",
      "domain": "example.com",
      "hostname": "xmpp1.example.com",
      "port": 5223,
      "expires": "2026-11-26T09:00:00Z",
      "callbridges": [{"name": "cb1", "secret": "..."}],
      "authorities": ["-----BEGIN CERTIFICATE-----", ...],
      "certificate": ["-----BEGIN CERTIFICATE-----", ...],
      "private_key": ["-----BEGIN PRIVATE KEY-----", ...]
    }

``for`` is ``callbridge``, and then there is one in ``callbridges``, ``hostname`` and ``port`` are
those of the server that made the file, and ``authorities`` issued the servers' certificates. Or it
is ``server``: ``hostname`` is the new server's, ``callbridges`` are all that may connect (each with
``expires`` where its secret has not been used yet), and ``authorities`` issue their certificates.
``certificate`` and ``private_key`` are the receiver's; they may be missing, both. PEM is a list of
its lines.
`bridgewire.join_reading` reads it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

VERSION = 1

Receiver = Literal["callbridge", "server"]

#: How a time is spelt.
TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Member:
    """A Call Bridge: one label, and its secret.

    ``expires``: UNIX time until when the secret has to be used for the first time, None: whenever.
    """

    name: str
    secret: str = field(repr=False)
    expires: int | None = None


@dataclass(frozen=True)
class JoinFile:
    """What is in the file; see above. ``expires`` is UNIX time, PEM is text, empty for none."""

    receiver: Receiver
    domain: str
    hostname: str
    port: int
    expires: int
    callbridges: tuple[Member, ...]
    authorities: str
    certificate: str = ""
    private_key: str = field(default="", repr=False)

    def text(self, header: Sequence[str]) -> str:
        """Answer the file, beginning with the lines of ``header`` as comments."""
        content: dict[str, Any] = {
            "version": VERSION,
            "for": self.receiver,
            "domain": self.domain,
            "hostname": self.hostname,
            "port": self.port,
            "expires": _spell(self.expires),
            "callbridges": [_spell_member(one) for one in self.callbridges],
            "authorities": self.authorities.splitlines(),
        }
        if self.certificate:
            content["certificate"] = self.certificate.splitlines()
            content["private_key"] = self.private_key.splitlines()
        comment = "".join(f"# {line}".rstrip() + "\n" for line in header)
        return f"{comment}{json.dumps(content, indent=2, ensure_ascii=False)}\n"


def show_time(when: int) -> str:
    """Answer UNIX time for people: ``2026-11-26 09:00 UTC``."""
    return f"{datetime.fromtimestamp(when, UTC):%Y-%m-%d %H:%M} UTC"


def _spell(when: int) -> str:
    return f"{datetime.fromtimestamp(when, UTC):{TIME}}"


def _spell_member(one: Member) -> dict[str, str]:
    more = {} if one.expires is None else {"expires": _spell(one.expires)}
    return {"name": one.name, "secret": one.secret, **more}
