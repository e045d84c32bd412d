"""``/users``: who may log in, where users are in a file."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from twisted.internet.defer import Deferred

from bridgewire.session_end import EndSessions
from bridgewire.username import parse_username
from callbridged import users_store
from callbridged.backends import BackendUnavailable
from callbridged.backends.file import FileBackend, FileBackendFactory
from callbridged.backends.users_file import Users
from callbridged.bridge import Bridge
from callbridged.logins.ending import end_sessions
from callbridged.scram_keys import normal_password
from callbridged.users_store import NoSuchUser, UsersStore, UserThere
from callbridged.web.api.failures import ApiFailure, Reason, invalid_operation
from callbridged.web.api.operation import Answer, Call, Operation
from callbridged.web.api.paging import PAGE, page
from callbridged.web.api.parameters import Text
from callbridged.web.audit import Audit

T = TypeVar("T")
#: Runs a function with its arguments in a thread.
InThread = Callable[..., Deferred[Any]]


def _check_password(text: str) -> None:
    try:
        normal_password(text)
    except ValueError as error:
        raise ValueError(
            f"this cannot be one ({error}). Leave out control characters and characters younger "
            "than Unicode 3.2, such as emoji."
        ) from None


_USERNAME = Text("username", 1023, required=True, check=parse_username)
_PASSWORD = Text("password", 1023, required=True, check=_check_password)


class ApiUsers:
    """The list, and each of those in it, by name. Passwords come in, and never go out."""

    def __init__(self, bridge: Bridge, audit: Audit, in_thread: InThread) -> None:
        self._bridge = bridge
        self._audit = audit
        self._in_thread = in_thread
        self.list_operations = {
            "GET": Operation(self.show_all, query=(*PAGE, Text("filter", 1023, empty=True))),
            "POST": Operation(self.create, body=(_USERNAME, _PASSWORD)),
        }
        self.operations = {
            "GET": Operation(self.show),
            "PUT": Operation(self.set_password, body=(_PASSWORD,)),
            "DELETE": Operation(self.delete),
        }

    async def show_all(self, call: Call) -> Answer:
        """Answer a part of the list: those whose JID has ``filter`` in it, by name."""
        wanted = call.query.get("filter", "").lower()
        domain = self._bridge.config.callbridge.domain
        users = await self._users()
        found = await self._in_thread(_select, users, wanted, domain)
        return Answer("users", page("users", found, call.query))

    async def show(self, call: Call) -> Answer:
        """Answer one user."""
        name = _name_in_path(call)
        users = await self._users()
        if not users_store.is_there(users, name):
            raise _no_such_user(name)
        return Answer("user", _shown(users, name, self._bridge.config.callbridge.domain))

    async def create(self, call: Call) -> Answer:
        """Put in a new user. The answer says where it is (Location)."""
        name = parse_username(call.body["username"])
        keys = await self._in_thread(users_store.derive, call.body["password"])
        try:
            await self._work(UsersStore.add, name, keys)
        except UserThere:
            said = f"There is a user {name} already. PUT on it changes the password."
            raise ApiFailure(HTTPStatus.CONFLICT, (Reason("duplicateUser", said),)) from None
        self._audit.changed(call.caller, f"/users/{name}", {"username": ("", name)})
        return Answer(location=f"/api/v1/users/{quote(name, safe='')}")

    async def set_password(self, call: Call) -> Answer:
        """Give a user another password."""
        name = _name_in_path(call)
        keys = await self._in_thread(users_store.derive, call.body["password"])
        try:
            await self._work(UsersStore.replace, name, keys)
        except NoSuchUser:
            raise _no_such_user(name) from None
        self._audit.changed(call.caller, f"/users/{name}", {"password": ("", "")}, ("password",))
        return Answer()

    async def delete(self, call: Call) -> Answer:
        """Take a user out, and end its sessions."""
        name = _name_in_path(call)
        try:
            await self._work(UsersStore.remove, name)
        except NoSuchUser:
            raise _no_such_user(name) from None
        self._audit.changed(call.caller, f"/users/{name}", {"username": (name, "")})
        what = EndSessions(name, None, "This account has been removed.")
        await end_sessions(self._bridge.relay.links, what)
        return Answer()

    async def _users(self) -> Users:
        """Answer what is in the file; mostly what the backend has read of it already."""
        for one in self._bridge.config.users.backends:
            if isinstance(one.factory, FileBackendFactory):
                backend = self._bridge.users.backend(one.name)
                assert isinstance(backend, FileBackend)  # noqa: S101  as its factory makes no other
                with suppress(BackendUnavailable):
                    return await backend.users()
                break
        # There may be none yet, which is no users; or else this says what is wrong with it.
        return await self._work(UsersStore.read)

    async def _work(self, work: Callable[..., T], *arguments: object) -> T:
        """Do something with the file, in a thread: it may be large."""
        path = users_store.users_file(self._bridge.config)
        if path is None:
            names = ", ".join(one.name for one in self._bridge.config.users.backends)
            raise invalid_operation(
                f"Users come from {names}, and not from a file. Change them where they are kept, "
                "or add file:PATH to backend under [users] in callbridged.ini."
            )
        try:
            done: T = await self._in_thread(work, UsersStore(path), *arguments)
        except OSError as error:
            raise _refused(path, error) from None
        return done


def _select(users: Users, wanted: str, domain: str) -> list[dict[str, object]]:
    names = sorted(users.keys.keys() | users.broken)
    return [_shown(users, name, domain) for name in names if wanted in f"{name}@{domain}"]


def _shown(users: Users, name: str, domain: str) -> dict[str, object]:
    """One user; no mechanisms where its line in the file is broken."""
    mechanisms = sorted(users.keys.get(name, {}))
    return {"id": name, "userJid": f"{name}@{domain}", "mechanisms": mechanisms}


def _name_in_path(call: Call) -> str:
    try:
        return parse_username(call.id)
    except ValueError:
        raise _no_such_user(call.id) from None


def _no_such_user(name: str) -> ApiFailure:
    said = f"There is no user {name[:80]!r}. GET /api/v1/users lists those that there are."
    return ApiFailure(HTTPStatus.NOT_FOUND, (Reason("userDoesNotExist", said),))


def _refused(path: Path, error: OSError) -> ApiFailure:
    return invalid_operation(
        f"The daemon cannot read and change {path}: {error.strerror or error}. Either change users "
        "with callbridgectl user on the Call Bridge's host, or move the file to where the daemon "
        "may write, such as /var/lib/callbridged/users, and name it in backend under [users]."
    )
