"""A host with a real systemd: a Debian root directory that systemd-nspawn boots. Needs root.

What is learned from systemd is asked for inside, as an operator does. systemd-nspawn says itself
when the host is up, or up again. A boot takes half a second.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from tests.support.debian_root import DebianRoot
from tests.support.network import NetworkNamespace
from tests.support.processes import Process
from tests.support.waiting import DEADLINE, NeverHappened, wait_until

#: Nothing of ours shall be seen in there.
_CLEAN = [
    *("/usr/bin/env", "-i", "HOME=/root", "LC_ALL=C.UTF-8"),
    "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
]

#: Tells two of the same name apart.
_NUMBERS = itertools.count(1)

#: In a mount namespace that ends with it, so there is nothing to undo. What a host changes is kept
#: in memory. Two hosts in one cgroup would take each other's services for their own.
_BOOT = """
set -eu
root=$1 place=$2; shift 2
for group in $1; do echo $$ >"$group/cgroup.procs"; done; shift
mount -t tmpfs -o mode=755 changes "$place"
mkdir "$place/changed" "$place/work" "$place/root"
mount -t overlay -o "lowerdir=$root,upperdir=$place/changed,workdir=$place/work" root "$place/root"
status=133  # that is how it ends when the host reboots
while [ $status = 133 ]; do
    status=0
    setpriv --pdeathsig TERM systemd-nspawn --directory="$place/root" "$@" || status=$?
done
exit $status
"""


class Host:
    """Of ``root``, which stays as it is: what the host changes is its own, and ends with it.

    ``place`` will be a directory for that, whose path has to be short enough for a UNIX socket.
    """

    def __init__(self, name: str, root: DebianRoot, place: Path, network: NetworkNamespace) -> None:
        self.name = name
        place.mkdir()
        unique = f"{name}-{os.getpid()}-{next(_NUMBERS)}"
        self._groups = [top / f"callbridge-{unique}" for top in _cgroup_roots()]
        self._heard = _NotifySocket(place.with_suffix(".notify"))
        self.console = Process(
            name,
            [
                # When we are gone, SIGTERM lets it shut down.
                *("setpriv", "--pdeathsig", "TERM", "unshare", "--mount", "--propagation=private"),
                *("sh", "-c", _BOOT, "sh", root.directory, place, " ".join(map(str, self._groups))),
                *("--quiet", "--boot", f"--machine={unique}", f"--hostname={name}"),
                *("--resolv-conf=off", "--timezone=off", "--register=no", "--keep-unit"),
                *("--suppress-sync=yes", "--notify-ready=yes"),
                f"--network-namespace-path={network.path}",
            ],
            place.with_suffix(".console"),
            environment={"NOTIFY_SOCKET": str(self._heard.path)},
        )
        self._leader = 0

    @property
    def directory(self) -> Path:
        """Its root directory, as long as it runs."""
        return Path(f"/proc/{self._leader}/root")

    def boot(self) -> None:
        """Start it, and wait until systemd has started all that is to be started."""
        for group in self._groups:
            group.mkdir(exist_ok=True)
        self.console.start()
        self._await_boot()

    def reboot(self) -> None:
        """As from inside; answers when it is up again."""
        self.run("systemctl reboot")
        self._await_boot()

    def _await_boot(self) -> None:
        """systemd-nspawn names the first process in there, and then says that systemd is up."""
        self._leader = int(self._heard.next("X_NSPAWN_LEADER_PID=", self.console))
        self._heard.next("READY=1", self.console)

    def words(self, script: str) -> list[str]:
        """The command that runs a script of bash in there, as root."""
        return [
            *("nsenter", f"--target={self._leader}", "--mount", "--uts", "--ipc", "--net"),
            *("--pid", "--", *_CLEAN, "bash", "-euo", "pipefail", "-c", script),
        ]

    def run(self, script: str, *, typed: str = "", status: int = 0) -> str:
        """What a script of bash prints, on both channels; it must end with ``status``."""
        done = subprocess.run(
            self.words(script),
            input=typed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode != status:
            raise AssertionError(
                f"exit status {done.returncode} on {self.name} of:\n{script}\n{done.stdout}"
            )
        return done.stdout

    def install(self, packages: Path, *names: str) -> str:
        """Debian packages by name, from a directory out here."""
        place = self.directory / "debs"
        place.mkdir()
        for name in names:
            (package,) = packages.glob(f"{name}_*.deb")
            shutil.copy(package, place)
        try:
            return self.run(
                "DEBIAN_FRONTEND=noninteractive apt-get -qq --yes --no-install-recommends "
                "install /debs/*.deb"
            )
        finally:
            shutil.rmtree(place)

    def write(self, path: str, text: str | bytes, mode: int = 0o600) -> None:
        """A file of root's."""
        file = self.directory / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as opened:
            opened.write(text.encode() if isinstance(text, str) else text)

    def read(self, path: str) -> bytes:
        """A file, as root."""
        return (self.directory / path.lstrip("/")).read_bytes()

    def show(self, unit: str, name: str) -> str:
        """A property of the unit: `systemctl show`."""
        return self.run(f"systemctl show --property={name} --value {unit}").strip()

    def wait(self, unit: str, name: str, wanted: Callable[[str], bool]) -> str:
        """The property, once it is as wanted."""
        return wait_until(
            f"{name} of {unit} on {self.name}",
            lambda: next(filter(wanted, [self.show(unit, name)]), None),
            DEADLINE,
            lambda: self.explain(unit),
        )

    def journal(self, unit: str, *options: str) -> str:
        """What the unit's processes said since the last boot, without the time."""
        words = " ".join(options)
        return self.run(f"journalctl --boot --output=cat --no-pager --unit={unit} {words}")

    def explain(self, unit: str) -> str:
        return self.run(f"systemctl status --no-pager --full --lines=40 {unit} || true")

    def end(self) -> None:
        """As the power cut does. Safe to call at any time, any number of times."""
        for group in self._groups:
            _kill(group / "payload")
        self._heard.close()  # systemd-nspawn would wait for us to read what it has to say
        with contextlib.suppress(NeverHappened, AssertionError):
            self.console.wait()  # systemd-nspawn puts things in order
        self.console.kill()
        for group in self._groups:
            wait_until(f"{group} is empty", lambda group=group: _removed(group))


class _NotifySocket:
    """What sd_notify sends to: systemd-nspawn tells there what becomes of the host.

    It also passes on what systemd says later, and stands still when nobody takes that.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        while message := self._socket.recv(4096):
            for line in message.decode().splitlines():
                self._lines.put(line)
        self._socket.close()

    def next(self, wanted: str, sender: Process) -> str:
        """What follows ``wanted`` in the next line that begins with it."""
        try:
            while not (line := self._lines.get(timeout=DEADLINE)).startswith(wanted):
                pass
        except queue.Empty:
            raise NeverHappened(f"{sender.name} did not boot\n{sender.tail()}") from None
        return line.removeprefix(wanted)

    def close(self) -> None:
        with contextlib.suppress(OSError):  # closed already
            self._socket.sendto(b"", str(self.path))


def _cgroup_roots() -> list[Path]:
    """Of the hierarchies that systemd uses: one, or two where there are some of version 1."""
    top = Path("/sys/fs/cgroup")
    places = (top, top / "systemd", top / "unified")
    return [place for place in places if (place / "cgroup.procs").exists()]


def _kill(group: Path) -> None:
    """Everything in it and below it."""
    for below, _, _ in os.walk(group):
        with contextlib.suppress(FileNotFoundError):
            for process in (Path(below) / "cgroup.procs").read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(process), signal.SIGKILL)


def _removed(group: Path) -> bool:
    """Its last processes may be about to end."""
    _kill(group)
    for below, _, _ in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(below)
    return not group.exists()
