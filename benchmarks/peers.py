"""Other XMPP servers to measure beside ours: Prosody and ejabberd, as Debian installs them.

Started by hand on loopback, with a configuration of their own in a temporary directory: their own
password stores, no rosters, no connections between servers, no limits on rates.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path

from tests.support.processes import Process
from tests.support.waiting import DEADLINE, wait_until

PASSWORD = "wonderland"

_PROSODY = """
run_as_root = true
pidfile = "{here}/pid"
data_path = "{here}/data"
network_backend = "epoll"
modules_enabled = {{ "saslauth", "tls", "disco", "ping", "smacks", "websocket" }}
modules_disabled = {{ "s2s", "offline" }}
authentication = "internal_{PROSODY_STORE}"
password_hash = "SHA-256"
interfaces = {{ "{address}" }}
c2s_ports = {{ {STARTTLS} }}
c2s_direct_tls_ports = {{ {TLS} }}
http_ports = {{ }}
https_ports = {{ {WebSocket} }}
ssl = {{ certificate = "{certificate}", key = "{key}" }}
c2s_direct_tls_ssl = ssl
https_ssl = ssl
log = {{ warn = "*console" }}
VirtualHost "{domain}"
"""

_EJABBERD = """
hosts: ["{domain}"]
loglevel: warning
certfiles: ["{here}/both.pem"]
acme: {{auto: false}}
auth_password_format: {EJABBERD_STORE}
auth_scram_hash: sha256
listen:
  - {{port: {STARTTLS}, ip: "{address}", module: ejabberd_c2s, starttls_required: true}}
  - {{port: {TLS}, ip: "{address}", module: ejabberd_c2s, tls: true}}
  - port: {WebSocket}
    ip: "{address}"
    module: ejabberd_http
    tls: true
    request_handlers: {{/xmpp-websocket: ejabberd_http_ws}}
modules: {{mod_disco: {{}}, mod_ping: {{}}, mod_stream_mgmt: {{}}}}
"""


class Peer(ABC):
    """One of them. ``users`` users are there: user0, user1 and so on, with one password.

    ``hashed``: it keeps keys for SCRAM-SHA-256 and not the passwords. Then PLAIN makes it work, and
    ejabberd does that in the client's process, which keeps many times its memory for long.
    """

    name: str
    package: str
    config_type: str

    def __init__(
        self,
        here: Path,
        address: str,
        ports: dict[str, int],
        domain: str,
        pair: tuple[Path, Path],
        users: int,
        hashed: bool,
    ) -> None:
        self.here = here
        self.users = users
        self.domain = domain
        here.mkdir()
        certificate, key = pair
        (here / "both.pem").write_text(certificate.read_text() + key.read_text())
        self._config_file = here / f"config.{self.config_type}"
        self._config_file.write_text(
            self._config().format(
                here=here,
                address=address,
                domain=domain,
                certificate=certificate,
                key=key,
                PROSODY_STORE="hashed" if hashed else "plain",
                EJABBERD_STORE="scram" if hashed else "plain",
                **ports,
            )
        )
        self.process = self._process()
        self._port = (address, ports["STARTTLS"])

    @staticmethod
    @abstractmethod
    def installed() -> bool:
        """True where the server's program is there."""

    @abstractmethod
    def _config(self) -> str:
        """Answer the configuration file, with names in braces to fill in."""

    @abstractmethod
    def _process(self) -> Process:
        """Answer the server, not started."""

    def start(self) -> None:
        """Start, and wait until its users can log in."""
        self.process.start()
        self.process.wait_while_running(f"{self.name} is ready", self.ready)

    @abstractmethod
    def ready(self) -> bool:
        """True once users can log in."""

    @property
    def pids(self) -> dict[str, int]:
        return {self.name: self.process.pid}

    def stop(self) -> None:
        self.process.kill()
        wait_until(f"{self.name} is gone", lambda: not self.process.running, DEADLINE)

    def version(self) -> str:
        said = subprocess.run(
            ["dpkg-query", "-W", "-f", "${Version}", self.package], capture_output=True, text=True
        )
        return said.stdout or "of unknown version"


class Prosody(Peer):
    name = "Prosody"
    package = "prosody"
    config_type = "lua"

    @staticmethod
    def installed() -> bool:
        return shutil.which("prosody") is not None

    def _config(self) -> str:
        accounts = self.here / "data" / self.domain.replace(".", "%2e") / "accounts"
        accounts.mkdir(parents=True)
        for number in range(self.users):  # hashed at the first login
            text = f'return {{ ["password"] = "{PASSWORD}" }};\n'
            (accounts / f"user{number}.dat").write_text(text)
        return _PROSODY

    def _process(self) -> Process:
        command: list[str | Path] = ["prosody", "-F", "--config", self._config_file]
        return Process(self.name, command, self.here / "log")

    def ready(self) -> bool:
        return _listens(self._port)


class Ejabberd(Peer):
    name = "ejabberd"
    package = "ejabberd"
    config_type = "yml"
    _libraries = Path("/usr/lib/x86_64-linux-gnu")

    @classmethod
    def _ebin(cls) -> list[Path]:
        return sorted(Path("/usr/lib").glob("**/ejabberd-*/ebin"))

    @staticmethod
    def installed() -> bool:
        return shutil.which("ejabberdctl") is not None and bool(Ejabberd._ebin())

    def _config(self) -> str:
        return _EJABBERD

    def _process(self) -> Process:
        register = (
            f'[ejabberd_auth:try_register(<<"user", (integer_to_binary(N))/binary>>, '
            f'<<"{self.domain}">>, <<"{PASSWORD}">>) || N <- lists:seq(0, {self.users - 1})], '
            f'file:write_file("{self.here}/ready", <<>>).'
        )
        # Schedulers that spin while they wait would look like work.
        waiting = ["+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none"]
        command = [
            "erl", "-noinput", "+K", "true", "+P", "250000", *waiting,
            "-mnesia", "dir", f'"{self.here}/spool"', "-s", "ejabberd", "-eval", register,
        ]  # fmt: skip
        environment = {
            "ERL_LIBS": str(self._ebin()[-1].parents[1]),
            "EJABBERD_CONFIG_PATH": str(self._config_file),
            "EJABBERD_LOG_PATH": str(self.here / "ejabberd.log"),
            "HOME": os.environ.get("HOME", str(self.here)),
        }
        return Process(self.name, command, self.here / "log", environment=environment)

    def start(self) -> None:
        (self.here / "ready").unlink(missing_ok=True)
        super().start()

    def ready(self) -> bool:
        return (self.here / "ready").exists()


def _listens(where: tuple[str, int]) -> bool:
    try:
        socket.create_connection(where, 1.0).close()
    except OSError:
        return False
    return True


PEERS: tuple[type[Peer], ...] = (Prosody, Ejabberd)
