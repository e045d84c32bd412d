"""``callbridgectl config``: what is set, and taking out what the page and the API have set."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from callbridged.config import control_socket, load
from callbridged.config_callbridge import overlay_path
from callbridged.overlay import KEYS, SECTION, NotAllowed, read_overlay
from daemonkit.calling import NotRunning, call
from daemonkit.ctl import Frame, argument, show
from daemonkit.ini import ConfigurationFault, Setting
from daemonkit.reload_ctl import TIMEOUT
from daemonkit.replace import directory_lock
from daemonkit.terminal import CtlFailure, printable, table, wrapped
from daemonkit.values import suggest

_DETAILS = """\
From: the line of the configuration file, or default; overlay where the value
was set on the web page or over the API, which then wins. config reset takes
such values out again."""

_ON_RESET = """\
Takes out what was set on the web page or over the API: the SETTINGs, or all of
them. What the configuration file says counts again, at once where callbridged
runs: it checks the whole first, links move, and no login is lost.

settings: name, domain, server_address, secret

examples:
  callbridgectl config reset server_address
  callbridgectl config reset
      All of it. This also helps where overlay.ini was damaged by hand."""


def add_commands(frame: Frame) -> None:
    """Add ``config`` and ``config reset``."""
    about = "every setting, its value and where it comes from"
    command = frame.command("config", config, about, details=_DETAILS)
    about = "forget what was set on the web page or over the API"
    below = frame.below(command)
    command = frame.command("reset", reset, about, within=below, details=_ON_RESET)
    command.add_argument(
        "settings", metavar="SETTING", nargs="*", type=argument(_key), help="all, if none is given"
    )


def config(options: argparse.Namespace) -> None:
    """``config``."""
    found = load(options.config, check_files=False)
    answer = [
        {
            "section": one.section,
            "key": one.key,
            "value": one.value,
            "origin": one.origin,
            "instead_of": one.instead_of,
        }
        for one in found.settings
    ]
    rows = [(one.name, one.value, _origin(one)) for one in found.settings]
    show(options, answer, lambda: table(("Setting", "Value", "From"), rows))
    try:
        read_overlay(overlay_path(options.config).parent)
    except NotAllowed as fault:
        print(f"callbridgectl: left out: {' '.join(fault.each)}", file=sys.stderr)


def reset(options: argparse.Namespace) -> None:
    """``config reset [SETTING...]``."""
    keys: Sequence[str] = options.settings or KEYS
    try:
        outcome = call(control_socket(options.config), "reset", TIMEOUT, settings=list(keys))
    except NotRunning as failure:
        if not failure.down:  # one may well run, and have the file in its hands
            raise
        answer = _without_daemon(options.config, keys)
    else:
        answer = {"running": True, "changed": outcome["changed"], "faults": []}
    show(options, answer, lambda: _said(answer))


def _without_daemon(ini: Path, keys: Sequence[str]) -> Mapping[str, Any]:
    """Change the file. What cannot be used then stops the daemon at its start, but is told now."""
    path = overlay_path(ini)
    gone: list[str] = []
    try:
        with suppress(FileNotFoundError), directory_lock(path):  # it has yet to be made
            there = read_overlay(path.parent, damaged=set(keys) == set(KEYS))
            after = there.without(keys)
            existed = path.exists()
            after.write()
            gone = [f"[{SECTION}] {key}" for key in there.keys if key not in after.keys]
            if existed and not gone and not path.exists():
                gone = [path.name]  # whatever was in there
    except OSError as error:
        raise CtlFailure(f"{path} cannot be changed: {error.strerror}. Run this as root.") from None
    try:
        load(ini, check_files=False)
    except ConfigurationFault as fault:
        return {"running": False, "changed": gone, "faults": list(fault.each)}
    return {"running": False, "changed": gone, "faults": []}


def _said(answer: Mapping[str, Any]) -> Iterator[str]:
    changed = ", ".join(map(printable, answer["changed"]))
    when = "" if answer["running"] else ", when callbridged starts"
    if changed:
        yield f"What the configuration file says counts again{when}: {changed}."
    else:
        yield "Nothing is different: what the configuration file says counts."
    for fault in answer["faults"]:
        yield from wrapped("But: ", fault, len("But: "))


def _origin(setting: Setting) -> str:
    if setting.instead_of is None:
        return setting.origin
    other = setting.instead_of or ("secret_file" if setting.key == "secret" else "no value")
    return f"{setting.origin}, instead of {other}"


def _key(text: str) -> str:
    if text not in KEYS:
        raise ValueError(f"{text[:80]!r} cannot be set there. {suggest(text, KEYS)}")
    return text
