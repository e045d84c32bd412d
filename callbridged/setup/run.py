"""Sets a Call Bridge up: names, secret, certificate, a first user, and a check."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

from bridgewire.identity import CertificateFault
from bridgewire.join_reading import STDIN, JoinFault, load_join
from callbridged import users
from callbridged.check.report import Report
from callbridged.check.run import run_check
from callbridged.check.trace import Trace
from callbridged.config import Config, load
from callbridged.setup import certificates
from callbridged.setup.overlaid import Overlaid
from callbridged.setup.secret import Secret
from callbridged.setup.server import server_address
from callbridged.setup.wishes import Wishes, gather, shipped
from daemonkit import ini_edit
from daemonkit.changes import Changes
from daemonkit.ctl import show
from daemonkit.ini import read_text
from daemonkit.ini_edit import Value
from daemonkit.setup_ctl import confirm, runs, steps, told
from daemonkit.terminal import CtlFailure, wrapped

_NEW = "# callbridged: the Call Bridge. callbridged.ini(5) has every setting.\n\n[callbridge]\n"
START = "systemctl enable --now callbridged"


@told(CertificateFault, JoinFault)
def run(options: Namespace) -> int:
    """Do it; 1 if the check at the end finds a failure, or something is still missing.

    Raises CtlFailure and ConfigurationFault.
    """
    if options.join == STDIN and options.user:
        raise CtlFailure(
            "the password of --user and the join file cannot both come from standard input. Add "
            f"the user later: callbridgectl user add {options.user}"
        )
    ini: Path = options.config
    join = None if options.join is None else load_join(options.join, "callbridge", time.time())
    text = read_text(ini) if ini.exists() else _NEW
    draft = ini_edit.put(text, options.set)  # says where the files are
    overlaid = Overlaid(ini, draft)
    secret = Secret(ini, draft, overlaid)
    wishes = gather(options, overlaid.over(draft), join, has_secret=bool(secret.there))
    changes = Changes(replace=options.replace)
    text, note = _plan_settings(changes, options, text, wishes, overlaid)
    config = load(ini, check_files=False, text=text, overlay=overlaid.left)
    to_do = certificates.plan(changes, config, wishes)
    secret.plan(changes, wishes.secret)
    overlaid.plan(changes)
    password = _plan_user(changes, config, options)
    if join is not None and options.join != STDIN:
        changes.add(options.join, "taken over, and deleted", options.join.unlink)
    changes.check()
    if wishes.asked:
        confirm(changes)
    if not options.dry_run:
        changes.apply()
    checked = not options.dry_run and not to_do
    report = _check(ini, options.user if password else None, password) if checked else None
    following = [to_do] if to_do else list(_following(config, changes))
    answer = {
        "changes": [one.as_json() for one in changes.all],
        "note": note,
        "check": None if report is None else report.as_json(),
        "next": following,
    }
    show(options, answer, lambda: _lines(changes, wishes.asked, note, report, following))
    return 1 if to_do or (report is not None and report.failures) else 0


def _plan_settings(
    changes: Changes, options: Namespace, text: str, wishes: Wishes, overlaid: Overlaid
) -> tuple[str, str]:
    """Answer the new text of the ini file, and a note about it."""
    values = [
        Value("callbridge", "name", wishes.name),
        Value("callbridge", "domain", wishes.domain),
    ]
    told: list[Value] = list(options.set)
    if options.server_address:
        told.append(Value("callbridge", "server_address", options.server_address))
    replace: bool = options.replace
    values = [one for one in values if not overlaid.decides(changes, one, gives_way=replace)]
    told = [one for one in told if not overlaid.decides(changes, one, gives_way=True)]
    draft_text = ini_edit.put(text, [*values, *told])
    draft = load(options.config, check_files=False, text=draft_text, overlay=overlaid.left)
    found, note = server_address(draft, wishes.server)
    values += found
    came = shipped(options.config, ini_edit.put(text, told))
    text = changes.settings(options.config, text, values, shipped=came, told=told)
    return text, note


def _plan_user(changes: Changes, config: Config, options: Namespace) -> str:
    """Answer the password of a new user, nothing where there is none."""
    name: str | None = options.user
    if name is None:
        return ""
    path = users.file_of(config)
    if users.is_there(path, name):
        changes.keep(path, f"{name} may log in")
        return ""
    password = "" if options.dry_run else users.ask(name)
    keys = users.derive(password) if password else {}
    changes.add(path, f"{name} may log in", lambda: users.store(path, name, keys))
    return password


def _check(ini: Path, user: str | None, password: str) -> Report:
    return run_check(load(ini), Trace(None), user, password)


def _following(config: Config, changes: Changes) -> Iterator[str]:
    """What to do next, in order."""
    if not runs(config.callbridge.control_socket):
        yield START
    elif changes.any:
        yield "callbridgectl reload"
    yield "callbridgectl status"


def _lines(
    changes: Changes, shown: bool, note: str, report: Report | None, following: Sequence[str]
) -> Iterator[str]:
    for one in changes.all if not shown else ():
        yield from one.lines()
    if not changes.any:
        yield "Nothing was changed: all of this is there already."
    if note:
        yield from wrapped("", note, 0)
    yield ""
    if report is not None:
        yield from report.lines()
        if report.failures:
            yield from wrapped("", _TRIES, 0)
        yield ""
    yield from steps(following)


_TRIES = (
    "The set-up is written. A server that does not run yet is no trouble: callbridged goes on "
    "trying. Anything else has its remedy above; `callbridgectl check` looks again."
)
