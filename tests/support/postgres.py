"""A real PostgreSQL server in a directory of its own, for tests and benchmarks of the sql: backend.

Debian's, on a loopback port with TLS by a certificate of the test authority, and on a UNIX socket.
Passwords are needed either way, by SCRAM. PostgreSQL does not run as root, so it is given to the
user ``postgres`` where we are.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from pwd import getpwnam

from tests.support.ca import CertificateAuthority
from tests.support.foreign import Foreign
from tests.support.processes import Process, free_port
from tests.support.users_table import TABLE
from tests.support.waiting import NeverHappened

DATABASE = "meet"
#: May do everything.
ADMIN, ADMIN_PASSWORD = "postgres", "secret-of-postgres"
#: May read the table of users; what ``database`` names.
ROLE, ROLE_PASSWORD = "callbridge", "secret-of-callbridge"
_SETTINGS = """
listen_addresses = '{address}'
port = {port}
unix_socket_directories = '{sockets}'
ssl = on
ssl_cert_file = '{directory}/server.crt'
ssl_key_file = '{directory}/server.key'
password_encryption = scram-sha-256
max_connections = 40
shared_buffers = 16MB
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
"""
_HBA = """
local all all scram-sha-256
hostssl all all 127.0.0.0/8 scram-sha-256
"""


class Postgres(Foreign):
    """One server. ``certificate``: that and its key; None: a good one for 127.0.0.1, localhost."""

    def __init__(
        self,
        ca: CertificateAuthority,
        *,
        address: str = "127.0.0.1",
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        self.address = address
        self.port = free_port(address)
        self.authority = ca.certificate_path
        # Its user may not enter what is ours.
        self.directory = Path(tempfile.mkdtemp(prefix="postgres-"))
        self.data = self.directory / "data"
        self.sockets = self.directory / "sockets"
        self.log = self.directory / "log"
        self._prefix, self._ids = _as_postgres()
        self.process = Process(
            "PostgreSQL",
            [_program("postgres"), "-D", self.data],
            self.log,
            prefix=[*self._prefix, "--"] if self._prefix else [],
        )
        try:
            self._make(certificate or ca.issue("postgres", dns=["localhost"], ip=[address]))
        except BaseException:
            self.close()
            raise

    @property
    def uri(self) -> str:
        """What ``database`` takes: over TCP, with the certificate checked."""
        return (
            f"postgresql://{ROLE}@{self.address}:{self.port}/{DATABASE}"
            f"?sslmode=verify-full&sslrootcert={self.authority}"
        )

    @property
    def socket_uri(self) -> str:
        """The same over the UNIX socket."""
        return f"postgresql://{ROLE}@/{DATABASE}?host={self.sockets}&port={self.port}"

    @property
    def admin(self) -> str:
        """For psycopg, as the administrator."""
        return (
            f"host={self.sockets} port={self.port} dbname={DATABASE} user={ADMIN} "
            f"password={ADMIN_PASSWORD}"
        )

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        self.process.start()
        self.process.wait_while_running("PostgreSQL answers", self._ready)

    def stop(self) -> None:
        """Cut off who is connected, and end."""
        if self.process.running:
            os.kill(self.process.pid, signal.SIGINT)
            self.process.wait()

    def pause(self) -> None:
        """SIGSTOP to all of it: the kernel takes connections, and nothing is answered."""
        os.kill(self.process.pid, signal.SIGSTOP)  # first, so that it makes no more children
        self._to_children(signal.SIGSTOP)

    def resume(self) -> None:
        self._to_children(signal.SIGCONT)
        os.kill(self.process.pid, signal.SIGCONT)

    def close(self) -> None:
        """Kill it, and remove all that there was of it."""
        if self.process.running:
            self.resume()
            os.kill(self.process.pid, signal.SIGQUIT)
            with suppress(NeverHappened):
                self.process.wait()
        self.process.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def use_certificate(self, certificate: tuple[Path, Path]) -> None:
        """From the next start on."""
        for source, name in zip(certificate, ("server.crt", "server.key"), strict=True):
            target = self.directory / name
            target.unlink(missing_ok=True)
            target.touch(mode=0o600)
            target.write_bytes(source.read_bytes())
            self._give(target)

    def sql(self, *statements: str, parameters: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """Run statements as the administrator, and answer the rows of the last."""
        import psycopg

        with psycopg.connect(self.admin, autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def put(self, name: str, **columns: object) -> None:
        """Add a user to `TABLE`, or replace one."""
        row = {"name": name, **columns}
        places = ", ".join(["%s"] * len(row))
        self.sql("DELETE FROM callbridge_users WHERE name = %s", parameters=[name])
        self.sql(
            f"INSERT INTO callbridge_users ({', '.join(row)}) VALUES ({places})",
            parameters=list(row.values()),
        )

    def clients(self) -> int:
        """How many connections `ROLE` has."""
        found = self.sql(f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{ROLE}'")
        return int(str(found[0][0]))

    def _make(self, certificate: tuple[Path, Path]) -> None:
        self.sockets.mkdir()
        password = self.directory / "password"
        password.touch(mode=0o600)
        password.write_text(ADMIN_PASSWORD)
        self._give(self.directory)
        for path in (self.sockets, password):
            self._give(path)
        self.directory.chmod(0o755)
        self._run(
            "initdb",
            "--no-sync",
            "--no-instructions",
            "--auth=scram-sha-256",
            f"--username={ADMIN}",
            f"--pwfile={password}",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            f"--pgdata={self.data}",
        )
        settings = _SETTINGS.format(
            address=self.address, port=self.port, sockets=self.sockets, directory=self.directory
        )
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(settings)
        (self.data / "pg_hba.conf").write_text(_HBA)
        self.use_certificate(certificate)
        self._run("postgres", "--single", "-D", str(self.data), "postgres", typed=_CREATE)
        self._run("postgres", "--single", "-j", "-D", str(self.data), DATABASE, typed=_FILL)

    def _run(self, program: str, *arguments: str, typed: str = "") -> None:
        command = [*self._prefix, _program(program), *arguments]
        done = subprocess.run(
            command, input=typed, capture_output=True, text=True, timeout=120, check=False, cwd="/"
        )
        if done.returncode != 0 or "ERROR:" in done.stderr:
            raise AssertionError(f"{program}: {done.returncode}\n{done.stdout}{done.stderr}")

    def _give(self, path: Path) -> None:
        if self._ids is not None:
            os.chown(path, *self._ids)

    def _ready(self) -> bool:
        """Both of its listeners answer, which they do not while it starts up."""
        import psycopg

        try:
            self.sql("SELECT 1")
            socket.create_connection((self.address, self.port), 1).close()
        except (psycopg.Error, OSError):
            return False
        return True

    def _to_children(self, number: signal.Signals) -> None:
        parent = self.process.pid
        for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), number)


_CREATE = f"CREATE DATABASE {DATABASE}\n"
_FILL = (
    f"CREATE ROLE {ROLE} LOGIN PASSWORD '{ROLE_PASSWORD}';\n\n"
    f"{TABLE.strip()}\n\nGRANT SELECT ON callbridge_users TO {ROLE};\n\n"
)


def _as_postgres() -> tuple[list[str], tuple[int, int] | None]:
    """What to put before a command, and whose its files are; nothing where we are not root."""
    if os.geteuid() != 0:
        return [], None
    user = getpwnam("postgres")
    command = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups"]
    return command, (user.pw_uid, user.pw_gid)


def _program(name: str) -> str:
    """Debian keeps the programs of each version to themselves; the newest is taken."""
    found = sorted(
        Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4])
    )
    program = str(found[-1]) if found else shutil.which(name)
    assert program, f"{name} is missing: apt-get install postgresql"
    return program
