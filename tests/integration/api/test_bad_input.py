"""Whatever is sent to the API that is wrong gets a precise answer, and changes nothing."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from typing import Any, NamedTuple

from twisted.trial.unittest import SynchronousTestCase

from callbridged.web.api.failures import MISSING, TOO_LONG, TWICE, UNKNOWN
from tests.integration.api.case import (
    DIAGNOSTICS,
    FORM,
    JSON,
    USERS,
    VIEWER,
    XMPP,
    ApiSite,
    Reply,
    started,
)
from tests.support.shared import shared_site

#: In every request of this module that has a secret in it; in no answer, and no log.
SECRET = "marker-secret-9f3b"


class Bad(NamedTuple):
    """A request, and what is answered: status and reasons."""

    method: str
    path: str
    body: Mapping[str, object] | str | bytes | None
    status: int
    reasons: list[tuple[str, ...]]
    headers: Mapping[str, str] = {}


def wrong(parameter: str, error: str = "invalidValue") -> tuple[str, ...]:
    return "parameterError", parameter, error


AS_JSON = {"content_type": JSON}
AS_FORM = {"content_type": FORM}
UNREADABLE = [("malformedBody",)]
UNSUPPORTED = [("unsupportedMediaType",)]
FOREIGN = [("preconditionFailed",)]
MANY = "&".join(f"p{number}=1" for number in range(51))
TABLE = [
    # Names, domains, addresses and secrets that are none.
    Bad("PUT", XMPP, {"uniqueName": "c_1"}, 400, [wrong("uniqueName")]),
    Bad("PUT", XMPP, {"uniqueName": "cb1.example.com"}, 400, [wrong("uniqueName")]),
    Bad("PUT", XMPP, {"uniqueName": ""}, 400, [wrong("uniqueName")]),
    Bad("PUT", XMPP, {"uniqueName": "x" * 64}, 400, [wrong("uniqueName", TOO_LONG)]),
    Bad("PUT", XMPP, {"domain": "192.0.2.1"}, 400, [wrong("domain")]),
    Bad("PUT", XMPP, {"domain": "a..b"}, 400, [wrong("domain")]),
    Bad("PUT", XMPP, {"domain": "example.com; x = y"}, 400, [wrong("domain")]),
    Bad("PUT", XMPP, {"serverAddressOverride": "x:0"}, 400, [wrong("serverAddressOverride")]),
    Bad("PUT", XMPP, {"serverAddressOverride": "x:99999"}, 400, [wrong("serverAddressOverride")]),
    Bad("PUT", XMPP, {"serverAddressOverride": "[::1"}, 400, [wrong("serverAddressOverride")]),
    Bad("PUT", XMPP, {"serverAddressOverride": "a b"}, 400, [wrong("serverAddressOverride")]),
    Bad("PUT", XMPP, {"sharedSecret": ""}, 400, [wrong("sharedSecret")]),
    Bad("PUT", XMPP, {"sharedSecret": f"{SECRET}\n"}, 400, [wrong("sharedSecret")]),
    Bad("PUT", XMPP, {"sharedSecret": SECRET * 100}, 400, [wrong("sharedSecret", TOO_LONG)]),
    Bad("PUT", XMPP, {"replaceImmediately": "1"}, 400, [wrong("replaceImmediately")]),
    # Several faults at once, one of them in what is right otherwise: nothing half applied.
    Bad(
        "PUT",
        XMPP,
        {"domain": "example.org", "uniqueName": "-", "serverAddressOverride": "x:y", "x": ""},
        400,
        [wrong("uniqueName"), wrong("serverAddressOverride"), wrong("x", UNKNOWN)],
    ),
    Bad(
        "PUT",
        XMPP,
        {"uniqueName": "cb2", "sharedSecret": SECRET, "colour": "red"},
        400,
        [wrong("colour", UNKNOWN)],
    ),
    # Wrong types, in JSON.
    Bad("PUT", XMPP, {"uniqueName": 1}, 400, [wrong("uniqueName")], AS_JSON),
    Bad("PUT", XMPP, {"domain": None}, 400, [wrong("domain")], AS_JSON),
    Bad("PUT", XMPP, {"sharedSecret": [SECRET]}, 400, [wrong("sharedSecret")], AS_JSON),
    Bad("PUT", XMPP, {"replaceImmediately": 1}, 400, [wrong("replaceImmediately")], AS_JSON),
    Bad("PUT", XMPP, '{"domain": "\\ud800.com"}', 400, [wrong("domain")], AS_JSON),
    Bad(
        "PUT",
        XMPP,
        '{"domain": "a.com", "domain": "b.com"}',
        400,
        [wrong("domain", TWICE)],
        AS_JSON,
    ),
    # Bodies that cannot be read, or are something else.
    Bad("PUT", XMPP, "{", 400, UNREADABLE, AS_JSON),
    Bad("PUT", XMPP, '["uniqueName"]', 400, UNREADABLE, AS_JSON),
    Bad("PUT", XMPP, b'{"domain": "\xff"}', 400, UNREADABLE, AS_JSON),
    Bad("PUT", XMPP, "[" * 60_000, 400, UNREADABLE, AS_JSON),
    Bad("PUT", XMPP, "domain=%zz", 400, [wrong("domain")], AS_FORM),
    Bad("PUT", XMPP, "domain=%ff", 400, [wrong("domain")], AS_FORM),
    Bad("PUT", XMPP, b"%ff=1", 400, UNREADABLE, AS_FORM),
    Bad(
        "PUT",
        XMPP,
        "domain=a.com&domain=b.com",
        400,
        [wrong("domain", TWICE)],
        AS_FORM,
    ),
    Bad(
        "PUT",
        XMPP,
        MANY,
        400,
        UNREADABLE,
        AS_FORM,
    ),
    Bad("PUT", XMPP, "<xmpp/>", 415, UNSUPPORTED, {"content_type": "text/xml"}),
    Bad(
        "PUT",
        XMPP,
        "domain=a",
        415,
        UNSUPPORTED,
        {"content_type": f"{FORM}; charset=utf-16"},
    ),
    Bad(
        "PUT",
        XMPP,
        "domain=a",
        415,
        UNSUPPORTED,
        AS_FORM | {"content_encoding": "gzip"},
    ),
    Bad("PUT", XMPP, "domain=a.com", 415, UNSUPPORTED),
    # Somebody else's version.
    Bad("PUT", XMPP, {"domain": "example.org"}, 412, FOREIGN, {"if_match": '"x"'}),
    Bad("PUT", XMPP, {"domain": "example.org"}, 412, FOREIGN, {"if_match": "x"}),
    # What there is not, and what is not done with it.
    Bad("GET", "/api/v1/system/configuration/cluster", None, 404, [("unrecognizedObject",)]),
    Bad("GET", "/api/v1/system", None, 404, [("unrecognizedObject",)]),
    Bad("GET", "/api/v2/users", None, 404, [("invalidVersion",)]),
    Bad("GET", "/api/v1/users/%ff", None, 404, [("unrecognizedObject",)]),
    Bad("DELETE", XMPP, None, 405, [("invalidOperation",)]),
    Bad("PATCH", USERS, None, 405, [("invalidOperation",)]),
    Bad("OPTIONS", USERS, None, 405, [("invalidOperation",)]),
    Bad("GET", USERS, None, 406, [("notAcceptable",)], {"accept": "text/html"}),
    # Lists.
    Bad("GET", f"{USERS}?limit=-1", None, 400, [wrong("limit")]),
    Bad("GET", f"{USERS}?offset=x&limit=", None, 400, [wrong("offset"), wrong("limit")]),
    Bad("GET", f"{USERS}?tenantFilter=x", None, 400, [wrong("tenantFilter", UNKNOWN)]),
    Bad("GET", "/api/v1/system/alarms?offset=1e3", None, 400, [wrong("offset")]),
    # Users.
    Bad("POST", USERS, {"username": "a b", "password": SECRET}, 400, [wrong("username")]),
    Bad(
        "POST",
        USERS,
        {"username": "x" * 1024, "password": "x"},
        400,
        [wrong("username", TOO_LONG)],
    ),
    Bad("POST", USERS, {"username": "bob", "password": f"{SECRET}\0"}, 400, [wrong("password")]),
    Bad(
        "POST",
        USERS,
        {"username": "bob", "password": SECRET + "\U0001f511"},
        400,
        [wrong("password")],
    ),
    Bad("POST", USERS, {"password": SECRET}, 400, [wrong("username", MISSING)]),
    Bad("POST", USERS, {"username": "alice", "password": SECRET}, 409, [("duplicateUser",)]),
    Bad("PUT", f"{USERS}/alice", {}, 400, [wrong("password", MISSING)]),
    Bad(
        "PUT",
        f"{USERS}/alice",
        {"username": "bob", "password": SECRET},
        400,
        [wrong("username", UNKNOWN)],
    ),
    Bad("PUT", f"{USERS}/bob", {"password": SECRET}, 404, [("userDoesNotExist",)]),
    Bad("DELETE", f"{USERS}/bob", None, 404, [("userDoesNotExist",)]),
    Bad("DELETE", f"{USERS}/a%20b", None, 404, [("userDoesNotExist",)]),
    Bad("GET", f"{USERS}/bob", None, 404, [("userDoesNotExist",)]),
    # What would be tried.
    Bad("POST", DIAGNOSTICS, {"domain": "-", "sharedSecret": SECRET}, 400, [wrong("domain")]),
    Bad(
        "POST",
        DIAGNOSTICS,
        {"replaceImmediately": "true"},
        400,
        [wrong("replaceImmediately", UNKNOWN)],
    ),
]
#: A change that would be made, if whoever asks for it might.
CHANGES: list[tuple[str, str, Mapping[str, object] | None]] = [
    ("PUT", XMPP, {"domain": "example.org"}),
    ("POST", XMPP, {"domain": "example.org"}),
    ("POST", USERS, {"username": "bob", "password": SECRET}),
    ("PUT", f"{USERS}/alice", {"password": SECRET}),
    ("DELETE", f"{USERS}/alice", None),
    ("POST", DIAGNOSTICS, {"domain": "example.org"}),
]


class BadInputTests(SynchronousTestCase):
    """One site for all; after each test everything is as it was."""

    def setUp(self) -> None:
        site = shared_site(BadInputTests, started)
        assert isinstance(site, ApiSite)
        self.site = site
        before = self.everything()
        self.addCleanup(lambda: self.assertEqual(self.everything(), before))

    def everything(self) -> list[Any]:
        """What nothing of all this changes."""
        settings = self.site.ask(XMPP)
        link = self.site.callbridge.registered()[0]
        users = self.site.users.read_bytes()
        overlay = self.site.callbridge.directory / "overlay.ini"
        return [settings.headers["etag"], settings.body, link["since"], users, overlay.exists()]

    def refused(self, reply: Reply) -> tuple[int, list[tuple[str, ...]]]:
        self.assertNotIn(SECRET.encode(), reply.body)
        return reply.status, reply.reasons

    def test_table(self) -> None:
        """Every row gets its answer, with all reasons at once."""
        for row in TABLE:
            reply = self.site.ask(row.path, row.method, row.body, **row.headers)
            self.assertEqual(self.refused(reply), (row.status, row.reasons), row)
        self.assertNotIn(SECRET, self.site.callbridge.process.text())

    def test_strangers(self) -> None:
        """Nobody without a right name and password gets anywhere, nor learns what there is."""
        for user, password in ((None, ""), ("carol", "wrong"), ("mallory", "x"), ("", "")):
            for path in (XMPP, "/api/v1/absent"):
                reply = self.site.ask(path, user=user, password=password)
                self.assertEqual(self.refused(reply), (401, [("authenticationFailure",)]))
                self.assertIn("Basic", reply.headers["www-authenticate"])
        for method, path, body in CHANGES:
            reply = self.site.ask(path, method, body, user=None)
            self.assertEqual(self.refused(reply), (401, [("authenticationFailure",)]))

    def test_viewers(self) -> None:
        """A viewer sees, and changes nothing."""
        for path in (XMPP, USERS, f"{USERS}/alice", "/api/v1/system/status", DIAGNOSTICS):
            self.assertEqual(self.site.ask(path, user=VIEWER).status, 200, path)
        for method, path, body in CHANGES:
            reply = self.site.ask(path, method, body, user=VIEWER)
            self.assertEqual(self.refused(reply), (403, [("forbidden",)]), path)

    def test_other_sites(self) -> None:
        """A page of another site cannot have a browser change something that knows the password."""
        for headers in ({"origin": "https://evil.example"}, {"sec_fetch_site": "cross-site"}):
            for method, path, body in CHANGES:
                reply = self.site.ask(path, method, body, **headers)
                self.assertEqual(self.refused(reply), (403, [("forbidden",)]), path)

    def test_huge_body(self) -> None:
        """A body that is too large is refused by its length, before it comes."""
        context = ssl.create_default_context(cafile=self.site.ca.certificate_path)
        with (
            socket.create_connection(("127.0.0.1", self.site.port), 30) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as stream,
        ):
            head = f"PUT {XMPP} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
            stream.sendall(head.encode())
            self.assertTrue(stream.recv(100).startswith(b"HTTP/1.1 413 "))
