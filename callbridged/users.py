"""``callbridgectl user``: who is in the users file."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from bridgewire.username import parse_username
from callbridged.backends.file import FileBackendFactory
from callbridged.backends.users_file import MAX_FILE, Users, parse, put
from callbridged.config import Config, load
from callbridged.ending_ctl import TIMEOUT, said_of
from callbridged.scram_keys import ITERATIONS, MAX_ITERATIONS, MIN_ITERATIONS, SCHEMES, ScramKeys
from callbridged.scram_text import format_keys
from daemonkit.calling import CommandError, NotRunning, call
from daemonkit.ctl import Frame, argument, show
from daemonkit.replace import directory_lock, replace_file
from daemonkit.terminal import CtlFailure, read_secret, table


def add_commands(frame: Frame) -> None:
    """Add ``user`` with its own commands."""
    user = frame.group("user", "who may log in, with backend = file:", _EPILOG)
    for name, run, about in (
        ("add", add, "add a user; the password is asked for"),
        ("passwd", passwd, "give a user another password"),
    ):
        command = frame.command(name, run, about, within=user)
        command.add_argument("name", metavar="NAME", type=argument(parse_username), help=_NAME_HELP)
        _add_iterations(command)
    command = frame.command("del", delete, "remove a user", within=user)
    command.add_argument("name", metavar="NAME", type=argument(parse_username), help=_NAME_HELP)
    command = frame.command("list", list_, "who is there, and by which mechanisms", within=user)
    command.add_argument(
        "name", metavar="NAME", nargs="?", type=argument(parse_username), help="only this user"
    )
    command = frame.command("scram", scram, _SCRAM, within=user)
    command.add_argument(
        "--mechanism",
        choices=SCHEMES,
        default=SCHEMES[0],
        help=f"what the keys are for (default: {SCHEMES[0]})",
    )
    _add_iterations(command)


def _add_iterations(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--iterations",
        metavar="N",
        type=argument(_iterations),
        default=ITERATIONS,
        help=f"of PBKDF2; more is slower to guess and to log in (default: {ITERATIONS})",
    )


_SCRAM = "print the SCRAM keys of a password, for a database or a directory"
_NAME_HELP = "the part of the user's JID before the @"
_EPILOG = """\
A password is read from the terminal without echo, or is the first line of
standard input. Only SCRAM keys are kept. A running callbridged obeys at once.
With another backend, scram prints the keys for you to put where they belong.

examples:
  callbridgectl user add alice
  callbridgectl user passwd alice < new-password"""


def add(options: argparse.Namespace) -> None:
    """``user add NAME``."""
    _give_password(options, _check_absent, "may log in")


def passwd(options: argparse.Namespace) -> None:
    """``user passwd NAME``."""
    _give_password(options, _check_there, "has a new password")


def _give_password(
    options: argparse.Namespace, check: Callable[[Users, str, Path], None], outcome: str
) -> None:
    """Ask for a password and put its keys into the file, if ``check`` does not refuse."""
    name: str = options.name
    path = _path(options)
    users, _ = _read(path)
    check(users, name, path)  # before the question, and again before the answer counts
    store(path, name, derive(ask(name), options.iterations), check)
    show(options, {"user": name}, lambda: [f"{name} {outcome}."])


def ask(name: str) -> str:
    """Answer the password that is typed for a user. Raises CtlFailure."""
    return read_secret(f"Password for {name}", confirm=True)


def derive(password: str, iterations: int = ITERATIONS) -> dict[str, ScramKeys]:
    """Answer the keys of a password. Raises CtlFailure where it cannot be one."""
    return {mechanism: _derive(mechanism, password, iterations) for mechanism in SCHEMES}


def is_there(path: Path, name: str) -> bool:
    """True where the file has the user, be it in a broken line. Raises CtlFailure."""
    users, _ = _read(path)
    return name in users.keys or name in users.broken


def store(
    path: Path,
    name: str,
    keys: dict[str, ScramKeys],
    check: Callable[[Users, str, Path], None] | None = None,
) -> None:
    """Put a user's keys into the file, if ``check`` (by default: is it new?) does not refuse."""

    def change(content: bytes, users: Users) -> bytes:
        (check or _check_absent)(users, name, path)
        return put(content, name, keys)

    _change(path, change)


def delete(options: argparse.Namespace) -> None:
    """``user del NAME``."""
    name: str = options.name
    path = _path(options)

    def change(content: bytes, users: Users) -> bytes:
        _check_there(users, name, path)
        return put(content, name, None)

    _change(path, change)
    ended, said = _end_sessions(options, name)
    lines = [f"{name} may not log in any more.", *said]
    show(options, {"user": name, "sessions_ended": ended}, lambda: lines)


def _end_sessions(options: argparse.Namespace, name: str) -> tuple[int | None, list[str]]:
    """Let the daemon end the sessions of a user who is gone; one that does not run holds none.

    Answers how many, None where nobody could be asked, and what to say.
    """
    socket = load(options.config, check_files=False).callbridge.control_socket
    try:
        answer = call(socket, "kick", TIMEOUT, user=name, reason="This account has been removed.")
    except NotRunning as why:
        return None, [] if why.down else [f"Sessions of {name}, if any, go on: {why}"]
    except CommandError as why:
        return None, [f"Sessions of {name}, if any, go on: {why}"]
    return answer["ended"], [said_of(answer)]


def list_(options: argparse.Namespace) -> int:
    """``user list [NAME]``; exit status 1 where lines of the file are broken."""
    path = _path(options)
    users, _ = _read(path)
    if options.name is not None:
        _check_there(users, options.name, path)
    names = sorted(users.keys) if options.name is None else [options.name]
    rows = [(name, sorted(users.keys.get(name, {}))) for name in names]
    show(
        options,
        [{"user": name, "mechanisms": mechanisms} for name, mechanisms in rows],
        lambda: table(
            ("user", "mechanisms"),
            [(name, ", ".join(mechanisms) or "(broken)") for name, mechanisms in rows],
        ),
    )
    if users.faults:
        faults = "\n  ".join(map(str, users.faults))
        raise CtlFailure(f"lines of {path} are broken, the others count:\n  {faults}")
    return 0


def scram(options: argparse.Namespace) -> None:
    """``user scram``: for users who are not in a file."""
    password = read_secret("Password", confirm=True)
    keys = format_keys(options.mechanism, _derive(options.mechanism, password, options.iterations))
    show(options, {options.mechanism: keys}, lambda: [keys])


def _path(options: argparse.Namespace) -> Path:
    return file_of(load(options.config, check_files=False))


def file_of(config: Config) -> Path:
    """Answer the users file. Raises CtlFailure where users come from elsewhere only."""
    backends = config.users.backends
    for backend in backends:
        if isinstance(backend.factory, FileBackendFactory):
            path: Path = backend.argument
            return path
    names = ", ".join(backend.name for backend in backends)
    raise CtlFailure(
        f"users come from {names}, and this command changes files only. Change them where they are "
        "kept, or add file:PATH to backend in [users]."
    )


def _derive(mechanism: str, password: str, iterations: int) -> ScramKeys:
    try:
        return ScramKeys.derive(mechanism, password, iterations)
    except ValueError as error:
        raise CtlFailure(
            f"this cannot be a password ({error}). Leave out control characters and characters "
            "younger than Unicode 3.2, such as emoji: clients could not send them either."
        ) from None


def _read(path: Path) -> tuple[Users, bytes]:
    """What the file says; no file is no users."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
    except FileNotFoundError:
        content = b""
    except OSError as error:
        raise _refused(path, error) from None
    if len(content) > MAX_FILE:
        raise CtlFailure(f"{path} has more than {MAX_FILE} octets; it is some other file.")
    return parse(content), content


def _change(path: Path, change: Callable[[bytes, Users], bytes]) -> None:
    try:
        with directory_lock(path):
            users, content = _read(path)
            replace_file(path, change(content, users), account="callbridged")
    except OSError as error:
        raise _refused(path, error) from None


def _refused(path: Path, error: OSError) -> CtlFailure:
    if isinstance(error, PermissionError):
        return CtlFailure(
            f"this user may not read and change {path}. Run this as root (sudo), or as the "
            "daemon's user."
        )
    return CtlFailure(f"{path} cannot be changed: {error.strerror or error}. Check backend.")


def _check_absent(users: Users, name: str, path: Path) -> None:
    if name in users.keys or name in users.broken:
        raise CtlFailure(f"{name} is in {path} already. Use callbridgectl user passwd {name}.")


def _check_there(users: Users, name: str, path: Path) -> None:
    if name not in users.keys and name not in users.broken:
        raise CtlFailure(f"{name} is not in {path}. callbridgectl user list shows who is.")


def _iterations(text: str) -> int:
    if text.isascii() and text.isdigit() and MIN_ITERATIONS <= int(text[:9]) <= MAX_ITERATIONS:
        return int(text)
    raise ValueError(f"a number from {MIN_ITERATIONS} to {MAX_ITERATIONS}")
