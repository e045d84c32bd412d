"""A whole installation in one directory: authority, DNS, xmppd and callbridged daemons, users.

Everything listens on loopback addresses and ports that were free a moment before. Nothing is
started until asked; ``close`` ends whatever still runs and removes the directory.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from daemonkit import control
from tests.support.ca import CertificateAuthority
from tests.support.processes import BIN, Process, free_port, run
from tests.support.waiting import DEADLINE, wait_until
from tests.support.zones import NameServer, TwistedNameServer, Zone

#: section -> key -> value, as they will stand in an ini file.
Settings = Mapping[str, Mapping[str, object]]

#: Exit statuses of a daemon that was told to stop. twistd ends by the signal once all is closed.
CLEAN = (0, -signal.SIGTERM)


def write_ini(path: Path, *layers: Settings) -> None:
    """Write the sections of all ``layers``; later layers win, None removes a key."""
    sections: dict[str, dict[str, object]] = {}
    for layer in layers:
        for section, values in layer.items():
            sections.setdefault(section, {}).update(values)
    lines = []
    for section, values in sections.items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {value}" for key, value in values.items() if value is not None]
        lines.append("")
    path.write_text("\n".join(lines))


class Daemon:
    """One twistd daemon with its ini file, its control socket and its ctl command."""

    plugin: str
    ctl: str

    def __init__(self, name: str, directory: Path, prefix: Sequence[str] = ()) -> None:
        directory.mkdir(parents=True)
        self.name = name
        self.directory = directory
        self.ini = directory / f"{self.plugin}.ini"
        self.socket = directory / "control.sock"
        self.process = Process(
            name,
            [BIN / "twistd", "--nodaemon", "--pidfile=", self.plugin, "--config", self.ini],
            directory / "log",
            prefix=prefix,
        )

    def start(self) -> None:
        """Start, and wait until the daemon answers on its control socket."""
        self.process.start()
        self.process.wait_while_running(f"{self.name} answers status", self.peek)

    def stop(self) -> int:
        return self.process.stop()

    def kill(self) -> None:
        self.process.kill()

    def freeze(self) -> None:
        """SIGSTOP: the process is there, its sockets are open, and it says nothing."""
        self.process.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.signal(signal.SIGCONT)

    def status(self) -> dict[str, Any]:
        """What ``status --json`` prints, straight from the control socket."""
        answer: dict[str, Any] = control.call(self.socket, "status")
        return answer

    def peek(self) -> dict[str, Any] | None:
        """``status``, or None while the daemon is not there."""
        try:
            return self.status()
        except control.NotRunning:
            return None

    def command(
        self, *arguments: str, typed: str = "", check: bool = True, prefix: Sequence[str] = ()
    ) -> Any:
        """Run this daemon's ctl command as an operator would; ``prefix`` stands before it."""
        command = [*prefix, BIN / self.ctl, "--config", self.ini, *arguments]
        return run(*command, typed=typed, check=check)

    def explain(self) -> str:
        return f"status: {self.peek()}\n{self.process.tail()}"


class XmppServer(Daemon):
    """One xmppd node. ``fqdn`` resolves to ``address``."""

    plugin = "xmppd"
    ctl = "xmppctl"

    fqdn: str
    address: str
    component_port: int
    client_port: int

    def callbridge(self, name: str) -> dict[str, Any] | None:
        """This Call Bridge's entry of ``status``."""
        status = self.peek() or {"callbridges": []}
        return next((one for one in status["callbridges"] if one["name"] == name), None)

    def state(self, name: str) -> str | None:
        entry = self.callbridge(name)
        return entry["state"] if entry else None

    def wait_state(self, name: str, state: str, deadline: float = DEADLINE) -> None:
        wait_until(
            f"{name} is {state} at {self.name}",
            lambda: self.state(name) == state,
            deadline,
            self.explain,
        )

    def wait_serving(self, name: str, deadline: float = DEADLINE) -> None:
        """Until this Call Bridge is registered and has offered its login service."""
        wait_until(
            f"{name} serves logins at {self.name}",
            lambda: self.state(name) == "registered" and self.callbridge(name)["mechanisms"],
            deadline,
            self.explain,
        )


class CallBridge(Daemon):
    """One callbridged."""

    plugin = "callbridged"
    ctl = "callbridgectl"

    secret_file: Path

    def links(self) -> list[dict[str, Any]]:
        return (self.peek() or {"links": []})["links"]

    def registered(self) -> list[dict[str, Any]]:
        return [link for link in self.links() if link["state"] == "registered"]

    def wait_registered(self, count: int = 1, deadline: float = DEADLINE) -> None:
        """Until exactly ``count`` links are registered."""
        wait_until(
            f"{self.name} has {count} registered links",
            lambda: len(self.registered()) == count,
            deadline,
            self.explain,
        )

    def wait_failure(self, step: str, reason: str, deadline: float = DEADLINE) -> dict[str, Any]:
        """Until a link's ``last_error`` has this step and reason; returns the error."""

        def probe() -> dict[str, Any] | None:
            for link in self.links():
                error = link["last_error"]
                if error and (error["step"], error["reason"]) == (step, reason):
                    return error
            return None

        what = f"{self.name} reports {reason} at step {step}"
        return self.process.wait_while_running(what, probe, deadline=deadline)


class Site:
    """The parts, made on demand; ``nameserver_class`` chooses who answers DNS."""

    def __init__(
        self,
        domain: str = "example.com",
        *,
        nameserver_class: type[NameServer] = TwistedNameServer,
        directory: Path | None = None,
    ) -> None:
        # Not below the test runner's directory: a UNIX socket path has at most 107 bytes.
        self.directory = directory or Path(tempfile.mkdtemp(prefix="callbridge-"))
        self.domain = domain
        self.ca = CertificateAuthority(self.directory / "ca", "Example CA")
        self.zone = Zone(domain)
        self.nameserver = nameserver_class(self.zone, self.directory)
        self.users = self.directory / "users"
        self.users.touch(mode=0o600)
        self.servers: list[XmppServer] = []
        self.bridges: list[CallBridge] = []

    def server(
        self,
        name: str = "xmpp1",
        address: str = "127.0.0.2",
        *,
        settings: Settings | None = None,
        certificate_names: Iterable[str] | None = None,
        certificate_ip: Iterable[str] = (),
        prefix: Sequence[str] = (),
        usual_ports: bool = False,
    ) -> XmppServer:
        """Add a node: its certificate, its ini file, its SRV and address records.

        ``usual_ports``: 5223 and 5222 where they are free, else any.
        """
        server = XmppServer(name, self.directory / name, prefix)
        server.fqdn = f"{name}.{self.domain}"
        server.address = address
        # A network namespace of its own has that address, and all ports, to itself.
        server.component_port = 5223 if prefix else free_port(address, 5223 * usual_ports)
        server.client_port = 5222 if prefix else free_port(address, 5222 * usual_ports)
        names = (self.domain, server.fqdn) if certificate_names is None else certificate_names
        certificate, key = self.ca.issue(name, dns=names, ip=certificate_ip)
        write_ini(
            server.ini,
            {
                "xmppd": {
                    "domain": self.domain,
                    "hostname": server.fqdn,
                    "state_directory": server.directory,
                    "control_socket": server.socket,
                },
                "tls": {
                    "certificate": certificate,
                    "private_key": key,
                    "callbridge_ca": self.ca.certificate_path,
                },
                "component": {"listen": f"tcp:{server.component_port}:interface={address}"},
                "client": {"listen": f"tcp:{server.client_port}:interface={address}"},
            },
            settings or {},
        )
        self.zone.srv.append((10, 10, server.component_port, server.fqdn))
        self.zone.hosts[server.fqdn] = [address]
        self.servers.append(server)
        return server

    def bridge(
        self,
        name: str = "cb1",
        *,
        secret: str | None = None,
        settings: Settings | None = None,
        certificate_names: Iterable[str] | None = None,
        prefix: Sequence[str] = (),
    ) -> CallBridge:
        """Add a Call Bridge: its certificate, secret and ini file. ``enrol`` tells the servers."""
        bridge = CallBridge(name, self.directory / name, prefix)
        names = [f"{name}.{self.domain}"] if certificate_names is None else certificate_names
        certificate, key = self.ca.issue(name, dns=names)
        bridge.secret_file = bridge.directory / "secret"
        bridge.secret_file.touch(mode=0o600)
        bridge.secret_file.write_text((secret or f"secret-of-{name}") + "\n")
        write_ini(
            bridge.ini,
            {
                "callbridge": {
                    "name": name,
                    "domain": self.domain,
                    "secret_file": bridge.secret_file,
                    "state_directory": bridge.directory,
                    "control_socket": bridge.socket,
                },
                "tls": {
                    "certificate": certificate,
                    "private_key": key,
                    "xmpp_ca": self.ca.certificate_path,
                },
                "dns": {"nameservers": self.nameserver.where, "timeout": "2s"},
                "link": {"retry_initial": "200ms", "retry_max": "1s"},
                "users": {"backend": f"file:{self.users}"},
            },
            settings or {},
        )
        self.bridges.append(bridge)
        return bridge

    def enrol(self, bridge: CallBridge, *servers: XmppServer) -> None:
        """Type the Call Bridge's secret in at ``servers``, by default at all of them."""
        secret = bridge.secret_file.read_text()
        for server in servers or self.servers:
            server.command("callbridge", "add-secret", bridge.name, typed=secret)

    def user(self, name: str, password: str) -> None:
        """Add a user to the file that all Call Bridges read."""
        self.bridges[0].command("user", "add", name, typed=password + "\n")

    def start(self) -> None:
        """Everything, and wait until every Call Bridge serves logins at every server."""
        self.nameserver.start()
        for daemon in [*self.servers, *self.bridges]:
            daemon.process.start()
        for server in self.servers:
            for bridge in self.bridges:
                server.wait_serving(bridge.name)

    def close(self) -> None:
        for daemon in [*self.bridges, *self.servers]:
            daemon.kill()
        if hasattr(self.nameserver, "process"):
            self.nameserver.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


S = TypeVar("S", bound=Site)


@contextmanager
def making(site: S) -> Iterator[S]:
    """Close what was made so far, if the rest of it fails."""
    try:
        yield site
    except BaseException:
        site.close()
        raise


def small_site(bridge: Settings | None = None, **server: Any) -> Site:
    """One xmppd, one Call Bridge, the user alice with the password ``wonderland``. Not started."""
    with making(Site()) as site:
        site.server(**server)
        site.enrol(site.bridge(settings=bridge))
        site.user("alice", "wonderland")
    return site


def started_small_site(**server: Any) -> Site:
    """``small_site``, started; closed again where that fails."""
    with making(small_site(**server)) as site:
        site.start()
    return site
