"""Real directories of users that answer late: what user backends are measured with.

Each is behind a `Forwarder`, on loopback. Passwords are kept in the form that costs least to check,
so that waiting is what counts.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.forwarder import Forwarder
from benchmarks.ours import SCHEME
from benchmarks.peers import PASSWORD
from callbridged.scram_keys import MIN_ITERATIONS, ScramKeys
from callbridged.scram_text import format_keys
from tests.support.ca import CertificateAuthority
from tests.support.coturn import write_private
from tests.support.postgres import ROLE_PASSWORD, Postgres
from tests.support.slapd import Slapd
from tests.support.web_hook import WebHook


@dataclass(frozen=True)
class Directory:
    """One that runs. ``settings``: ``[kind bench]`` of callbridged.ini; ``port``: on 127.0.0.1.

    ``may_be_more``: the usual number of connections may be less than wanted here.
    """

    kind: str
    settings: Mapping[str, object]
    port: int
    may_be_more: bool = False

    def sections(self, **more: object) -> dict[str, Mapping[str, object]]:
        """What callbridged.ini has for it; ``more`` goes into its section."""
        return {
            "users": {"backend": f"{self.kind}:bench"},
            f"{self.kind} bench": {**self.settings, **more},
        }


#: Makes one below a path, with users, that answers so many milliseconds late.
Maker = Callable[
    [Path, CertificateAuthority, Sequence[str], int], AbstractContextManager[Directory]
]


@contextmanager
def web_hook(
    where: Path, authority: CertificateAuthority, users: Sequence[str], late: int
) -> Iterator[Directory]:
    """A web hook on Node's HTTPS server, which compares passwords as they are."""
    hook = WebHook(where, authority, {name: {"password": PASSWORD} for name in users})
    forwarder = Forwarder(hook.port, late, where)
    settings = hook.settings(
        url=f"https://{hook.host}:{forwarder.port}/login", mechanisms="PLAIN", accounts="no"
    )
    with ExitStack() as stack:
        for one in (hook, forwarder):
            stack.callback(one.stop)
            one.start()
        yield Directory("http", settings, forwarder.port)


@contextmanager
def slapd(
    where: Path, authority: CertificateAuthority, users: Sequence[str], late: int
) -> Iterator[Directory]:
    """OpenLDAP, with passwords as they are, and without TLS: ejabberd has no StartTLS for LDAP."""
    with ExitStack() as stack:
        server = Slapd(where, authority, users=len(users))
        stack.callback(server.kill)
        server.start()
        forwarder = Forwarder(server.port, late, where)
        stack.callback(forwarder.kill)
        forwarder.start()
        settings = server.settings(url=f"ldap://127.0.0.1:{forwarder.port}", tls="none", ca=None)
        yield Directory("ldap", settings, forwarder.port, may_be_more=True)


@contextmanager
def postgresql(
    where: Path, authority: CertificateAuthority, users: Sequence[str], late: int
) -> Iterator[Directory]:
    """PostgreSQL, with keys for SCRAM of as few rounds as may be."""
    where.mkdir()
    keys = format_keys(SCHEME, ScramKeys.derive(SCHEME, PASSWORD, MIN_ITERATIONS))
    password = where / "password"
    write_private(password, ROLE_PASSWORD)
    with ExitStack() as stack:
        server = Postgres(authority)
        stack.callback(server.close)
        server.start()
        server.sql("ALTER SYSTEM SET max_connections = 100")
        server.stop()
        server.start()
        server.sql(
            "INSERT INTO callbridge_users (name, scram) SELECT unnest(%s::text[]), %s",
            parameters=[list(users), keys],
        )
        forwarder = Forwarder(server.port, late, where)
        stack.callback(forwarder.kill)
        forwarder.start()
        settings = {
            "database": server.uri.replace(f":{server.port}/", f":{forwarder.port}/"),
            "password_file": password,
        }
        yield Directory("sql", settings, forwarder.port, may_be_more=True)


def makers() -> Iterator[tuple[str, Maker]]:
    """Answer those whose programs are there, each with a name, and say which are not."""
    for program, package, make in (
        ("slapd", "slapd", slapd),
        ("psql", "postgresql", postgresql),
        ("node", "nodejs", web_hook),
    ):
        if shutil.which(program) or shutil.which(program, path="/usr/sbin"):
            yield package, make
        else:
            print(f"{program} is not installed (apt install {package}): left out")
