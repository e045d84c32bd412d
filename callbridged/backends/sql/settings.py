"""``[sql NAME]`` of callbridged.ini: where the users are, what to ask, and how long to wait."""

from __future__ import annotations

from dataclasses import dataclass, field

from callbridged.backends.sql.location import Location, PostgresqlServer, SqliteFile, parse_location
from callbridged.backends.sql.query import DEFAULT_QUERY, Query, parse_query
from callbridged.scram_keys import SCHEMES
from daemonkit.section import Section

_MECHANISMS = (*SCHEMES, "PLAIN")


@dataclass(frozen=True)
class SqlSettings:
    """``timeout`` in seconds, ``hash_memory`` in octets.

    ``mechanisms``: what the operator says that all users can log in by.
    """

    database: Location
    password: str = field(repr=False)
    query: Query
    mechanisms: frozenset[str]
    timeout: float
    connections: int
    hash_threads: int
    hash_memory: int


def read_settings(section: Section) -> SqlSettings:
    """Read the section; what is wrong in it is noted there."""
    settings = SqlSettings(
        database=section.parsed("database", parse_location),
        password=section.optional_secret_file("password_file"),
        query=section.parsed(
            "query",
            parse_query,
            parse_query(DEFAULT_QUERY),
            shown=lambda query: " ".join(str(query).split()),
            several_lines=True,
        ),
        mechanisms=frozenset(
            section.items("mechanisms", _mechanism, ("SCRAM-SHA-256", "PLAIN"), separator=",")
        ),
        timeout=section.duration("timeout", 5.0, minimum=0.1, maximum=60.0),
        connections=section.integer("connections", 20, minimum=1, maximum=64),
        hash_threads=section.integer("hash_threads", 2, minimum=1, maximum=64),
        hash_memory=section.size("hash_memory", 128 << 20, minimum=1 << 20, maximum=16 << 30),
    )
    if not settings.mechanisms:
        section.fault("mechanisms", f"nobody could log in. Name some of {', '.join(_MECHANISMS)}.")
    _check_database(section, settings.database)
    return settings


def _check_database(section: Section, database: Location | None) -> None:
    """``database`` is None where it could not be read."""
    if isinstance(database, SqliteFile) and section.has("password_file"):
        section.fault("password_file", "SQLite knows no passwords. Remove it.")
    if isinstance(database, PostgresqlServer):
        for path in database.files:
            section.check_readable("database", path)
        if database.exposed:
            mode = database.parameters["sslmode"]
            section.warn(
                "database", f"with sslmode={mode} {database.exposed}. Use sslmode=verify-full."
            )


def _mechanism(text: str) -> str:
    if text.upper() not in _MECHANISMS:
        raise ValueError(f"{text[:40]!r} is none of {', '.join(_MECHANISMS)}.")
    return text.upper()
