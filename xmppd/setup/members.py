"""Who joins an XMPP server: Call Bridges with their secrets, further servers, and their files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from bridgewire.join import JoinFile, Member, show_time
from bridgewire.join_reading import JoinFault, load_join
from daemonkit.changes import Changes
from daemonkit.hosts import parse_name
from daemonkit.replace import replace_file
from daemonkit.terminal import CtlFailure
from xmppd.components.registry import Registry, normal_name
from xmppd.config import Config
from xmppd.ctl_callbridges import check_name
from xmppd.setup import join_files


class Members:
    """Notes what is to change about them. ``now`` and ``end`` of the join files are UNIX time.

    ``directory``: where those are written. ``files``: they, as they will be.
    """

    def __init__(
        self,
        changes: Changes,
        ini: Path,
        config: Config,
        registry: Registry,
        directory: Path,
        now: float,
        end: int,
    ) -> None:
        self._changes = changes
        self._ini = ini
        self._config = config
        self._registry = registry
        self._directory = directory
        self._now = now
        self._end = end
        self.files: list[Path] = []

    def callbridges(self, names: Sequence[str]) -> None:
        """Let them connect, with a secret that is made, and make a join file for each."""
        domain = self._config.xmppd.domain
        for name in map(normal_name, names):
            check_name(self._config, domain, name)
            if self._registry.find(domain, name) is not None:
                again = f"`xmppctl callbridge join {name}` makes another join file"
                self._changes.keep(self._registry.path, f"{name} may connect; {again}")
                continue
            add = partial(self._registry.add, domain, name, self._end)
            self._changes.add(self._registry.path, f"{name} may connect", add)
            self._file(name, f"join file for {name}", partial(self._for_callbridge, name))

    def servers(self, names: Sequence[str]) -> None:
        """Make a join file for each of these hosts."""
        for text in names:
            try:
                hostname = parse_name(text)
            except ValueError as error:
                raise CtlFailure(f"nothing was changed: {error}") from None
            path = self._directory / join_files.file_name(hostname)
            try:
                there = load_join(path, "server", self._now)
            except JoinFault:
                make = partial(self._for_server, hostname)
                self._file(hostname, f"join file for the server {hostname}", make)
            else:
                good = f"join file for {hostname}, good until {show_time(there.expires)}"
                self._changes.keep(path, good)
                self.files.append(path)

    def join(self, join: JoinFile) -> None:
        """Let the Call Bridges of another server connect, with the same secrets."""
        for member in join.callbridges:
            self._member(join.domain, member)

    def _member(self, domain: str, member: Member) -> None:
        known = self._registry.find(domain, member.name)
        path = self._registry.path
        if known is not None and member.secret in (known.secret, known.next_secret):
            self._changes.keep(path, f"{member.name} may connect, with the same secret")
        elif known is None or known.expires is not None or self._changes.replace:
            add = partial(
                self._registry.add_secret, domain, member.name, member.secret, member.expires
            )
            text = f"{member.name} may connect, with the secret that the other server knows"
            self._changes.add(path, text, add)
        else:
            self._changes.faults.append(
                f"{member.name} has another secret here than on the server that made the join "
                "file, and would reach only one of the two. Add --replace to take over the other."
            )

    def _file(self, name: str, text: str, make: partial[str]) -> None:
        path = self._directory / join_files.file_name(name)
        about = f"{text}, good until {show_time(self._end)}"
        self._changes.add(path, about, lambda: replace_file(path, make().encode()))
        self.files.append(path)

    def _for_callbridge(self, name: str) -> str:
        domain = self._config.xmppd.domain
        known = self._registry.find(domain, name)
        if known is None:
            raise CtlFailure(f"{name} was removed meanwhile. Run the same command again.")
        return join_files.for_callbridge(self._ini, self._config, domain, name, known, self._end)

    def _for_server(self, hostname: str) -> str:
        config = self._config
        return join_files.for_server(self._ini, config, hostname, self._registry, self._end)
