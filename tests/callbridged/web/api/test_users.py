"""Tests of /users: the users file, through the API."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed

from bridgewire.session_end import EndSessions
from callbridged.backends.file import FileBackendFactory
from callbridged.backends.users_file import parse
from callbridged.web.api import users as users_module
from callbridged.web.api.users import ApiUsers
from daemonkit import edited_file
from tests.callbridged.web.api.calls import ObjectCase, in_thread

SCHEME = "SCRAM-SHA-256"
ALICE = {"username": "Alice", "password": "wonderland"}


class Backend(FileBackendFactory):
    """A factory whose backends read in the reactor's own thread."""

    def open(self, path: Path, reactor: Any) -> Any:
        backend = super().open(path, reactor)
        backend._in_thread = in_thread
        return backend


class UsersCase(ObjectCase):
    """A users file that is not there yet."""

    def setUp(self) -> None:
        super().setUp()
        directory = Path(self.mktemp()).absolute()
        directory.mkdir()
        self.path = directory / "users"
        self.use(self.path)
        self.ended: list[EndSessions] = []
        self.patch(users_module, "end_sessions", self.end_sessions)

    def use(self, path: Path) -> None:
        factory = Backend()
        self.config = SimpleNamespace(
            callbridge=SimpleNamespace(domain="example.com"),
            users=SimpleNamespace(
                backends=[
                    SimpleNamespace(name="ldap:office", factory=None, argument="office"),
                    SimpleNamespace(name="file:x", factory=factory, argument=path),
                ]
            ),
        )
        backend = factory.open(path, reactor)
        bridge: Any = SimpleNamespace(
            config=self.config,
            users=SimpleNamespace(backend=lambda name: backend),
            relay=SimpleNamespace(links=["a link"]),
        )
        users = ApiUsers(bridge, self.audit, in_thread)
        self.list, self.create = users.list_operations["GET"], users.list_operations["POST"]
        self.show, self.put = users.operations["GET"], users.operations["PUT"]
        self.delete = users.operations["DELETE"]

    def end_sessions(self, links: list[str], what: EndSessions) -> Deferred[None]:
        self.assertEqual(links, ["a link"])
        self.ended.append(what)
        return succeed(None)

    def names(self, **query: str) -> list[str]:
        shown: Any = self.run_it(self.list, query=query).value
        return [one["id"] for one in shown["users"]]

    def password_is(self, name: str, password: str) -> bool:
        return parse(self.path.read_bytes()).keys[name][SCHEME].check(SCHEME, password)


class ChangeTests(UsersCase):
    """Who comes and goes."""

    def test_create(self) -> None:
        """A new user is in the file, in its normal form; the answer says where it is."""
        answer = self.run_it(self.create, ALICE)
        self.assertEqual((answer.location, answer.value), ("/api/v1/users/alice", None))
        self.assertTrue(self.password_is("alice", "wonderland"))
        self.assertEqual(self.audit.entries, [("/users/alice", {"username": ("", "alice")})])

    def test_location(self) -> None:
        """What cannot stand in a path is encoded."""
        answer = self.run_it(self.create, {"username": "j\u00fcrgen%?", "password": "x"})
        self.assertEqual(answer.location, "/api/v1/users/j%C3%BCrgen%25%3F")

    def test_there_already(self) -> None:
        """A name is there once, however it is spelled."""
        self.run_it(self.create, ALICE)
        refused = self.refused(self.create, {"username": "aLICE", "password": "x"})
        self.assertEqual(refused, (409, [("duplicateUser",)]))
        self.assertTrue(self.password_is("alice", "wonderland"))

    def test_faults(self) -> None:
        """Whatever is wrong with a new user is named at once, and the password is repeated to
        nobody."""
        failure = self.failing(self.create, {"username": "a@b", "password": "marker\u0221secret"})
        self.assertEqual(
            [(one.parameter, one.error) for one in failure.reasons],
            [("username", "invalidValue"), ("password", "invalidValue")],
        )
        self.assertNotIn("marker", str(failure))
        self.assertFalse(self.path.exists())
        refused = self.refused(self.create, {"username": "bob"})
        self.assertEqual(refused, (400, [("parameterError", "password", "missingParameter")]))

    def test_password(self) -> None:
        """Another password; the audit log says that it is another one, and not which."""
        self.run_it(self.create, ALICE)
        self.run_it(self.put, {"password": "looking glass"}, id="ALICE")
        self.assertTrue(self.password_is("alice", "looking glass"))
        self.assertEqual(self.audit.entries[1], ("/users/alice", {"password": "secret"}))
        self.assertEqual(self.ended, [])

    def test_delete(self) -> None:
        """Who is taken out is gone, with all sessions."""
        self.run_it(self.create, ALICE)
        self.run_it(self.delete, id="alice")
        self.assertEqual(self.names(), [])
        self.assertEqual([one.username for one in self.ended], ["alice"])
        self.assertEqual(self.audit.entries[1], ("/users/alice", {"username": ("alice", "")}))

    def test_nobody(self) -> None:
        """Whoever is not there cannot be shown or changed, whatever the name looks like."""
        gone = 404, [("userDoesNotExist",)]
        for name in ("bob", "a b", "x" * 2000, "\0", "bob@example.com"):
            self.assertEqual(self.refused(self.show, id=name), gone)
            self.assertEqual(self.refused(self.put, {"password": "x"}, id=name), gone)
            self.assertEqual(self.refused(self.delete, id=name), gone)
        self.assertEqual(self.ended, [])


class ListTests(UsersCase):
    """Who is there."""

    def setUp(self) -> None:
        super().setUp()
        self.assertEqual(self.names(), [])  # no file is no users
        for name in ("carol", "alice", "bob"):
            self.run_it(self.create, {"username": name, "password": "x"})

    def test_all(self) -> None:
        """By name, with their JIDs, and how they may log in."""
        shown: Any = self.run_it(self.list).value
        self.assertEqual(shown["total"], 3)
        self.assertEqual([one["id"] for one in shown["users"]], ["alice", "bob", "carol"])
        alice = {
            "id": "alice",
            "userJid": "alice@example.com",
            "mechanisms": ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"],
        }
        self.assertEqual(shown["users"][0], alice)
        self.assertEqual(self.run_it(self.show, id="Alice").value, alice)

    def test_filter(self) -> None:
        """A part of the JID, in any case; a page of those."""
        self.assertEqual(self.names(filter="O"), ["alice", "bob", "carol"])
        self.assertEqual(self.names(filter="oB"), ["bob"])
        self.assertEqual(self.names(filter="alice@example"), ["alice"])
        self.assertEqual(self.names(filter="example", offset="1", limit="1"), ["bob"])

    def test_broken(self) -> None:
        """A user whose line is broken is there, and cannot log in."""
        with self.path.open("a") as file:
            file.write("dave:nonsense\n")
        shown: Any = self.run_it(self.show, id="dave").value
        self.assertEqual(shown["mechanisms"], [])
        self.assertIn("dave", self.names())


class RefusalTests(UsersCase):
    """Where there is nothing that the API could change."""

    def everything(self) -> None:
        """Each operation is an invalidOperation."""
        refused = 409, [("invalidOperation",)]
        self.assertEqual(self.refused(self.list), refused)
        self.assertEqual(self.refused(self.create, ALICE), refused)
        self.assertEqual(self.refused(self.show, id="alice"), refused)
        self.assertEqual(self.refused(self.put, {"password": "x"}, id="alice"), refused)
        self.assertEqual(self.refused(self.delete, id="alice"), refused)

    def test_no_file(self) -> None:
        """Users who are kept elsewhere are changed there: it says where."""
        del self.config.users.backends[1]
        self.everything()
        self.assertIn("Users come from ldap:office", str(self.failing(self.list)))

    def test_unreadable(self) -> None:
        """A file that cannot be read is no empty file."""
        self.path.mkdir()
        self.everything()
        self.assertIn("callbridgectl user", str(self.failing(self.list)))

    def test_not_writable(self) -> None:
        """Where the daemon may not write it says what to do, and nothing has changed."""
        self.run_it(self.create, ALICE)
        content = self.path.read_bytes()

        def replace_file(*arguments: object, **more: object) -> None:
            raise PermissionError(13, os.strerror(13))

        self.patch(edited_file, "replace_file", replace_file)
        said = str(self.failing(self.create, {"username": "bob", "password": "x"}))
        self.assertIn("Permission denied", said)
        self.assertIn("/var/lib/callbridged/users", said)
        self.assertEqual(self.path.read_bytes(), content)
