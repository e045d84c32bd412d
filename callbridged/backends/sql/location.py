"""Where the database is: ``sqlite:/path``, or a URI as libpq has it (PostgreSQL section 34.1.1.2).

The URI is read here and not by libpq, so that what was checked is what is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType
from urllib.parse import unquote

#: Where a server's socket is, if the URI names no host (as Debian has it).
SOCKET_DIRECTORY = "/var/run/postgresql"
#: More hosts than this are not tried.
MAX_HOSTS = 8

#: libpq's, the best first.
_SSLMODES = ("verify-full", "verify-ca", "require", "prefer", "allow", "disable")
#: Files that a URI may name.
_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile")
_PARAMETERS = (
    *("host", "port", "user", "dbname", "sslmode", *_FILES),
    *("application_name", "channel_binding", "gssencmode", "krbsrvname", "options"),
    *("require_auth", "target_session_attrs"),
)
_FORBIDDEN = "there is a password in it. Put it into a file, and name password_file."


@dataclass(frozen=True)
class SqliteFile:
    """An SQLite database."""

    path: Path

    def __str__(self) -> str:
        return f"sqlite:{self.path}"


@dataclass(frozen=True)
class PostgresqlServer:
    """A PostgreSQL database. ``parameters``: for libpq, without password."""

    parameters: Mapping[str, str]

    @property
    def hosts(self) -> list[str]:
        """Names, addresses, and directories of UNIX sockets."""
        return self.parameters["host"].split(",")

    @property
    def files(self) -> Iterator[Path]:
        """Files that have to be there."""
        named = (self.parameters.get(key, "") for key in _FILES)
        return (Path(name) for name in named if name and name != "system")

    @property
    def exposed(self) -> str:
        """What somebody on the way to the server could do, in a few words, or nothing."""
        mode = self.parameters["sslmode"]
        if mode == "verify-full" or all(map(_is_local, self.hosts)):
            return ""
        if mode == "verify-ca":
            return "any certificate of that authority is believed, for whatever name"
        return "it does not check who answers, and whoever does can let in anybody"

    def __str__(self) -> str:
        user = f"{self.parameters['user']}@" if "user" in self.parameters else ""
        return f"postgresql://{user}{self.parameters['host']}/{self.parameters.get('dbname', '')}"


Location = SqliteFile | PostgresqlServer


def parse_location(text: str) -> Location:
    """Raises ValueError with a sentence, which does not repeat what may be a password."""
    scheme, _, rest = text.partition(":")
    if scheme == "sqlite" and rest.startswith("/"):
        return SqliteFile(Path("/" + rest.lstrip("/")))
    if scheme in ("postgresql", "postgres") and rest.startswith("//"):
        return _parse_uri(rest.removeprefix("//"))
    raise ValueError(
        "it is neither sqlite:/path/of/a/file nor postgresql://user@host/database. Write one of "
        "these."
    )


def _parse_uri(rest: str) -> PostgresqlServer:
    rest, _, options = rest.partition("?")
    authority, _, dbname = rest.partition("/")
    userinfo, _, hosts = authority.rpartition("@")
    user, colon, _ = userinfo.partition(":")
    if colon:
        raise ValueError(_FORBIDDEN)
    if "@" in dbname or "/" in dbname:
        raise ValueError("the database's name has / or @ in it. Write %2F and %40.")
    found = {"user": _decode(user), "dbname": _decode(dbname), **_parse_hosts(hosts)}
    found = {key: value for key, value in found.items() if value}
    for option in filter(None, options.split("&")):
        key, _, value = option.partition("=")
        if key == "password":
            raise ValueError(_FORBIDDEN)
        if key not in _PARAMETERS:
            raise ValueError(f"{key[:40]!r} is none of {', '.join(_PARAMETERS)}.")
        if key in found:
            raise ValueError(f"it has {key} twice. Keep one.")
        found[key] = _decode(value)
    if not re.fullmatch(r"[0-9,]*", found.get("port", "")):
        raise ValueError("its port is no number. Correct it.")
    found.setdefault("host", SOCKET_DIRECTORY)
    found.setdefault("gssencmode", "disable")
    return PostgresqlServer(MappingProxyType(_with_sslmode(found)))


def _parse_hosts(text: str) -> dict[str, str]:
    """Answer ``host`` and ``port``, each with commas between several."""
    if not text:
        return {}
    hosts, ports = [], []
    for one in text.split(","):
        match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+))(?::([0-9]{1,5}))?", one)
        if match is None or not 0 < int(match[3] or 1) < 65536:
            raise ValueError("its host is not host or host:port, or [address]:port for IPv6.")
        hosts.append(match[1] or _decode(match[2]))
        ports.append(match[3] or "")
    if len(hosts) > MAX_HOSTS:
        raise ValueError(f"it has more than {MAX_HOSTS} hosts. Keep the best.")
    return {"host": ",".join(hosts), "port": ",".join(ports) if any(ports) else ""}


def _with_sslmode(found: dict[str, str]) -> dict[str, str]:
    local = all(map(_is_local, found["host"].split(",")))
    mode = found.setdefault("sslmode", "prefer" if local else "verify-full")
    if mode not in _SSLMODES:
        raise ValueError(f"sslmode is one of {', '.join(_SSLMODES)}.")
    if mode.startswith("verify") and "sslrootcert" not in found:
        raise ValueError(
            f"with sslmode={mode} it has to say who may issue the server's certificate. Add "
            "sslrootcert= with the path of a PEM file; /etc/ssl/certs/ca-certificates.crt has "
            "the public authorities."
        )
    return found


def _is_local(host: str) -> bool:
    if host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _decode(text: str) -> str:
    """Undo percent-encoding. Raises ValueError with a sentence."""
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        decoded = "\0"
    if not decoded.isprintable():
        raise ValueError("something in it is no text after percent-decoding. Correct it.")
    return decoded
