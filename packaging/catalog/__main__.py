"""Writes the message catalogs of journald: ``python packaging/catalog [DIRECTORY]``.

They are made of the tables of events, see https://systemd.io/CATALOG/. Without a directory, the
ones beside this file are written anew.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

from callbridged import events as callbridged
from daemonkit.logging import events as common
from daemonkit.logging.event import Event, events_in
from xmppd import events as xmppd

_SUPPORT = "https://pypi.org/project/callbridge-xmpp/"
#: Of each file, the man page to look into. The common events are those of both daemons.
_CATALOGS = {
    "callbridge-xmpp-common": (common, "xmppd(8) callbridged(8)"),
    "xmppd": (xmppd, "xmppd(8)"),
    "callbridged": (callbridged, "callbridged(8)"),
}


def _entry(event: Event, pages: str) -> str:
    meaning = textwrap.fill(event.meaning, 80, break_on_hyphens=False, break_long_words=False)
    documentation = "".join(f"Documentation: man:{page}\n" for page in pages.split())
    return (
        f"-- {event.message_id.hex}\n"
        f"Subject: {event.name.replace('-', ' ').capitalize()}\n"
        "Defined-By: callbridge-xmpp\n"
        f"Support: {_SUPPORT}\n{documentation}\n{meaning}\n"
    )


def main(directory: Path) -> None:
    for name, (module, pages) in _CATALOGS.items():
        entries = [_entry(one, pages) for one in events_in(vars(module)) if one.meaning]
        text = "# Made by packaging/catalog of the table of events.\n\n" + "\n".join(entries)
        (directory / f"{name}.catalog").write_text(text, encoding="utf-8")


main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
