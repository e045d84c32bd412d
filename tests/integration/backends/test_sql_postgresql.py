"""The sql: backend itself on a real PostgreSQL: queries, connections, and how it is interrupted."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from benchmarks.forwarder import Forwarder
from callbridged.backends import BackendUnavailable, BrokenAccount, configured
from callbridged.backends.sql.backend import SqlBackend
from callbridged.backends.sql.questions import GRACE
from callbridged.scram_keys import ScramKeys
from callbridged.scram_text import format_keys
from daemonkit.ini import IniReader
from tests.support.ca import CertificateAuthority
from tests.support.impostors import FullListener, Talker
from tests.support.postgres import ROLE, ROLE_PASSWORD, Postgres
from tests.support.processes import free_port
from tests.support.shared import shared_site
from tests.support.site import Site
from tests.support.waiting import DEADLINE

SCHEME = "SCRAM-SHA-256"
KEYS = ScramKeys.derive(SCHEME, "builder", 4096)
TEXT = format_keys(SCHEME, KEYS)


class PostgresSite(Site):
    """An authority and a server; no daemons."""

    def __init__(self) -> None:
        super().__init__()
        self.postgres = Postgres(self.ca)

    def close(self) -> None:
        self.postgres.close()
        super().close()


class PostgresqlCase(TestCase):
    """A server with the users bob and zoë."""

    def setUp(self) -> None:
        site = shared_site(type(self), PostgresSite)
        assert isinstance(site, PostgresSite)
        self.site, self.postgres = site, site.postgres
        if not self.postgres.process.running:
            self.postgres.start()
            for name in ("bob", "zoë", "o'x%"):
                self.postgres.put(name, scram=TEXT)

    def open(self, database: str = "", **settings: object) -> SqlBackend:
        """A backend that runs until the test ends."""
        directory = Path(tempfile.mkdtemp(dir=self.site.directory))
        password = directory / "password"
        password.touch(mode=0o600)
        password.write_text(ROLE_PASSWORD)
        lines = {
            "database": database or self.postgres.uri,
            "password_file": password,
            "timeout": "5s",
            **settings,
        }
        ini = directory / "callbridged.ini"
        ini.write_text(
            "\n".join(["[sql meet]", *(f"{key} = {value}" for key, value in lines.items())])
        )
        reader = IniReader(ini)
        opened = configured("sql:meet", reader)
        reader.finish()
        backend = opened.open(reactor)
        assert isinstance(backend, SqlBackend)
        backend.startService()
        self.addCleanup(lambda: backend.running and backend.stopService())
        return backend

    async def why_not(self, backend: SqlBackend, name: str = "bob") -> str:
        """Why nobody can look ``name`` up."""
        with self.assertRaises(BackendUnavailable) as caught:
            await backend.scram_keys(name, SCHEME)
        return str(caught.exception)

    async def until(self, what: str, happens: object) -> None:
        """Wait, without holding up the reactor."""
        end = monotonic() + DEADLINE
        while not happens():  # type: ignore[operator]
            self.assertLess(monotonic(), end, what)
            await deferLater(reactor, 0.02)


class Asking(PostgresqlCase):
    """Queries and their answers."""

    async def test_keys(self) -> None:
        """Keys are found over TCP and over the UNIX socket, for names with any letters."""
        for uri in (self.postgres.uri, self.postgres.socket_uri):
            backend = self.open(uri)
            for name in ("bob", "zoë", "o'x%"):
                self.assertEqual(await backend.scram_keys(name, SCHEME), KEYS)
            for name in ("BOB", "nobody", "' OR 1=1 --", "%", ";", "bob\0", "\ud800", "x" * 5000):
                self.assertIsNone(await backend.scram_keys(name, SCHEME), name)

    async def test_own_form(self) -> None:
        """What PostgreSQL itself makes of a password is such a key."""
        self.postgres.sql("CREATE ROLE carol LOGIN PASSWORD 'käse'")
        found = self.postgres.sql("SELECT rolpassword FROM pg_authid WHERE rolname = 'carol'")
        self.postgres.put("carol", scram=found[0][0])
        backend = self.open()
        self.assertIs(await backend.check_password("carol", "käse"), True)
        self.assertIs(await backend.check_password("carol", "kase"), False)

    async def test_columns(self) -> None:
        """Types of PostgreSQL are understood: bytea, booleans, CHAR(n), aliases in any case."""
        self.postgres.sql(
            "DROP TABLE IF EXISTS people",
            "CREATE TABLE people (nick CHAR(40), salt BYTEA, i INTEGER, k1 BYTEA, k2 TEXT,"
            " gone TIMESTAMPTZ)",
            f"GRANT SELECT ON people TO {ROLE}",
        )
        self.postgres.sql(
            "INSERT INTO people VALUES (%s, %s, %s, %s, encode(%s, 'base64'), %s)",
            parameters=[
                "Bob",
                KEYS.salt,
                KEYS.iterations,
                KEYS.stored_key,
                KEYS.server_key,
                datetime.now(UTC) - timedelta(days=1),
            ],
        )
        backend = self.open(
            query="SELECT salt, i AS iterations, k1 AS Stored_Key, k2 AS server_key,"
            "\n    nick AS username, gone < now() AS expired FROM people"
            "\n    WHERE lower(nick::text) = :username OR nick LIKE :username || '100%'"
        )
        keys = await backend.scram_keys("bob", SCHEME)
        assert keys is not None
        self.assertEqual((keys.stored_key, keys.username), (KEYS.stored_key, "Bob"))
        self.assertEqual(keys.refusal, "credentials-expired")

    async def test_read_only(self) -> None:
        """No query writes, not even by a function."""
        self.postgres.sql(
            "CREATE OR REPLACE FUNCTION writes(text) RETURNS text LANGUAGE sql AS"
            " 'INSERT INTO callbridge_users VALUES ($1) RETURNING name'",
            f"GRANT INSERT ON callbridge_users TO {ROLE}",
        )
        backend = self.open(query="SELECT writes(:username) AS scram")
        self.assertIn("read-only transaction", await self.why_not(backend))

    async def test_everybody(self) -> None:
        """A query that answers everybody is a fault, and costs neither memory nor the
        connection."""
        backend = self.open(
            query="SELECT repeat('x', 1000) AS scram FROM generate_series(1, 10000000)"
            " WHERE :username <> ''"
        )
        for _ in range(2):
            self.assertIn("more than 16 rows", await self.why_not(backend))
        self.assertEqual(self.postgres.clients(), 1)

    async def test_wrong_queries(self) -> None:
        """The operator hears what is wrong with the query; what users have is not shown."""
        for query, said in (
            ("SELECT scram FROM absent WHERE n = :username", 'relation "absent" does not exist'),
            (
                "SELECT absent FROM callbridge_users WHERE name = :username",
                'column "absent" does not',
            ),
            ("SELECT scram FROM callbridge_users WHERE name = :username AND", "syntax error"),
            ("SELECT rolpassword AS scram FROM pg_authid WHERE rolname = :username", "denied"),
            ("SELECT name FROM callbridge_users WHERE name = :username", "no column scram"),
        ):
            backend = self.open(query=query)
            fault = await self.why_not(backend)
            self.assertIn(said, fault)
            self.assertIn("Correct query", fault)
        cast = self.open(
            query="SELECT scram::integer AS scram FROM callbridge_users WHERE name = :username"
        )
        fault = await self.why_not(cast)
        self.assertIn("PostgreSQL cannot answer: InvalidTextRepresentation. (22P02)", fault)
        self.assertNotIn(SCHEME, fault)
        self.assertNotIsInstance(fault, BrokenAccount)

    async def test_nothing_left(self) -> None:
        """A pooler between us may give the session to others: nothing is prepared or set in it."""
        backend = self.open(connections=1)
        for _ in range(10):
            await backend.scram_keys("bob", SCHEME)
        backend = self.open(
            connections=1,
            query="SELECT name AS scram, 'x' AS username FROM pg_prepared_statements"
            " WHERE :username <> ''",
        )
        for _ in range(10):
            self.assertIsNone(await backend.scram_keys("bob", SCHEME))
        settings = self.open(
            query="SELECT current_setting('statement_timeout') AS scram WHERE :username <> ''"
        )
        self.assertIn("scram: the keys are not", await self.why_not(settings))
        (running,) = self.postgres.sql(
            f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{ROLE}' AND state <> 'idle'"
        )
        self.assertEqual(running, (0,))


class Connections(PostgresqlCase):
    """Connections, and what may happen to them."""

    def together(self, backend: SqlBackend, count: int) -> Deferred[list[ScramKeys | None]]:
        """Ask for bob so many times at once."""
        return gatherResults(
            [Deferred.fromCoroutine(backend.scram_keys("bob", SCHEME)) for _ in range(count)],
            consumeErrors=True,
        )

    async def test_pool(self) -> None:
        """Many questions go over few connections, which are closed in the end."""
        before = self.postgres.clients()
        backend = self.open(connections=3)
        self.assertEqual(await self.together(backend, 40), [KEYS] * 40)
        self.assertTrue(1 <= self.postgres.clients() - before <= 3)
        await backend.stopService()
        await self.until("they are closed", lambda: self.postgres.clients() == before)

    async def test_far_away(self) -> None:
        """A question costs one round trip, however far the server is."""
        forwarder = Forwarder(self.postgres.port, 500, self.site.directory)
        forwarder.start()
        self.addCleanup(forwarder.kill)
        uri = self.postgres.uri.replace(f":{self.postgres.port}/", f":{forwarder.port}/")
        backend = self.open(uri, timeout="20s")
        for name, keys in (("bob", KEYS), ("bob", KEYS), ("nobody", None)):
            began = monotonic()
            self.assertEqual(await backend.scram_keys(name, SCHEME), keys)
            took = monotonic() - began
        self.assertTrue(0.5 <= took < 1.0, took)

    async def test_restart(self) -> None:
        """After a restart of the server the first question is answered, by each connection."""
        backend = self.open(connections=3)
        await self.together(backend, 20)
        self.postgres.stop()
        self.postgres.start()
        self.assertEqual(await self.together(backend, 20), [KEYS] * 20)

    async def test_terminated(self) -> None:
        """A connection that an administrator ends is replaced unnoticed."""
        backend = self.open(connections=1)
        for _ in range(2):
            self.assertEqual(await backend.scram_keys("bob", SCHEME), KEYS)
            self.postgres.sql(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{ROLE}'"
            )
        self.assertEqual(await backend.scram_keys("bob", SCHEME), KEYS)

    async def test_stopped(self) -> None:
        """While the server is down the answer is why, at once; and then it is there again."""
        backend = self.open()
        await backend.scram_keys("bob", SCHEME)
        self.postgres.stop()
        for _ in range(2):
            fault = await self.why_not(backend)
            self.assertIn("connect-refused: ", fault)
            self.assertIn("Is PostgreSQL running there", fault)
        self.postgres.start()
        self.assertEqual(await backend.scram_keys("bob", SCHEME), KEYS)

    async def test_slow(self) -> None:
        """A slow query is ended by the server, and the connection is asked again."""
        backend = self.open(
            timeout="500ms",
            connections=1,
            query="SELECT CASE WHEN pg_sleep(60) IS NOT NULL THEN '' END AS scram, :username::text",
        )
        pids = []
        for _ in range(2):
            self.assertIn("the query took too long", await self.why_not(backend))
            pids.append(self.idle())
        self.assertEqual(pids[0], pids[1])

    def idle(self) -> list[tuple[object, ...]]:
        return self.postgres.sql(
            f"SELECT pid FROM pg_stat_activity WHERE usename = '{ROLE}' AND state = 'idle'"
        )

    async def test_hanging(self) -> None:
        """A server that is stopped in its tracks holds no thread: connections are broken off, and
        all is well when it goes on."""
        backend = self.open(timeout="500ms", connections=2)
        await self.together(backend, 10)
        asking = backend._questions._workers._own
        self.postgres.pause()
        try:
            for _ in range(2):
                began = monotonic()
                for outcome in await self.failures(backend, 6):
                    self.assertIn("no answer came in time", outcome)
                self.assertLess(monotonic() - began, 0.5 + GRACE)
                # Two seconds are the least that libpq waits for a connection.
                await self.until("all threads are free", lambda: not asking.working)
        finally:
            self.postgres.resume()
        self.assertEqual(await self.together(backend, 10), [KEYS] * 10)

    async def failures(self, backend: SqlBackend, count: int) -> list[str]:
        return await gatherResults(
            [Deferred.fromCoroutine(self.why_not(backend)) for _ in range(count)]
        )

    async def test_hashing_goes_on(self) -> None:
        """Passwords are checked while the database hangs, and the other way round."""
        backend = self.open(timeout="500ms", connections=1, hash_threads=1)
        self.postgres.pause()
        try:
            hanging = Deferred.fromCoroutine(self.why_not(backend))
            self.assertEqual(await backend._hashing.run(int, "3"), 3)
            await hanging
        finally:
            self.postgres.resume()
        await self.until("the thread is free", lambda: not backend._questions._workers._own.working)
        slow = backend._hashing.run(KEYS.derive, SCHEME, "x", 2_000_000)
        self.assertEqual(await backend.scram_keys("bob", SCHEME), KEYS)
        self.assertFalse(slow.called)
        await slow

    async def test_nonsense(self) -> None:
        """Whatever else answers on the port is named for it."""
        port = free_port()
        for greeting in (b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"S" * 100, b"\0" * 50_000):
            with Talker("127.0.0.1", port, greeting) as talker:
                backend = self.open(
                    f"postgresql://{ROLE}@127.0.0.1:{port}/meet?sslmode=disable", timeout="500ms"
                )
                self.assertTrue(await self.why_not(backend))
                self.assertTrue(talker.accepted)
                await self.until("ends", lambda: not backend._questions._workers._own.working)  # noqa: B023

    async def test_black_hole(self) -> None:
        """Where packets vanish, the answer comes when the time is up, and the thread is free soon
        after."""
        port = free_port()
        hole = FullListener("127.0.0.1", port)
        self.addCleanup(hole.close)
        backend = self.open(f"postgresql://{ROLE}@127.0.0.1:{port}/meet", timeout="500ms")
        self.assertIn("timeout: no answer came in time", await self.why_not(backend))
        await self.until("it ends", lambda: not backend._questions._workers._own.working)

    async def test_certificates(self) -> None:
        """A server whose certificate is not right is not talked to, whatever it says."""
        other = CertificateAuthority(self.site.directory / "other", "Other CA")
        wrong_ca = self.postgres.uri.replace(str(self.site.ca.certificate_path), "")
        backend = self.open(wrong_ca + str(other.certificate_path))
        self.assertIn("Check sslmode and sslrootcert", await self.why_not(backend))
        now = datetime.now(UTC)
        certificates = {
            "certificate-untrusted: ": self.site.ca.issue(
                "expired", ip=["127.0.0.1"], not_after=now - timedelta(days=1)
            ),
            "certificate-name-mismatch: ": self.site.ca.issue("elsewhere", dns=["db.example.com"]),
        }
        for said, certificate in certificates.items():
            server = Postgres(self.site.ca, certificate=certificate)
            self.addCleanup(server.close)
            server.start()
            fault = await self.why_not(self.open(server.uri))
            self.assertIn(said, fault)
            self.assertIn("Check sslmode and sslrootcert", fault)

    async def test_not_let_in(self) -> None:
        """A role that may not log in is the operator's trouble."""
        password = self.site.directory / "wrong"
        password.write_text("hunter2")
        uri = self.postgres.uri
        for database, settings, said in (
            (uri, {"password_file": password}, "authentication-failure: "),
            (uri, {"password_file": ""}, "authentication-failure: "),
            (uri.replace(f"{ROLE}@", "nobody@"), {}, "authentication-failure: "),
            (uri.replace("/meet", "/absent"), {}, "no-such-service: "),
            (uri.replace("verify-full", "disable"), {}, "authentication-failure: "),
        ):
            fault = await self.why_not(self.open(database, **settings))
            self.assertIn(said, fault)
            self.assertRegex(fault, "(?:Check|Correct) ")
            self.assertNotIn("hunter2", fault)

    async def test_several_hosts(self) -> None:
        """The next host is tried where the first is down."""
        port = free_port()
        uri = self.postgres.uri.replace("@", f"@127.0.0.1:{port},")
        self.assertEqual(await self.open(uri).scram_keys("bob", SCHEME), KEYS)
