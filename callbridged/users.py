"""``callbridgectl user``: who is in the users file."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bridgewire.username import parse_username
from callbridged import users_store
from callbridged.backends.users_file import Users
from callbridged.config import Config, load
from callbridged.ending_ctl import TIMEOUT, said_of
from callbridged.scram_keys import ITERATIONS, MAX_ITERATIONS, MIN_ITERATIONS, SCHEMES, ScramKeys
from callbridged.scram_text import format_keys
from callbridged.users_store import NoSuchUser, UsersStore, UserThere
from daemonkit.calling import CommandError, NotRunning, call
from daemonkit.ctl import Frame, argument, show
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
    name: str = options.name
    path = _path(options)
    if is_there(path, name):  # before the question, and again before the answer counts
        raise _there(path, name)
    store(path, name, derive(ask(name), options.iterations))
    show(options, {"user": name}, lambda: [f"{name} may log in."])


def passwd(options: argparse.Namespace) -> None:
    """``user passwd NAME``."""
    name: str = options.name
    path = _path(options)
    if not is_there(path, name):
        raise _not_there(path, name)
    keys = derive(ask(name), options.iterations)
    with _told(path, name):
        UsersStore(path).replace(name, keys)
    show(options, {"user": name}, lambda: [f"{name} has a new password."])


def ask(name: str) -> str:
    """Answer the password that is typed for a user. Raises CtlFailure."""
    return read_secret(f"Password for {name}", confirm=True)


def derive(
    password: str, iterations: int = ITERATIONS, schemes: Iterable[str] = SCHEMES
) -> dict[str, ScramKeys]:
    """Answer the keys of a password. Raises CtlFailure where it cannot be one."""
    try:
        return users_store.derive(password, iterations, schemes)
    except ValueError as error:
        raise CtlFailure(
            f"this cannot be a password ({error}). Leave out control characters and characters "
            "younger than Unicode 3.2, such as emoji: clients could not send them either."
        ) from None


def is_there(path: Path, name: str) -> bool:
    """True where the file has the user, be it in a broken line. Raises CtlFailure."""
    return users_store.is_there(_read(path), name)


def store(path: Path, name: str, keys: dict[str, ScramKeys]) -> None:
    """Put a new user's keys into the file. Raises CtlFailure."""
    with _told(path, name):
        UsersStore(path).add(name, keys)


def delete(options: argparse.Namespace) -> None:
    """``user del NAME``."""
    name: str = options.name
    path = _path(options)
    with _told(path, name):
        UsersStore(path).remove(name)
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
    users = _read(path)
    if options.name is not None and not users_store.is_there(users, options.name):
        raise _not_there(path, options.name)
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
    mechanism = options.mechanism
    keys = format_keys(mechanism, derive(password, options.iterations, [mechanism])[mechanism])
    show(options, {mechanism: keys}, lambda: [keys])


def _path(options: argparse.Namespace) -> Path:
    return file_of(load(options.config, check_files=False))


def file_of(config: Config) -> Path:
    """Answer the users file. Raises CtlFailure where users come from elsewhere only."""
    path = users_store.users_file(config)
    if path is not None:
        return path
    names = ", ".join(backend.name for backend in config.users.backends)
    raise CtlFailure(
        f"users come from {names}, and this command changes files only. Change them where they are "
        "kept, or add file:PATH to backend in [users]."
    )


def _read(path: Path) -> Users:
    with _told(path):
        return UsersStore(path).read()


@contextmanager
def _told(path: Path, name: str = "") -> Iterator[None]:
    """Raise CtlFailure for what may become of changing the file."""
    try:
        yield
    except UserThere:
        raise _there(path, name) from None
    except NoSuchUser:
        raise _not_there(path, name) from None
    except PermissionError:
        raise CtlFailure(
            f"this user may not read and change {path}. Run this as root (sudo), or as the "
            "daemon's user."
        ) from None
    except OSError as error:
        raise CtlFailure(
            f"{path} cannot be changed: {error.strerror or error}. Check backend."
        ) from None


def _there(path: Path, name: str) -> CtlFailure:
    return CtlFailure(f"{name} is in {path} already. Use callbridgectl user passwd {name}.")


def _not_there(path: Path, name: str) -> CtlFailure:
    return CtlFailure(f"{name} is not in {path}. callbridgectl user list shows who is.")


def _iterations(text: str) -> int:
    if text.isascii() and text.isdigit() and MIN_ITERATIONS <= int(text[:9]) <= MAX_ITERATIONS:
        return int(text)
    raise ValueError(f"a number from {MIN_ITERATIONS} to {MAX_ITERATIONS}")
