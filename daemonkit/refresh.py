"""Brings a unit's credentials up to date before a reload, which systemd does not do by itself.

systemd copies them when it starts the unit, and not again (unless, from version 260 on, the unit
has ``RefreshOnReload=credentials``). Here it does so for a unit of a moment with the same settings,
and the new copies are put in the place of the old ones. For ctl commands, run by root.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from daemonkit.terminal import CtlFailure

#: Seconds for each of the three programs that are run.
TIMEOUT = 30.0
#: Runs a program with this input, and answers what it prints; raises CtlFailure.
Run = Callable[[Sequence[str], bytes], bytes]

_UNIT = re.compile(r"/run/credentials/(?P<name>[\w@:.\\-]+\.service)")
_LOADED = ("LoadCredential", "LoadCredentialEncrypted")
#: Those that stand in the unit itself do not change.
_SET = ("SetCredential", "SetCredentialEncrypted")
_READ = 'exec tar -cC "$CREDENTIALS_DIRECTORY" .'
#: With the directory, and the names of those that stay: puts there what is in an archive.
_WRITE = r"""
set -eu
place=$1
shift
# Nobody may write there. This process may, in a view of the file systems that is its own.
if mountpoint -q "$place"; then mount -o remount,bind,rw "$place"; fi
exec 9<"$place"
flock 9
trap 'rm -rf "$place/.new"' EXIT
rm -rf "$place/.new"
mkdir -m 700 "$place/.new"
cd "$place/.new"
tar -x --no-same-owner
for old in ../*; do
    name=${old##*/}
    stays=no
    for one; do [ "$one" != "$name" ] || stays=yes; done
    [ -e "$name" ] || [ $stays = yes ] || rm -f "$old"
done
find . -type f -exec chown "$(stat -c %u ..)" {} + -exec chmod 400 {} + -exec mv -ft .. {} +
"""


def unit_of(directory: str | None) -> str | None:
    """Answer the unit whose credentials are in ``directory``; None for one that is not systemd's.

    A daemon says what its directory is, and root is not to write anywhere a daemon says.
    """
    found = _UNIT.fullmatch(directory or "")
    return found["name"] if found else None


def refresh(unit: str, run: Run | None = None) -> None:
    """Let the daemon see what the files are now.

    Raises:
        CtlFailure: nothing has changed; with what systemd, or one of the programs, says.
    """
    run = run or _run
    settings = {name: _property(unit, name, run) for name in (*_LOADED, *_SET)}
    wanted = [
        f"--property={name}={identifier}:{path}"
        for name in _LOADED
        for identifier, path in settings[name]
    ]
    if not wanted:
        return
    moment = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect"]
    copies = run([*moment, *wanted, "sh", "-c", _READ], b"")
    stay = [one[0] for name in _SET for one in settings[name]]
    # /run/credentials cannot be seen from a unit's own view of the file systems.
    view = ["nsenter", "--target=1", "--mount", "unshare", "--mount"]
    run([*view, "sh", "-c", _WRITE, "sh", f"/run/credentials/{unit}", *stay], copies)


def _property(unit: str, name: str, run: Run) -> list[list[Any]]:
    place = re.sub(r"[^A-Za-z0-9]", lambda one: f"_{ord(one[0]):02x}", unit)
    said = run(
        [
            "busctl",
            "--json=short",
            "get-property",
            "org.freedesktop.systemd1",
            f"/org/freedesktop/systemd1/unit/{place}",
            "org.freedesktop.systemd1.Service",
            name,
        ],
        b"",
    )
    found: list[list[Any]] = json.loads(said)["data"]
    return found


def _run(command: Sequence[str], given: bytes) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and every word is ours or the unit's
            command, input=given, capture_output=True, check=False, timeout=TIMEOUT
        )
    except subprocess.TimeoutExpired:
        why = f"took more than {TIMEOUT:g} s"
    except OSError as error:
        why = error.strerror or str(error)
    else:
        if done.returncode == 0:
            return done.stdout
        said = done.stderr.decode(errors="replace").strip()
        why = said or f"ended with exit status {done.returncode}"
    raise CtlFailure(
        f"the unit's credentials could not be brought up to date ({Path(command[0]).name}: {why}). "
        "Look at LoadCredential= in the unit and at the files there; `journalctl -n 20` says more. "
        "The daemon goes on with those that it has."
    )
