"""``callbridgectl admin``: who may sign in on the web page and use the API."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import get_args

from callbridged.config import Config, load
from callbridged.config_admin import missing_libraries
from callbridged.web.access import Role
from callbridged.web.accounts import hash_password
from callbridged.web.admins_file import parse_name
from callbridged.web.admins_store import AdminsStore
from daemonkit.ctl import Frame, argument, show
from daemonkit.terminal import CtlFailure, read_secret, table

_EPILOG = """\
An admin may change settings and users, a viewer may look. A password is read
from the terminal without echo, or is the first line of standard input; only
its argon2id hash is kept, in users_file of [admin]. A running callbridged obeys
within seconds: who is removed, or has another password or role, is signed out.

examples:
  callbridgectl admin add alice
  callbridgectl admin add wallboard --role viewer < password
  callbridgectl admin list"""


def add_commands(frame: Frame) -> None:
    """Add ``admin`` with its own commands."""
    admin = frame.group("admin", "who may use the web page and the REST API", _EPILOG)
    command = frame.command(
        "add", add, "add an administrator; the password is asked for", within=admin
    )
    _add_name(command)
    command.add_argument("--role", choices=get_args(Role), default="admin", help="(default: admin)")
    _add_name(frame.command("passwd", passwd, "give another password", within=admin))
    command = frame.command("role", set_role, "give another role", within=admin)
    _add_name(command)
    command.add_argument("role", choices=get_args(Role), help="a viewer may change nothing")
    _add_name(frame.command("del", delete, "remove an administrator", within=admin))
    frame.command("list", list_, "who there is, with which role", within=admin)


def _add_name(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "name", metavar="NAME", type=argument(parse_name), help="what is typed to sign in"
    )


def add(options: argparse.Namespace) -> None:
    """``admin add NAME``."""
    config = load(options.config, check_files=False)
    store = AdminsStore(config.admin.users_file)
    store.check_absent(options.name)  # before the question, and again before the answer counts
    store.add(options.name, options.role, _ask(options.name))
    answer = {"admin": options.name, "role": options.role}
    lines = [f"{options.name} may sign in, as {options.role}.", *_hints(config)]
    show(options, answer, lambda: lines)


def passwd(options: argparse.Namespace) -> None:
    """``admin passwd NAME``."""
    store = _store(options)
    store.check_there(options.name)
    store.set_hash(options.name, _ask(options.name))
    show(options, {"admin": options.name}, lambda: [f"{options.name} has a new password."])


def set_role(options: argparse.Namespace) -> None:
    """``admin role NAME ROLE``."""
    _store(options).set_role(options.name, options.role)
    answer = {"admin": options.name, "role": options.role}
    show(options, answer, lambda: [f"The role of {options.name} is {options.role}."])


def delete(options: argparse.Namespace) -> None:
    """``admin del NAME``."""
    _store(options).remove(options.name)
    show(options, {"admin": options.name}, lambda: [f"{options.name} may not sign in any more."])


def list_(options: argparse.Namespace) -> None:
    """``admin list``; exit status 1 where lines of the file are broken."""
    store = _store(options)
    admins = store.read()
    accounts = [admins.accounts[name] for name in sorted(admins.accounts)]
    show(
        options,
        [{"admin": one.name, "role": one.role, "weak_hash": one.is_weak} for one in accounts],
        lambda: table(
            ("name", "role", ""),
            [(one.name, one.role, _WEAK.format(one.name) * one.is_weak) for one in accounts],
        ),
    )
    if admins.faults:
        faults = "\n  ".join(map(str, admins.faults))
        raise CtlFailure(f"lines of {store.path} are broken, the others count:\n  {faults}")


_WEAK = "old hash; callbridgectl admin passwd {} makes another"


def _store(options: argparse.Namespace) -> AdminsStore:
    return AdminsStore(load(options.config, check_files=False).admin.users_file)


def _ask(name: str) -> str:
    """Answer the hash of the password that is typed. Raises CtlFailure."""
    if missing := missing_libraries():
        raise CtlFailure(
            f"{' and '.join(missing)} must be installed first: run pip install "
            "'callbridge-xmpp[admin]' in this environment."
        )
    try:
        return hash_password(read_secret(f"Password for {name}", confirm=True))
    except ValueError as error:
        raise CtlFailure(f"this cannot be the password: {error}") from None


def _hints(config: Config) -> Iterator[str]:
    if not config.admin.listen:
        yield "There is no web page yet: set listen in [admin] of callbridged.ini, and restart it."
