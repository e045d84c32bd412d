"""Tests of callbridged.web.api.resource: HTTP, with operations that note what they are asked."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Request

from callbridged.web.access import Caller, Denied
from callbridged.web.api.failures import Reason, bad_request
from callbridged.web.api.operation import Answer, Call, Operation, Routes, find
from callbridged.web.api.parameters import Boolean, Text
from callbridged.web.api.representation import JSON
from callbridged.web.api.resource import Api
from daemonkit.web.channel import Limits
from daemonkit.web.door import CountingDoor
from daemonkit.web.site import WebSite
from tests.support.http import HttpClient

FORM = "application/x-www-form-urlencoded"
CALLER = Caller("carol", "admin", "192.0.2.1")


class ApiCase(SynchronousTestCase):
    """An API with a list, ``/things``, and one thing in it, over a connection in memory."""

    def setUp(self) -> None:
        self.calls: list[Call] = []
        self.denied: Denied | None = None
        self.waiting: Deferred[Answer] | None = None
        changing = Operation(self.run_it, body=(Text("name", 5, required=True), Boolean("now")))
        self.routes: Routes = {
            "": {"GET": Operation(self.run_it)},
            "/document.json": {"GET": Operation(self.document, media_types=(JSON,))},
            "/things": {
                "GET": Operation(self.run_it, query=(Text("filter", 5),)),
                "POST": changing,
            },
            "/things/{id}": {"GET": Operation(self.run_it), "PUT": changing},
        }
        root = Resource()
        root.putChild(b"api", Api(self.routes, self.who))
        site = WebSite(root, Clock(), CountingDoor("a port", 10, 10), Limits(body=65536))
        channel = site.accept("192.0.2.1")
        assert channel is not None
        self.client = HttpClient(channel)

    async def who(self, request: Request) -> Caller:
        if self.denied is not None:
            raise self.denied
        return CALLER

    async def run_it(self, call: Call) -> Answer:
        self.calls.append(call)
        if self.waiting is not None:
            return await self.waiting
        return Answer("thing", {"id": "1", "name": "<a>"}, etag="v1", location="/api/v1/things/1")

    async def document(self, call: Call) -> Answer:
        return Answer(text=b"{}")

    def ask(self, path: str, method: str = "GET", body: str = "", **headers: str) -> Any:
        """Status, headers and body."""
        length = {"content_length": str(len(body))} if body else {}
        self.client.transport.clear()
        return read(self.client.ask(path, method, body, **length, **headers))

    def refused(self, path: str, method: str = "GET", body: str = "", **headers: str) -> Any:
        """Status, and the reasons in JSON; nothing was run."""
        status, _, text = self.ask(path, method, body, accept=JSON, **headers)
        self.assertEqual(self.calls, [])
        reasons = json.loads(text)["failureDetails"]
        self.assertTrue(all(reason.pop("message") for reason in reasons))
        return status, [tuple(reason.values()) for reason in reasons]


def read(answer: bytes) -> tuple[int, dict[str, str], str]:
    head, _, body = answer.decode().partition("\r\n\r\n")
    status, *lines = head.split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(status.split()[1]), headers, body


class AnswerTests(ApiCase):
    """What comes back."""

    def test_xml(self) -> None:
        """The usual answer is XML, with what scripts and browsers have to know of it."""
        status, headers, body = self.ask("/api/v1/things/1")
        self.assertEqual(status, 200)
        self.assertEqual(headers["content-type"], "text/xml; charset=utf-8")
        self.assertEqual(headers["etag"], '"v1"')
        self.assertEqual(headers["location"], "/api/v1/things/1")
        self.assertEqual(headers["cache-control"], "no-store")
        self.assertEqual(ElementTree.fromstring(body).findtext("name"), "<a>")

    def test_json(self) -> None:
        """JSON for who asks for it."""
        _, headers, body = self.ask("/api/v1/things/1", accept="application/json")
        self.assertEqual(headers["content-type"], "application/json")
        self.assertEqual(json.loads(body), {"id": "1", "name": "<a>"})

    def test_empty(self) -> None:
        """What has nothing to say has no body, and no type."""
        self.waiting = Deferred()
        self.waiting.callback(Answer())
        status, headers, body = self.ask("/api/v1/things/1")
        self.assertEqual((status, headers["content-length"], body), (200, "0", ""))
        self.assertNotIn("content-type", headers)

    def test_head(self) -> None:
        """HEAD has the headers of GET, and no body."""
        length = self.ask("/api/v1/things")[1]["content-length"]
        _, headers, body = self.ask("/api/v1/things", "HEAD")
        self.assertEqual((headers["content-length"], body), (length, ""))

    def test_slow(self) -> None:
        """An operation may take its time; who hung up meanwhile is told nothing."""
        self.waiting = waiting = Deferred[Answer]()
        self.client.ask("/api/v1/things")
        self.client.lose()
        waiting.callback(Answer("thing", {}))
        self.assertEqual(self.client.read(), b"")

    def test_defect(self) -> None:
        """A defect of ours is a traceback in the log, and no detail in the answer."""
        self.waiting = Deferred()
        self.waiting.errback(ZeroDivisionError("marker-secret"))
        status, _, body = self.ask("/api/v1/things")
        self.assertEqual(status, 500)
        self.assertNotIn("marker-secret", body)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class CallTests(ApiCase):
    """What an operation gets."""

    def call(self, *request: str, **headers: str) -> Call:
        self.assertEqual(self.ask(*request, **headers)[0], 200)
        return self.calls.pop()

    def test_parameters(self) -> None:
        """Parameters of a form, of JSON, and of the URL, by their kinds."""
        call = self.call("/api/v1/things/1", "PUT", "name=a+b&now=true", content_type=FORM)
        self.assertEqual(call, Call(CALLER, {}, {"name": "a b", "now": True}, "1"))
        body = '{"name": "a", "now": false}'
        call = self.call("/api/v1/things", "POST", body, content_type=JSON)
        self.assertEqual(call, Call(CALLER, {}, {"name": "a", "now": False}))
        self.assertEqual(self.call("/api/v1/things?filter=%C3%A9").query, {"filter": "\u00e9"})

    def test_id(self) -> None:
        """The variable part of a path is decoded, and may have anything in it."""
        for path, name in (("%41", "A"), ("a%2Fb", "a/b"), ("%C3%A9", "\u00e9"), ("{id}", "{id}")):
            self.assertEqual(self.call(f"/api/v1/things/{path}").id, name)

    def test_slash(self) -> None:
        """A slash at the end makes no other object."""
        for path in ("/api/v1/", "/api/v1/things/", "/api/v1/things/1/"):
            self.call(path)

    def test_if_match(self) -> None:
        """If-Match has entity tags; weak ones, and what is none, match nothing (RFC 9110)."""
        for header, tags in (
            ('"v1"', {"v1"}),
            ('"v1", "v2"', {"v1", "v2"}),
            ('W/"v1"', set()),
            ("v1", set()),
            ("*", None),
        ):
            call = self.call("/api/v1/things", if_match=header)
            self.assertEqual(call.if_match, tags, header)


class RefusalTests(ApiCase):
    """What is not done."""

    def test_denied(self) -> None:
        """Nobody gets further than to the question who they are, also where there is nothing."""
        challenge = ((b"www-authenticate", b'Basic realm="x"'),)
        self.denied = Denied(401, "unauthenticated", "Say who you are.", challenge)
        for path in ("/api/v1/things", "/api/v1/absent", "/api/v2", "/api"):
            self.assertEqual(self.refused(path), (401, [("authenticationFailure",)]), path)
        self.assertEqual(self.ask("/api/v1/things")[1]["www-authenticate"], 'basic realm="x"')
        for status, name in ((403, "forbidden"), (429, "tooManyRequests")):
            self.denied = Denied(status, "why", "No.")
            self.assertEqual(self.refused("/api/v1/things"), (status, [(name,)]))

    def test_unknown_objects(self) -> None:
        """What is not there is an unrecognizedObject, or another version of the API."""
        for path in ("/absent", "/things/1/2", "//things", "/things//", "/{id}", "/things/%ff"):
            refused = self.refused(f"/api/v1{path}")
            self.assertEqual(refused, (404, [("unrecognizedObject",)]), path)
        self.assertEqual(self.refused("/api"), (404, [("unrecognizedObject",)]))
        self.assertEqual(self.refused("/api/v2/things"), (404, [("invalidVersion",)]))

    def test_methods(self) -> None:
        """A method that an object has not is 405, and the answer says which it has."""
        for method in ("DELETE", "PATCH", "OPTIONS", "TRACE", "get", "X"):
            refused = self.refused("/api/v1/things/1", method)
            self.assertEqual(refused, (405, [("invalidOperation",)]), method)
        headers = self.ask("/api/v1/things/1", "DELETE")[1]
        self.assertEqual(headers["allow"], "head, get, put")

    def test_accept(self) -> None:
        """What cannot be answered is 406, in the way that is nearest."""
        status, headers, _ = self.ask("/api/v1/things", accept="text/html")
        self.assertEqual((status, headers["content-type"]), (406, "text/xml; charset=utf-8"))
        status, headers, _ = self.ask("/api/v1/document.json", accept="text/xml")
        self.assertEqual((status, headers["content-type"]), (406, "text/xml; charset=utf-8"))
        self.assertEqual(self.ask("/api/v1/document.json")[2], "{}")

    def test_parameters(self) -> None:
        """Parameters that are wrong are named, all of them, and nothing is done."""
        body = "name=abcdef&now=1&x=1"
        refused = self.refused("/api/v1/things", "POST", body, content_type=FORM)
        wanted = [
            ("parameterError", "name", "valueTooLong"),
            ("parameterError", "now", "invalidValue"),
            ("parameterError", "x", "unknownParameter"),
        ]
        self.assertEqual(refused, (400, wanted))
        self.assertEqual(
            self.refused("/api/v1/things?x=1"),
            (400, [("parameterError", "x", "unknownParameter")]),
        )
        self.assertEqual(
            self.refused("/api/v1/things?filter=1&filter=2"),
            (400, [("parameterError", "filter", "duplicateParameter")]),
        )
        self.assertEqual(
            self.refused("/api/v1/things", "POST"),
            (400, [("parameterError", "name", "missingParameter")]),
        )

    def test_bodies(self) -> None:
        """A body of another kind is 415; one where there should be none is 400."""
        self.assertEqual(
            self.refused("/api/v1/things", "POST", "<name>a</name>", content_type="text/xml"),
            (415, [("unsupportedMediaType",)]),
        )
        self.assertEqual(
            self.refused("/api/v1/things/1", "GET", "name=a", content_type=FORM),
            (400, [("parameterError", "name", "unknownParameter")]),
        )

    def test_failures(self) -> None:
        """What an operation refuses is answered as such, in XML in the form of CMS."""
        self.waiting = Deferred()
        self.waiting.errback(bad_request(Reason("userDoesNotExist", "No.")))
        status, _, body = self.ask("/api/v1/things")
        self.assertEqual(status, 400)
        self.assertIn("<userDoesNotExist />", body)


class FindTests(SynchronousTestCase):
    """Which route is meant."""

    def test_exact_first(self) -> None:
        """A path that is there as such is taken before one with a variable part."""

        async def nothing(call: Call) -> Answer:
            return Answer()

        exact, variable = {"GET": Operation(nothing)}, {"GET": Operation(nothing)}
        routes: Routes = {"/users/me": exact, "/users/{id}": variable}
        self.assertEqual(find(routes, ["users", "me"]), (exact, ""))
        self.assertEqual(find(routes, ["users", "you"]), (variable, "you"))
        self.assertEqual(find(routes, ["users", "{id}"]), (variable, "{id}"))
        self.assertIsNone(find(routes, ["users"]))
