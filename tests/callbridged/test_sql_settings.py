"""Tests for `callbridged.backends.sql.settings` and `location`."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from callbridged.backends import configured
from callbridged.backends.sql.location import PostgresqlServer, SqliteFile, parse_location
from callbridged.backends.sql.query import DEFAULT_QUERY
from callbridged.backends.sql.settings import SqlSettings
from daemonkit.ini import ConfigurationFault, IniReader

CA = "/etc/ssl/ca.pem"


def postgresql(uri: str) -> dict[str, str]:
    location = parse_location(uri)
    assert isinstance(location, PostgresqlServer)
    return dict(location.parameters)


class Locations(SynchronousTestCase):
    """``database =``."""

    def fault(self, text: str) -> str:
        return str(self.assertRaises(ValueError, parse_location, text))

    def test_sqlite(self) -> None:
        """A file has a whole path, however many slashes somebody is used to."""
        for text in ("sqlite:/var/lib/x.db", "sqlite:///var/lib/x.db", "sqlite:////var/lib/x.db"):
            self.assertEqual(parse_location(text), SqliteFile(Path("/var/lib/x.db")))
        self.assertEqual(str(SqliteFile(Path("/x"))), "sqlite:/x")

    def test_socket(self) -> None:
        """With no host it is the socket where Debian has it, and TLS is no matter there."""
        found = postgresql("postgresql:///meet")
        self.assertEqual((found["host"], found["dbname"]), ("/var/run/postgresql", "meet"))
        self.assertEqual(found["sslmode"], "prefer")
        for text in (
            "postgresql:///meet?host=/run/pg&port=5433",
            "postgres://%2Frun%2Fpg:5433/meet",
        ):
            found = postgresql(text)
            self.assertEqual((found["host"], found["port"]), ("/run/pg", "5433"))

    def test_network(self) -> None:
        """To another host the server's certificate is checked, name and all, unless it is said
        otherwise."""
        found = postgresql(f"postgresql://m%40x@db.example.com:6432/meet?sslrootcert={CA}")
        self.assertEqual(found["user"], "m@x")
        self.assertEqual((found["host"], found["port"]), ("db.example.com", "6432"))
        self.assertEqual((found["sslmode"], found["sslrootcert"]), ("verify-full", CA))
        for local in ("localhost", "127.0.0.1", "127.1.2.3:5433", "[::1]:5433"):
            self.assertEqual(postgresql(f"postgresql://{local}/meet")["sslmode"], "prefer")

    def test_several_hosts(self) -> None:
        """Several hosts are tried in turn, each with its port. One that is not local decides."""
        found = postgresql(f"postgresql://m@127.0.0.1,[2001:db8::1]:6432/meet?sslrootcert={CA}")
        self.assertEqual((found["host"], found["port"]), ("127.0.0.1,2001:db8::1", ",6432"))
        self.assertEqual(found["sslmode"], "verify-full")

    def test_exposed(self) -> None:
        """What is weaker than checking the certificate and its name is known for it."""
        for mode, exposed in (
            ("verify-full", False),
            ("verify-ca", True),
            ("require", True),
            ("prefer", True),
            ("disable", True),
        ):
            uri = f"postgresql://db.example.com/meet?sslrootcert={CA}&sslmode={mode}"
            server = parse_location(uri)
            assert isinstance(server, PostgresqlServer)
            self.assertEqual(bool(server.exposed), exposed, mode)
        local = parse_location("postgresql://localhost/meet?sslmode=disable")
        assert isinstance(local, PostgresqlServer)
        self.assertEqual(local.exposed, "")

    def test_faults(self) -> None:
        """What is wrong is said with a remedy, and never shows a password."""
        for text, said in (
            ("", "neither sqlite:/path"),
            ("mysql://db/x", "neither sqlite:/path"),
            ("sqlite:x.db", "neither sqlite:/path"),
            ("postgresql:db", "neither sqlite:/path"),
            ("postgresql://m:hunter2@localhost/x", "name password_file"),
            ("postgresql://m:@localhost/x", "name password_file"),
            ("postgresql://localhost/x?password=hunter2", "name password_file"),
            ("postgresql://m:hunter2@x:y/x", "name password_file"),
            ("postgresql://m:123/hunter2@localhost/x", "Write %2F"),
            ("postgresql://db.example.com/x", "Add sslrootcert="),
            ("postgresql://localhost/x?sslmode=verify-full", "Add sslrootcert="),
            ("postgresql://localhost/x?sslmode=off", "sslmode is one of"),
            ("postgresql://localhost/x?sslmode=", "sslmode is one of"),
            ("postgresql://localhost/x?connect_timeout=1", "'connect_timeout' is none of"),
            ("postgresql://localhost/x?sslmode=prefer&sslmode=disable", "sslmode twice"),
            ("postgresql://localhost/x?host=other", "host twice"),
            ("postgresql://a:b:c/x", "host:port"),
            ("postgresql://a:0/x", "host:port"),
            ("postgresql://a:99999/x", "host:port"),
            ("postgresql://" + ",".join(["localhost"] * 9) + "/x", "more than 8 hosts"),
            ("postgresql:///x?port=a", "port is no number"),
            ("postgresql://localhost/%ff", "percent-decoding"),
            ("postgresql://localhost/a%00b", "percent-decoding"),
        ):
            fault = self.fault(text)
            self.assertIn(said, fault, text)
            self.assertNotIn("hunter2", fault)

    @given(st.text("abc:@/?&=%,[]0123456789.", max_size=40))
    def test_anything(self, text: str) -> None:
        """Whatever stands there is a database, or a fault; no password is ever taken for something
        else."""
        try:
            found = postgresql(f"postgresql://{text}")
        except ValueError:
            return
        self.assertNotIn("password", found)
        self.assertTrue(found["host"])


class Settings(SynchronousTestCase):
    """``[sql NAME]``."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.ini = self.directory / "callbridged.ini"

    def read(self, *lines: str, check_files: bool = True) -> SqlSettings:
        self.ini.write_text("\n".join(["[sql meet]", *lines]))
        reader = IniReader(self.ini, check_files=check_files)
        settings: SqlSettings = configured("sql:meet", reader).argument
        reader.finish()
        self.warnings = reader.findings.warnings
        self.shown = {one.key: one.value for one in reader.findings.settings}
        return settings

    def faults(self, *lines: str) -> list[str]:
        fault = self.assertRaises(ConfigurationFault, self.read, *lines)
        return [str(one) for one in fault.faults]

    def secret(self, text: str) -> Path:
        path = self.directory / "secret"
        path.touch(mode=0o600)
        path.write_text(text)
        return path

    def test_defaults(self) -> None:
        """With a database alone everything is there."""
        settings = self.read("database = sqlite:/x.db")
        self.assertEqual(settings.query.sqlite, DEFAULT_QUERY)
        self.assertEqual(settings.mechanisms, {"SCRAM-SHA-256", "PLAIN"})
        self.assertEqual((settings.timeout, settings.connections), (5.0, 20))
        self.assertEqual((settings.hash_threads, settings.hash_memory), (2, 128 << 20))
        self.assertEqual(settings.password, "")

    def test_all(self) -> None:
        """Each setting is read; a query may have several lines, and is shown in one."""
        path = self.secret("hunter2\n")
        settings = self.read(
            "database = postgresql:///meet",
            f"password_file = {path}",
            "query = SELECT a  -- what it is",
            "    FROM u WHERE n = :username",
            "mechanisms = plain, SCRAM-SHA-512",
            "timeout = 500ms",
            "connections = 1",
            "hash_threads = 3",
            "hash_memory = 64MiB",
        )
        self.assertEqual(settings.password, "hunter2")
        self.assertNotIn("hunter2", repr(settings))
        self.assertEqual(
            settings.query.sqlite, "SELECT a  -- what it is\nFROM u WHERE n = :username"
        )
        self.assertEqual(settings.mechanisms, {"PLAIN", "SCRAM-SHA-512"})
        self.assertEqual((settings.timeout, settings.connections), (0.5, 1))
        self.assertEqual((settings.hash_threads, settings.hash_memory), (3, 64 << 20))
        self.assertEqual(self.shown["query"], "SELECT a -- what it is FROM u WHERE n = :username")

    def test_all_faults(self) -> None:
        """All faults are there at once, with their lines."""
        faults = self.faults(
            "database = postgresql://localhost/x?sslmode=verify-full&sslrootcert=/absent.pem",
            "query = DROP TABLE users",
            "mechanisms = SCRAM-MD5, CRAM-MD5",
            "timeout = 1h",
            "connections = 0",
            "hash_threads = x",
            "hash_memory = 1KiB",
            "password_file = /absent",
            "colour = red",
        )
        text = "\n".join(faults)
        self.assertEqual(len(faults), 9, text)
        for said in ("/absent.pem is not there", "line 3:", "'SCRAM-MD5' is none", "colour"):
            self.assertIn(said, text)

    def test_reload(self) -> None:
        """Settings that have not changed are equal, so that a reload leaves the backend alone;
        another password is a change."""
        path = self.secret("hunter2")
        lines = ("database = postgresql://m@localhost/x", f"password_file = {path}")
        before = self.read(*lines)
        self.assertEqual(self.read(*lines), before)
        self.secret("hunter3")
        self.assertNotEqual(self.read(*lines), before)

    def test_needed(self) -> None:
        """A section that is not there, or has no database, is a fault; so is a backend with no
        name, or no mechanism."""
        self.assertIn("[sql meet] database: it is needed", self.faults()[0])
        self.assertIn("nobody could log in", self.faults("database = sqlite:/x", "mechanisms =")[0])

    def test_no_password(self) -> None:
        """SQLite with a password is a mistake."""
        path = self.secret("hunter2")
        faults = self.faults("database = sqlite:/x", f"password_file = {path}")
        self.assertIn("SQLite knows no passwords", faults[0])

    def test_files_left_alone(self) -> None:
        """For callbridgectl, files that it may not read are no fault."""
        settings = self.read(
            f"database = postgresql://db.example.com/x?sslrootcert={CA}",
            "password_file = /absent",
            check_files=False,
        )
        self.assertEqual(settings.password, "")

    def test_warning(self) -> None:
        """Who does not check a server elsewhere is warned, and only then."""
        self.read("database = postgresql://db.example.com/x?sslmode=require")
        self.assertIn("whoever does can let in anybody", self.warnings[0])
        self.assertIn("Use sslmode=verify-full", self.warnings[0])
        self.read("database = postgresql://localhost/x?sslmode=disable")
        self.assertEqual(self.warnings, [])
