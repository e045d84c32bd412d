"""Users in databases: PostgreSQL and SQLite, asked by callbridged for clients of xmppd."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing

import argon2
import bcrypt

from callbridged.scram_keys import ScramKeys
from callbridged.scram_text import format_keys
from tests.integration.backends.logins import LoginCase, backends, one_bridge
from tests.support.impostors import Talker
from tests.support.postgres import ROLE, ROLE_PASSWORD, TABLE, Postgres
from tests.support.rawstream import RawStream, plain
from tests.support.shared import shared_site
from tests.support.site import Site, making

SCHEME = "SCRAM-SHA-256"
TIMEOUT = 3.0
HASHES = {
    "argon": argon2.PasswordHasher().hash("builder"),
    "blow": bcrypt.hashpw(b"builder", bcrypt.gensalt(10)).decode(),
}
Put = Callable[..., None]


def scram(password: str = "builder") -> str:
    return format_keys(SCHEME, ScramKeys.derive(SCHEME, password, 4096))


class SqlSite(Site):
    """A Call Bridge that asks PostgreSQL, an SQLite file, and the users file, in this order."""

    def __init__(self) -> None:
        super().__init__()
        self.postgres = Postgres(self.ca)
        self.sqlite = self.directory / "users.db"

    def close(self) -> None:
        self.postgres.close()
        super().close()

    def execute(self, statement: str, *values: object) -> None:
        """Change the SQLite file."""
        with closing(sqlite3.connect(self.sqlite, isolation_level=None)) as database:
            database.execute(statement, values)

    def put(self, name: str, **columns: object) -> None:
        """Add a user to the SQLite file, or replace one."""
        row = {"name": name, **columns}
        places = ", ".join("?" * len(row))
        self.execute(
            f"REPLACE INTO callbridge_users ({', '.join(row)}) VALUES ({places})", *row.values()
        )


def make_site() -> SqlSite:
    """Started, with bob in PostgreSQL and carol in the SQLite file."""
    with making(SqlSite()) as site:
        password = site.directory / "password"
        password.touch(mode=0o600)
        password.write_text(ROLE_PASSWORD)
        site.postgres.start()
        site.execute(TABLE)
        site.postgres.put("bob", scram=scram())
        site.put("carol", scram=scram())
        one_bridge(
            site,
            {
                "users": backends("sql:office", "sql:lobby", f"file:{site.users}"),
                "sql office": {
                    "database": site.postgres.uri,
                    "password_file": password,
                    "timeout": f"{TIMEOUT:g}s",
                },
                "sql lobby": {"database": f"sqlite:{site.sqlite}", "timeout": "500ms"},
            },
        )
    return site


class SqlCase(LoginCase):
    """The site of a class."""

    site: SqlSite

    def setUp(self) -> None:
        site = shared_site(type(self), make_site)
        assert isinstance(site, SqlSite)
        self.site, self.postgres = site, site.postgres
        self.bridge = site.bridges[0]

    def tearDown(self) -> None:
        """Whatever a database does, nothing of it is a defect of ours, and no secret is told."""
        for daemon in (*self.site.servers, *self.site.bridges):
            log = daemon.process.text()
            for word in ("Traceback", "builder", ROLE_PASSWORD, *HASHES.values()):
                self.assertNotIn(word, log)

    def databases(self) -> Iterator[tuple[str, Put]]:
        """A prefix for names of users, and how to put one there."""
        yield "pg-", self.postgres.put
        yield "lite-", self.site.put


class AnswerTests(SqlCase):
    """Databases that answer."""

    def test_hashes(self) -> None:
        """Users with an argon2 or a bcrypt hash get in by PLAIN, with their password."""
        for prefix, put in self.databases():
            for kind, text in HASHES.items():
                put(prefix + kind, password_hash=text)
                self.assert_in(self.log_in(prefix + kind, "builder"), prefix + kind)
                self.assert_refused(self.log_in(prefix + kind, "x"), "not-authorized")

    def test_scram(self) -> None:
        """Users with SCRAM keys get in by SCRAM and by PLAIN, with their password."""
        for user in ("bob", "carol", "alice"):
            password = "wonderland" if user == "alice" else "builder"
            for mechanism in (SCHEME, "PLAIN"):
                self.assert_in(self.log_in(user, password, mechanism=mechanism), user)
                refused = self.log_in(user, "x", mechanism=mechanism)
                self.assert_refused(refused, "not-authorized")

    def test_nobody(self) -> None:
        """Who is nowhere is told what everybody with a wrong password is told."""
        for mechanism in (SCHEME, "PLAIN"):
            self.assert_refused(self.log_in("nobody", "x", mechanism=mechanism), "not-authorized")

    def test_refused(self) -> None:
        """Who is disabled, or has expired, hears so after the right password and not before."""
        for prefix, put in self.databases():
            put(prefix + "gone", scram=scram(), disabled=True)
            put(prefix + "old", password_hash=HASHES["blow"], scram=scram(), expired=True)
            for name, condition in (("gone", "account-disabled"), ("old", "credentials-expired")):
                for mechanism in (SCHEME, "PLAIN"):
                    refused = self.log_in(prefix + name, "builder", mechanism=mechanism)
                    self.assert_refused(refused, condition)
                    refused = self.log_in(prefix + name, "x", mechanism=mechanism)
                    self.assert_refused(refused, "not-authorized")

    def test_hostile_names(self) -> None:
        """Characters that mean something to SQL are characters of names."""
        for prefix, put in self.databases():
            for number, name in enumerate(("o%", "o_x", "a;b--", "a)--", "z\\", "$1", "zoë", "%s")):
                put(prefix + name, scram=scram(f"builder{number}"))
                self.assert_in(self.log_in(prefix + name, f"builder{number}"), prefix + name)
            self.assert_refused(self.log_in(prefix + "%", "builder0"), "not-authorized")
        for name in ("' OR 1=1 --", "'; DROP TABLE callbridge_users; --", "bob' --", "bob\\' --"):
            stream = self.stream()
            stream.send(plain(name, "builder"))
            self.assertIn(b"<not-authorized", stream.read_until("</failure>"), name)
        self.assert_in(self.log_in("bob", "builder"), "bob")

    def stream(self) -> RawStream:
        server = self.site.servers[0]
        stream = RawStream(server.address, server.client_port)
        self.addCleanup(stream.close)
        stream.start_tls(self.site.ca.certificate_path, self.site.domain)
        stream.read_until("</stream:features>")
        return stream

    def test_counts_at_once(self) -> None:
        """A password that is changed counts at once, and the old one no more."""
        for prefix, put in self.databases():
            put(prefix + "dave", scram=scram("builder1"))
            self.assert_in(self.log_in(prefix + "dave", "builder1"), prefix + "dave")
            put(prefix + "dave", password_hash=HASHES["blow"])
            self.assert_in(self.log_in(prefix + "dave", "builder"), prefix + "dave")
            self.assert_refused(self.log_in(prefix + "dave", "builder1"), "not-authorized")

    def test_broken_row(self) -> None:
        """A row that makes no sense keeps its user out and nobody else, and the log names the
        column, once."""
        for prefix, put in self.databases():
            name = prefix + "broken"
            put(name, password_hash="$5$rounds=1000$x$builder")
            for _ in range(2):
                self.assert_refused(self.log_in(name, "x"), "temporary-auth-failure")
            said = f"answers for '{name}' cannot be used, column password_hash: it is no whole hash"
            self.bridge.process.wait_for(said)
            self.assertEqual(self.bridge.process.text().count(said), 1)
        for user in ("bob", "carol"):
            self.assert_in(self.log_in(user, "builder"), user)


class FailingTests(SqlCase):
    """Databases that do not answer as they should."""

    def fails(self, user: str, *others: str) -> None:
        """``user`` hears that nobody could look, while ``others``, and alice, get in as usual."""
        logins = self.log_in_together(
            (user, "builder"), ("alice", "wonderland"), *((one, "builder") for one in others)
        )
        self.assert_refused(logins[0], "temporary-auth-failure")
        for login, name in zip(logins[1:], ("alice", *others), strict=True):
            self.assert_in(login, name)
            self.assertLess(login.seconds, TIMEOUT, self.explain(login))

    def works(self) -> None:
        """All is well again, at the first login, and nothing was done about it."""
        for user in ("bob", "carol"):
            self.assert_in(self.log_in(user, "builder"), user)

    def said(self, text: str) -> None:
        """The Call Bridge has logged this; since its start, as it does not repeat itself."""
        self.bridge.process.wait_for(text)

    def test_stopped(self) -> None:
        """While the server is down nobody waits for it; when it is back it is asked."""
        self.works()
        self.postgres.stop()
        self.fails("bob", "carol")
        self.said("sql:office: connect-refused: .* Is PostgreSQL running there")
        self.postgres.start()
        self.works()

    def test_restarted(self) -> None:
        """A restart between two logins is not noticed, though connections were kept."""
        self.log_in_together(*[("bob", "builder")] * 6)
        self.postgres.stop()
        self.postgres.start()
        for login in self.log_in_together(*[("bob", "builder")] * 6):
            self.assert_in(login, "bob")

    def test_frozen(self) -> None:
        """A server that is frozen holds up only its own users."""
        self.works()
        self.postgres.pause()
        try:
            for _ in range(3):
                self.fails("bob", "carol")
        finally:
            self.postgres.resume()
        self.said("sql:office: timeout: no answer came in time")
        self.works()

    def test_locked_up(self) -> None:
        """A table that is locked makes the server give up the query, and then is open again."""
        import psycopg

        with psycopg.connect(self.postgres.admin) as connection:
            connection.execute("LOCK TABLE callbridge_users")
            self.fails("bob", "carol")
        self.said("sql:office: timeout: the query took too long")
        self.works()

    def test_no_table(self) -> None:
        """A table that is gone is nobody's wrong password."""
        self.postgres.sql("ALTER TABLE callbridge_users RENAME TO moved")
        self.fails("bob", "carol")
        self.said('sql:office: protocol-error: .* relation "callbridge_users" does not exist')
        self.postgres.sql("ALTER TABLE moved RENAME TO callbridge_users")
        self.works()

    def test_no_column(self) -> None:
        """A column that is gone is named."""
        for column in ("scram", "password_hash"):
            self.postgres.sql(f"ALTER TABLE callbridge_users RENAME {column} TO old_{column}")
        self.fails("bob", "carol")
        self.said("sql:office: protocol-error: there is no column scram or password_hash")
        for column in ("scram", "password_hash"):
            self.postgres.sql(f"ALTER TABLE callbridge_users RENAME old_{column} TO {column}")
        self.works()

    def test_wrong_role(self) -> None:
        """A Call Bridge that may not log in to the database does not say so of its users."""
        self.works()
        self.postgres.sql(
            f"ALTER ROLE {ROLE} PASSWORD 'other'",
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{ROLE}'",
        )
        self.fails("bob", "carol")
        self.said("sql:office: authentication-failure: .* Check the user in database")
        self.postgres.sql(f"ALTER ROLE {ROLE} PASSWORD '{ROLE_PASSWORD}'")
        self.works()

    def test_nonsense(self) -> None:
        """Something else on the port is nobody's wrong password."""
        self.postgres.stop()
        for greeting in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b""):
            with Talker(self.postgres.address, self.postgres.port, greeting):
                self.fails("bob", "carol")
        self.said("sql:office: tls-failure: |sql:office: protocol-error: ")
        self.postgres.start()
        self.works()

    def test_sqlite_missing(self) -> None:
        """An SQLite file that is away, or is something else, is nobody's wrong password."""
        away = self.site.sqlite.with_suffix(".away")
        self.site.sqlite.rename(away)
        self.fails("carol", "bob")
        self.said("sql:lobby: no-such-service: .* is not there")
        self.site.sqlite.write_bytes(b"What is this? " * 1000)
        self.fails("carol", "bob")
        self.said("sql:lobby: protocol-error: .* is no SQLite database")
        away.rename(self.site.sqlite)
        self.works()

    def test_sqlite_locked(self) -> None:
        """An SQLite file that somebody locks holds up only its own users."""
        with closing(sqlite3.connect(self.site.sqlite, isolation_level=None)) as database:
            database.execute("BEGIN EXCLUSIVE")
            self.fails("carol", "bob")
            database.execute("ROLLBACK")
        self.said("sql:lobby: timeout: .* is locked by another program")
        self.works()
