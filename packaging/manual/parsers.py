"""The four commands as argparse parsers, as the tools for manual pages and completion want them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import shtab

import callbridged.ctl
import callbridged.tap
import xmppd.ctl
import xmppd.tap

_FRAMES = {"xmppctl": xmppd.ctl.make_frame, "callbridgectl": callbridged.ctl.make_frame}
_OPTIONS = {"xmppd": xmppd.tap.Options, "callbridged": callbridged.tap.Options}
#: Every command has these; the page tells of them once, before the commands.
_COMMON = {"help", "config", "json"}

CTL_COMMANDS = tuple(_FRAMES)
DAEMONS = tuple(_OPTIONS)


def parser_of(program: str) -> argparse.ArgumentParser:
    """Answer the parser of one of `CTL_COMMANDS` or `DAEMONS`, made anew."""
    return _FRAMES[program]().parser if program in _FRAMES else _daemon_parser(program)


def every_parser(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parser, and those of its commands, and those of theirs."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from every_parser(below)


def for_manual(program: str) -> tuple[argparse.ArgumentParser, str]:
    """Answer a parser without what argparse-manpage would repeat or drop, and the examples."""
    parser = parser_of(program)
    for one in every_parser(parser):
        if one is parser:
            continue
        for action in one._actions:
            if action.dest in _COMMON:
                action.help = argparse.SUPPRESS
        # The line above the usage says what is in the description; the epilog is dropped.
        one.description, one.epilog = one.epilog, None
    examples, parser.epilog = parser.epilog or "", None
    return parser, examples.removeprefix("examples:\n")


def for_completion(program: str) -> argparse.ArgumentParser:
    """Answer a parser that knows where files are named."""
    parser = parser_of(program)
    for one in every_parser(parser):
        for action in one._actions:
            if action.type is Path:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    return parser


def _daemon_parser(program: str) -> argparse.ArgumentParser:
    """The options of ``twistd xmppd``, which are Twisted's and not argparse's."""
    options: Any = _OPTIONS[program]
    parser = argparse.ArgumentParser(
        prog=program,
        usage=f"twistd --nodaemon --pidfile= {program} [--config FILE]",
        description=options.longdesc.replace("`", ""),
        add_help=False,
    )
    for long, short, default, help_text, *_ in options.optParameters:
        parser.add_argument(
            f"-{short}", f"--{long}", metavar="FILE", help=f"{help_text} Default: {default}"
        )
    return parser
