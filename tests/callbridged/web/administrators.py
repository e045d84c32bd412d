"""Administrators in memory: their file, hashes that cost nothing, and a site that asks who asks."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from shutil import rmtree
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import NOT_DONE_YET, Request

from callbridged.backends.sql.hashes import Argon2Hash
from callbridged.web.access import Denied
from callbridged.web.accounts import Accounts
from callbridged.web.admins_file import Account, put
from callbridged.web.audit import Audit
from callbridged.web.basic import Remembered
from callbridged.web.guard import Guard
from callbridged.web.sessions import COOKIE, Session, Sessions, open_stream
from callbridged.web.sign_in import Access
from daemonkit.web.channel import Limits
from daemonkit.web.door import CountingDoor
from daemonkit.web.live import Live
from daemonkit.web.pages import Page
from daemonkit.web.site import WebSite
from daemonkit.workers import Workers
from tests.callbridged.people import Threads
from tests.support.http import HttpClient

IDLE, LIFETIME = 1800.0, 43200.0


def fake_hash(password: str, parameters: str = "m=65536,t=3,p=4") -> str:
    """A hash by its form, from which the password can be read."""
    digest = base64.b64encode(password.encode().ljust(32, b"\0")[:32]).decode().rstrip("=")
    return f"$argon2id$v=19${parameters}${'A' * 22}${digest}"


class AdminsCase(SynchronousTestCase):
    """The file of alice, an admin, and bob, a viewer; the passwords are wonderland and builder12.

    ``checked``: the passwords that were held against a hash.
    """

    def setUp(self) -> None:
        self.clock = Threads()
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(rmtree, self.directory)
        self.path = self.directory / "admins"
        self.checked: list[str] = []

        def check(hashed: Argon2Hash, password: str) -> bool:
            self.checked.append(password)
            return hashed.text.rpartition("$")[2] == fake_hash(password).rpartition("$")[2]

        self.patch(Argon2Hash, "check", check)
        self.set("alice", "admin", "wonderland")
        self.set("bob", "viewer", "builder12")
        self.accounts = Accounts(self.path, Workers(self.clock, 2, "test", self.clock))
        self.accounts.look()

    def set(self, name: str, role: Any, password: str | None) -> None:
        """Change the file, as callbridgectl does; no password: take the account out."""
        content = self.path.read_bytes() if self.path.exists() else b""
        account = None if password is None else Account(name, role, Argon2Hash(fake_hash(password)))
        new = self.path.with_name("new")
        new.write_bytes(put(content, name, account))
        new.replace(self.path)


class _Asking(Page):
    """Answers who asks, or why that is nobody, by one of the ways of `Access`."""

    methods = (b"GET", b"POST", b"PUT")

    def __init__(self, way: Callable[[Request], Coroutine[Any, Any, str]]) -> None:
        super().__init__()
        self._way = way

    def show(self, request: Request) -> int:
        async def respond() -> None:
            try:
                text = await self._way(request)
            except Denied as denied:
                denied.put(request)
                text = f"{denied.reason}: {denied.text}"
            request.write(text.encode())
            request.finish()

        Deferred.fromCoroutine(respond())
        return NOT_DONE_YET


class _Following(Page):
    """Follows, whoever is signed in."""

    def __init__(self, case: AccessCase) -> None:
        super().__init__()
        self._case = case

    def show(self, request: Request) -> bytes | int:
        session = self._case.access.session(request)
        assert session is not None
        assert open_stream(self._case.live, request, session) is not None
        return NOT_DONE_YET


class AccessCase(AdminsCase):
    """The same with a site, which has a page for each question that is asked of `Access`."""

    def setUp(self) -> None:
        super().setUp()
        self.audit = Audit(self.directory)
        self.sessions = Sessions(self.clock, IDLE, LIFETIME)
        self.access = Access(
            self.accounts, self.sessions, Guard(self.clock), self.audit, Remembered(self.clock)
        )
        self.live = Live(self.clock)
        self.last: Session | None = None
        root = Page()
        for name in ("api", "page", "sign_in", "sign_out", "form"):
            root.putChild(name.encode(), _Asking(getattr(self, f"_{name}")))
        root.putChild(b"live", _Following(self))
        self.site = WebSite(root, self.clock, CountingDoor("port", 500, 500), Limits(body=4096))

    def client(self, host: str = "192.0.2.7") -> HttpClient:
        channel = self.site.accept(host)
        assert channel is not None
        client = HttpClient(channel)
        client.transport.peerAddr = type(client.transport.peerAddr)("TCP", host, 40000)
        client.host = "cb1.example.com:8443"
        return client

    def ask(self, path: str, method: str = "GET", body: str = "", **headers: str | None) -> bytes:
        """The whole answer to one request, of one connection."""
        host = headers.pop("peer", None) or "192.0.2.7"
        return self.client(host).ask(path, method, body, content_length=str(len(body)), **headers)

    def basic(self, name: str, password: str) -> str:
        """The header Authorization."""
        return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()

    def sign_in(self, name: str = "alice", password: str = "wonderland") -> str:
        """The header Cookie of a new session."""
        answered = self.ask("/sign_in", "POST", f"{name} {password}").decode()
        self.assertIn(" 200 ", answered)
        (line,) = [one for one in answered.split("\r\n") if one.startswith("Set-Cookie: ")]
        self.assertIn(COOKIE, line)
        return line.removeprefix("Set-Cookie: ").partition(";")[0]

    async def _api(self, request: Request) -> str:
        caller = await self.access.caller(request)
        return f"{caller.name} is {caller.role} from {caller.peer}"

    async def _page(self, request: Request) -> str:
        session = self.access.session(request)
        return "nobody" if session is None else f"page of {session.caller.name}"

    async def _sign_in(self, request: Request) -> str:
        assert request.content is not None
        name, _, password = request.content.read().decode().partition(" ")
        self.last = await self.access.sign_in(request, name, password)
        return f"signed in as {self.last.caller.name}"

    async def _sign_out(self, request: Request) -> str:
        self.access.sign_out(request, request.getHeader("x-form-token"))
        return "signed out"

    async def _form(self, request: Request) -> str:
        session = self.access.session(request)
        if session is None:
            return "nobody"
        self.access.check_form(request, session, request.getHeader("x-form-token"))
        return f"changed by {session.caller.name}"
