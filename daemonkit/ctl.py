"""The frame of a ctl command: arguments, calling the daemon, printing, exit status.

A ctl command is written like this::

    def main(argv: Sequence[str] | None = None) -> int:
        frame = Frame("xmppctl", "Operates xmppd.", DEFAULT_PATH, "callbridge-xmpp", EXAMPLES)
        frame.command("status", status, "what runs, and how well")
        callbridge = frame.group("callbridge", "who may connect")
        add = frame.command("add", add_callbridge, "make a secret", within=callbridge)
        add.add_argument("name", metavar="NAME")
        return frame.run(argv)

    def status(options: argparse.Namespace) -> None:
        answer = control.call(load(options.config).xmppd.control_socket, "status")
        show(options, answer, lambda: for_people(answer))

What a command function answers is the exit status; None is 0. What it raises of `EXPECTED` is
printed as one message, ``xmppctl: text``, with exit status 1; argparse's own usage errors end with
exit status 2. ``--config FILE`` and ``--json`` may stand before the command or after it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from daemonkit.calling import CommandError, NotRunning
from daemonkit.ini import ConfigurationFault
from daemonkit.terminal import CtlFailure, fail

T = TypeVar("T")

Command = Callable[[argparse.Namespace], int | None]
Group = Any  # argparse._SubParsersAction, which has no public name

#: What a command may raise for reasons that the operator can mend.
EXPECTED = (CtlFailure, ConfigurationFault, NotRunning, CommandError)


class Frame:
    """One ctl command's parser and how it runs.

    ``distribution`` is the installed distribution that ``--version`` names; ``epilog`` is shown
    below the help as it is written, for examples.
    """

    def __init__(
        self, program: str, description: str, default: Path, distribution: str, epilog: str = ""
    ) -> None:
        self.program = program
        self._after = argparse.ArgumentParser(add_help=False)
        # SUPPRESS: what stands before the command is not overwritten by a default after it.
        _common(self._after, argparse.SUPPRESS, argparse.SUPPRESS, default)
        self.parser = _parser(argparse.ArgumentParser, program, description, epilog)
        _common(self.parser, default, False, default)
        self.parser.add_argument(
            "--version", action="version", version=f"%(prog)s {_version(distribution)}"
        )
        self._top = self.parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def group(self, name: str, about: str, epilog: str = "") -> Group:
        """Add a command that has commands of its own, and answer the place for them."""
        parser = _parser(
            self._top.add_parser, name, f"{about}.", epilog, help=about, parents=[self._after]
        )
        return parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def below(self, command: argparse.ArgumentParser) -> Group:
        """Answer the place for further commands below one that is a command by itself, too."""
        return command.add_subparsers(title="commands", metavar="COMMAND")

    def command(
        self, name: str, run: Command, about: str, *, within: Group = None, details: str = ""
    ) -> argparse.ArgumentParser:
        """Add a command and answer its parser, for its arguments.

        ``about`` is its line in the help, without a full stop; ``details`` stand below its own.
        """
        place = self._top if within is None else within
        parser = _parser(
            place.add_parser, name, f"{about}.", details, help=about, parents=[self._after]
        )
        parser.set_defaults(run=run)
        return parser

    def run(
        self, argv: Sequence[str] | None = None, expected: tuple[type[Exception], ...] = ()
    ) -> int:
        """Parse, do it, and answer the exit status. ``argv`` None: the process's arguments.

        ``expected``: exceptions that are reported like those of `EXPECTED`.
        """
        options = self.parser.parse_args(argv)
        reported: tuple[type[Exception], ...] = (*EXPECTED, *expected)
        try:
            status = options.run(options)
            sys.stdout.flush()
        except reported as failure:
            return fail(self.program, failure)
        except KeyboardInterrupt:
            fail(self.program, "interrupted")
            return 128 + signal.SIGINT
        except BrokenPipeError:  # whoever read our output, such as head, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        return status or 0


def argument(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Answer a ``type`` for `argparse`: what ``parse`` says in a ValueError is shown to people."""

    def parsed(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parsed


def show(
    options: argparse.Namespace, answer: object, lines: Callable[[], Iterable[str]] | None = None
) -> None:
    """Print ``answer`` as JSON if ``--json`` was given, else the ``lines`` for people, if any."""
    if options.json:
        print(json.dumps(answer, indent=2, ensure_ascii=False))
        return
    for line in lines() if lines else ():
        print(line)


def _common(parser: argparse.ArgumentParser, config: Any, as_json: Any, default: Path) -> None:
    parser.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        default=config,
        help=f"the daemon's configuration file (default: {default})",
    )
    parser.add_argument(
        "--json", action="store_true", default=as_json, help="print JSON, for programs"
    )


def _parser(
    make: Callable[..., argparse.ArgumentParser], name: str, about: str, epilog: str, **more: Any
) -> argparse.ArgumentParser:
    return make(
        name,
        description=about[:1].upper() + about[1:],
        epilog=epilog or None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        **more,
    )


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "(not installed)"
