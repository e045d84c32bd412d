"""An installation in which each secret is a marker, and whatever comes out of it is evidence."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Collection, Iterator
from pathlib import Path
from secrets import token_hex

from tests.support.https import Https
from tests.support.journal import Journal, view
from tests.support.markers import Evidence, marker
from tests.support.processes import free_port
from tests.support.site import Daemon, Site
from tests.support.web_hook import WebHook, user

ADMIN = "127.0.0.4"
#: Where nothing listens.
_NOWHERE = "127.0.0.9:1"


class MarkedSite:
    """xmppd and callbridged with everything switched on that has a secret. Not started."""

    def __init__(self) -> None:
        self.evidence = Evidence()
        self.site = Site()
        place = self.site.directory / "journal"
        place.mkdir()
        self.journal = Journal(place / "socket")
        self._view = view(place)
        try:
            self._make()
        except BaseException:
            self.site.close()
            raise

    def secret(self, name: str, but: Collection[str] = ()) -> str:
        """A new one, which must not come out, but in these places."""
        text = marker()
        self.evidence.hide(name, text, but)
        return text

    def _file(self, name: str) -> Path:
        """The same, in a file."""
        path = self.site.directory / name.replace(" ", "-").replace("'", "")
        path.touch(mode=0o600)
        path.write_text(self.secret(name) + "\n")
        return path

    def _make(self) -> None:
        site = self.site
        self.ports = {name: free_port(ADMIN) for name in ("admin", "callbridged", "xmppd")}
        listen = {name: f"tcp:{port}:interface={ADMIN}" for name, port in self.ports.items()}
        web = site.ca.issue("page", dns=["cb1.example.com"], ip=[ADMIN])
        scraped = dict(zip(("certificate", "private_key"), web, strict=True))
        turn = {"services": f"turn:{_NOWHERE}?transport=udp", "secret": self.secret("TURN")}
        self.server = site.server(
            settings={
                "turn": turn,
                "metrics": {"listen": listen["xmppd"], **scraped},
                "failed_logins": {"enabled": "no"},
            }
        )
        self.hook = _hook(self, site)
        self.access_code = self.secret("access code")
        self.bridge = site.bridge(
            secret=self.secret("Call Bridge, in a file"),
            settings={
                "users": {"backend": f"file:{site.users}\n    http:hook\n    ldap:o\n    sql:m"},
                "http hook": self.hook.settings(mechanisms="PLAIN", timeout="1s"),
                "ldap o": {
                    "url": f"ldap://{_NOWHERE}",
                    "tls": "none",
                    "bind_dn": "cn=callbridge",
                    "bind_password_file": self._file("LDAP"),
                    "base": "dc=example",
                    "timeout": "1s",
                },
                "sql m": {
                    "database": f"postgresql://meet@{_NOWHERE}/meet?sslmode=disable",
                    "password_file": self._file("SQL"),
                    "mechanisms": "PLAIN",
                    "timeout": "1s",
                },
                "guest": {"enabled": "yes", "access_code": self.access_code},
                "admin": {
                    "listen": listen["admin"],
                    **scraped,
                    "users_file": site.directory / "admins",
                },
                "metrics": {"listen": listen["callbridged"], **scraped},
                "failed_logins": {"enabled": "no"},
            },
        )
        self.bridge.ini.chmod(0o600)
        self.server.ini.chmod(0o600)
        for path in sorted(site.ca.directory.glob("*.key")):
            self.evidence.hide_key(path.name, path)
        for daemon in self.daemons:
            daemon.process.command[:0] = self._view
        site.enrol(self.bridge)
        self.passwords = {
            name: self.secret(f"password of {name}") for name in ("alice", "anna", "victor")
        }
        site.user("alice", self.passwords["alice"])
        for name, role in (("anna", "admin"), ("victor", "viewer")):
            self.run(
                self.bridge, "admin", "add", name, "--role", role, typed=self.passwords[name] + "\n"
            )

    @property
    def daemons(self) -> tuple[Daemon, Daemon]:
        return self.server, self.bridge

    address = ADMIN

    def run(self, daemon: Daemon, *arguments: str, typed: str = "") -> str:
        """A ctl command; what it prints is evidence, and its exit status is its own affair."""
        done: subprocess.CompletedProcess[str] = daemon.command(
            *arguments, typed=typed, check=False, prefix=self._view
        )
        words = " ".join(word for word in arguments if word.isalpha())
        said = done.stdout + done.stderr
        self.evidence.add(f"{daemon.ctl} {words}", said)
        return said

    def https(self, port: str = "admin") -> Https:
        """A port of ours, by name; what it answers is evidence."""

        def heard(raw: bytes) -> None:
            self.evidence.add(f"HTTP of {port}", raw)

        return Https(
            ADMIN, self.ports[port], self.site.ca.certificate_path, "cb1.example.com", heard
        )

    def collect_files(self) -> None:
        """What lies around for others."""
        for path, text in files_for_others(self.site.directory):
            self.evidence.add(f"file {path.relative_to(self.site.directory)}", text)

    def collect_journal(self) -> None:
        """What both daemons have sent there."""
        for entry in list(self.journal.entries):
            place = f"journal of {entry['SYSLOG_IDENTIFIER']}"
            self.evidence.add(place, "\n".join(f"{name}={text}" for name, text in entry.items()))

    def collect_processes(self) -> None:
        """What others see of the daemons that run."""
        for daemon in self.daemons:
            for name, text in seen_in_proc(daemon.process.pid):
                self.evidence.add(f"/proc, {name} of {daemon.name}", text)

    def close(self) -> None:
        self.hook.stop()
        self.journal.close()
        self.site.close()


def _hook(marked: MarkedSite, site: Site) -> WebHook:
    class Marked(WebHook):
        token = token_hex(16)  # RFC 6750 has no place for what a marker has around it

    marked.evidence.hide("web hook", Marked.token)

    return Marked(site.directory / "hook", site.ca, {"zoe": user("unknown to us")})


def files_for_others(directory: Path) -> Iterator[tuple[Path, bytes]]:
    """Those that the group or everybody may read, and those for the log and the audit."""
    for path in directory.rglob("*"):
        if path.is_file() and (
            path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH) or "log" in path.name
        ):
            yield path, path.read_bytes()


def seen_in_proc(pid: int) -> Iterator[tuple[str, bytes]]:
    """The command line and the environment of a process, and of those that it has started."""
    place = Path(f"/proc/{pid}")
    for name in ("cmdline", "environ"):
        yield name, (place / name).read_bytes()
    for task in (place / "task").iterdir():
        for child in (task / "children").read_text().split():
            for name, seen in seen_in_proc(int(child)):
                yield f"{name} of a child", seen
