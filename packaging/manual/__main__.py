"""Writes the manual pages and the completion: python packaging/manual DIRECTORY.

They are made from the parsers of the commands, the options of the daemons, docs/settings.md and
the files in etc/. Needs the project, argparse-manpage and shtab. SOURCE_DATE_EPOCH is the date of
the pages.
"""

from __future__ import annotations

import os
import sys
import time
from importlib import metadata
from pathlib import Path

import shtab
from argparse_manpage.manpage import Manpage
from parsers import CTL_COMMANDS, DAEMONS, for_completion, for_manual
from roff import ini_page, literal
from settings import chapter

HERE = Path(__file__).resolve().parent
DISTRIBUTION = "callbridge-xmpp"
NAMES = {
    "xmppctl": "operate xmppd, the XMPP server at the edge",
    "callbridgectl": "operate callbridged, the Call Bridge",
    "xmppd": "XMPP server that asks Call Bridges who may log in",
    "callbridged": "Call Bridge that answers the logins of XMPP servers",
}
SEE = {
    "xmppd": (("xmppd", "8"), ("xmppctl", "8")),
    "callbridged": (("callbridged", "8"), ("callbridgectl", "8")),
}
#: Where each shell looks for the completion of a command, below the directory of that shell.
COMPLETIONS = {"bash": "{}", "zsh": "_{}", "fish": "{}.fish"}


def write(place: Path) -> None:
    """Write ``man/*.8``, ``man/*.5`` and ``bash/``, ``zsh/``, ``fish/`` into ``place``."""
    for folder in ("man", *COMPLETIONS):
        (place / folder).mkdir(parents=True, exist_ok=True)
    for program in (*CTL_COMMANDS, *DAEMONS):
        (place / "man" / f"{program}.8").write_text(command_page(program), encoding="utf-8")
    for daemon in DAEMONS:
        (place / "man" / f"{daemon}.ini.5").write_text(settings_page(daemon), encoding="utf-8")
    for program in CTL_COMMANDS:
        for shell, name in COMPLETIONS.items():
            text = shtab.complete(for_completion(program), shell)
            (place / shell / name.format(program)).write_text(text, encoding="utf-8")


def command_page(program: str) -> str:
    """The page of a command or a daemon; what no parser knows is in PROGRAM.include."""
    os.environ["COLUMNS"] = "1000"  # the reader's terminal breaks the lines, argparse must not
    parser, examples = for_manual(program)
    page = Manpage(parser, format="single-commands-section")
    page.section, page.manual = 8, "System Manager's Manual"
    page.date, page.source = date(), source()
    page.description = NAMES[program]
    if parser.description:  # before, not after what the include file adds to it
        page.add_section("description", "=", page.format_text(parser.description) + "\n")
        parser.description = None
    if examples:
        page.add_section("examples", "=", "\n".join(literal(examples)))
    page.parse_include(str(HERE / f"{program}.include"))
    return str(page)


def settings_page(daemon: str) -> str:
    shipped = HERE.parents[1] / "etc" / daemon / f"{daemon}.ini"
    text = shipped.read_text(encoding="utf-8")
    return ini_page(f"{daemon}.ini", daemon, chapter(daemon), text, date(), source(), SEE[daemon])


def date() -> str:
    """Today, or the day of SOURCE_DATE_EPOCH, as both man and mandoc read it."""
    day = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())))
    return time.strftime("%B %d, %Y", day)


def source() -> str:
    return f"{DISTRIBUTION} {metadata.version(DISTRIBUTION)}"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} DIRECTORY")
    write(Path(sys.argv[1]))
