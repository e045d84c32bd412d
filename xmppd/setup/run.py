"""Sets a server up: names, certificates, Call Bridges, DNS records, and a check."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from bridgewire.identity import CertificateFault
from bridgewire.join_reading import STDIN, JoinFault, load_join
from daemonkit import ini_edit
from daemonkit.changes import Changes
from daemonkit.ctl import show
from daemonkit.ini import read_text
from daemonkit.setup_ctl import confirm, runs, steps, told
from xmppd.check.condition import Condition, Result
from xmppd.check.ctl import every_condition
from xmppd.components.registry import Registry
from xmppd.config import Config, load
from xmppd.setup import certificates, zone
from xmppd.setup.members import Members
from xmppd.setup.wishes import gather, shipped

_NEW = "# xmppd: the XMPP server at the edge. xmppd.ini(5) has every setting.\n\n[xmppd]\n"
START = "systemctl enable --now xmppd.socket xmppd"


@told(CertificateFault, JoinFault)
def run(options: Namespace) -> int:
    """Do it; 1 if the check at the end finds a failure.

    Raises CtlFailure, ConfigurationFault and RegistryFault.
    """
    ini: Path = options.config
    now = time.time()
    join = None if options.join is None else load_join(options.join, "server", now)
    text = read_text(ini) if ini.exists() else _NEW
    draft = ini_edit.put(text, options.set)  # says where the files are
    wishes = gather(options, ini, draft, join)
    changes = Changes(replace=options.replace)
    text = changes.settings(ini, text, wishes.values, shipped=shipped(ini, draft), told=options.set)
    config = load(ini, check_files=False, text=text)
    wish = wishes.certificates
    to_do = certificates.plan(changes, ini, config, wish, datetime.fromtimestamp(now, UTC))
    with closing(Registry(config.xmppd.state_directory, config.xmppd.domain)) as registry:
        end = int(now + options.valid)
        members = Members(
            changes, ini, config, registry, options.join_directory.absolute(), now, end
        )
        if join is not None:
            members.join(join)
        if not to_do:  # else nobody knows yet whom they would have to trust
            members.callbridges(wishes.callbridges)
            members.servers(wishes.servers)
        if join is not None and options.join != STDIN:
            changes.add(options.join, "taken over, and deleted", options.join.unlink)
        changes.check()
        if wishes.asked:
            confirm(changes)
        if not options.dry_run:
            changes.apply()
    records = zone.zone_lines(config)
    conditions = [] if options.dry_run else list(every_condition(ini))
    following = [to_do] if to_do else list(_following(config, changes, conditions, members.files))
    answer = {
        "changes": [one.as_json() for one in changes.all],
        "records": records,
        "join_files": [str(path) for path in members.files],
        "check": [one.as_json() for one in conditions],
        "next": following,
    }
    show(options, answer, lambda: _lines(changes, wishes.asked, records, conditions, following))
    return 1 if any(one.result is Result.FAILURE for one in conditions) else 0


def _following(
    config: Config, changes: Changes, conditions: Sequence[Condition], files: Sequence[Path]
) -> Iterator[str]:
    """What to do next, in order."""
    published = [one.result is Result.SUCCESS for one in conditions if one.about.startswith("SRV")]
    if not published or not all(published):
        yield "Publish the records above, where they are missing."
    if not runs(config.xmppd.control_socket):
        yield START
    elif changes.any:
        yield "xmppctl reload"
    for path in files:
        command = "xmppctl" if path.name.removesuffix(".join").count(".") else "callbridgectl"
        yield (
            f"Take {path} to its host (scp), leave no copy behind, and there, as root: "
            f"{command} setup --join {path.name}"
        )


def _lines(
    changes: Changes,
    shown: bool,
    records: Sequence[str],
    conditions: Sequence[Condition],
    following: Sequence[str],
) -> Iterator[str]:
    for one in changes.all if not shown else ():
        yield from one.lines()
    if not changes.any:
        yield "Nothing was changed: all of this is there already."
    yield ""
    yield "Records for the DNS, with the address that others reach:"
    yield from (f"  {record}" for record in records)
    yield ""
    for condition in conditions:
        yield from condition.lines()
    yield ""
    yield from steps(following)
