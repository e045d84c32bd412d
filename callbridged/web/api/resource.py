"""The API as a Twisted resource: HTTP on one side, operations on the other."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from callbridged.web.access import Caller, Denied
from callbridged.web.api.bodies import parse_body, parse_form
from callbridged.web.api.failures import ApiFailure, Reason, unrecognized
from callbridged.web.api.operation import Answer, Call, Operation, Routes, find
from callbridged.web.api.parameters import read
from callbridged.web.api.representation import (
    JSON,
    XML,
    negotiate,
    render,
    to_json,
    to_xml,
)
from daemonkit.tasks import detach

VERSION = "v1"

#: What a refusal of `callbridged.web.access` is called, by its status.
_DENIED = {
    HTTPStatus.UNAUTHORIZED: "authenticationFailure",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.TOO_MANY_REQUESTS: "tooManyRequests",
}
_ENTITY_TAG = re.compile(r'\s*"([^"]*)"\s*')


class Api(Resource):
    """Everything below ``/api``."""

    isLeaf = True
    log = Logger()

    def __init__(self, routes: Routes, who: Callable[[Request], Awaitable[Caller]]) -> None:
        """``who`` answers who asks, and raises Denied."""
        super().__init__()
        self._routes = routes
        self._who = who

    def render(self, request: Request) -> int:
        detach(self._answer(request), self.log, "answering a request to the API")
        return NOT_DONE_YET

    async def _answer(self, request: Request) -> None:
        gone: list[object] = []
        request.notifyFinish().addErrback(gone.append)
        accept = request.getHeader("accept")
        media_type = negotiate(accept) or XML
        try:
            answer, media_type = await self._work(request, accept)
        except ApiFailure as failure:
            if not gone:
                _fail(request, media_type, failure)
        except Exception:  # noqa: BLE001 - logged whole; the daemon goes on
            self.log.failure("Error in answering a request to the API")
            if not gone:
                _fail(request, media_type, _INTERNAL)
        else:
            if not gone:
                _succeed(request, media_type, answer)

    async def _work(self, request: Request, accept: str | None) -> tuple[Answer, str]:
        caller = await self._caller(request)
        operation, name = self._find(request)
        media_type = negotiate(accept, operation.media_types)
        if media_type is None:
            raise _not_acceptable(operation)
        call = Call(
            caller,
            read(operation.query, parse_form(request.uri.partition(b"?")[2])),
            read(operation.body, _body(request)),
            name,
            _entity_tags(request.getHeader("if-match")),
        )
        return await operation.run(call), media_type

    async def _caller(self, request: Request) -> Caller:
        try:
            return await self._who(request)
        except Denied as denied:
            status = HTTPStatus(denied.status)
            reason = Reason(_DENIED.get(status, "serviceUnavailable"), denied.text)
            headers = {name.decode(): value.decode() for name, value in denied.headers}
            raise ApiFailure(status, (reason,), headers) from None

    def _find(self, request: Request) -> tuple[Operation, str]:
        shown = request.path.decode("ascii", "replace")
        try:
            version, *path = [part.decode() for part in request.postpath or ()]
        except ValueError:  # it is empty, or no UTF-8
            raise unrecognized(shown) from None
        if version != VERSION:
            said = f"There is no version {version[:40]!r} of this API. Use /api/{VERSION}."
            raise ApiFailure(HTTPStatus.NOT_FOUND, (Reason("invalidVersion", said),))
        if path and not path[-1]:  # a slash at the end is no other object
            path.pop()
        found = find(self._routes, path)
        if found is None:
            raise unrecognized(shown)
        operations, name = found
        method = request.method.decode("ascii", "replace")
        operation = operations.get("GET" if method == "HEAD" else method)
        if operation is None:
            raise _not_allowed(method, operations)
        return operation, name


def _body(request: Request) -> dict[str, Any]:
    content = request.content
    body = b"" if content is None else content.read()
    return parse_body(
        request.getHeader("content-type"), request.getHeader("content-encoding"), body
    )


def _entity_tags(if_match: str | None) -> frozenset[str] | None:
    """RFC 9110 section 13.1.1. A weak one, and what cannot be read, matches nothing of ours."""
    if if_match is None or if_match.strip() == "*":
        return None
    tags = map(_ENTITY_TAG.fullmatch, if_match.split(","))
    return frozenset(tag[1] for tag in tags if tag)


def _succeed(request: Request, media_type: str, answer: Answer) -> None:
    if answer.etag:
        request.setHeader("etag", f'"{answer.etag}"')
    if answer.location:
        request.setHeader("location", answer.location)
    body = answer.text
    if answer.value is not None:
        body = render(media_type, answer.name, answer.value)
    _send(request, HTTPStatus.OK, media_type, body)


def _fail(request: Request, media_type: str, failure: ApiFailure) -> None:
    for name, value in failure.headers.items():
        request.setHeader(name, value)
    body = to_json(failure.as_json()) if media_type == JSON else to_xml(failure.as_element())
    _send(request, failure.status, media_type, body)


def _send(request: Request, status: HTTPStatus, media_type: str, body: bytes) -> None:
    request.setResponseCode(int(status))
    request.setHeader("cache-control", "no-store")
    request.setHeader("content-length", str(len(body)))
    if body:
        request.setHeader(
            "content-type", media_type if media_type == JSON else f"{media_type}; charset=utf-8"
        )
    request.write(body)  # Twisted sends none of it for HEAD
    request.finish()


def _not_allowed(method: str, operations: Mapping[str, Operation]) -> ApiFailure:
    allowed = ", ".join(["HEAD"] * ("GET" in operations) + sorted(operations))
    said = f"This object has no {method[:20]}. It has: {allowed}."
    reason = Reason("invalidOperation", said)
    return ApiFailure(HTTPStatus.METHOD_NOT_ALLOWED, (reason,), {"allow": allowed})


def _not_acceptable(operation: Operation) -> ApiFailure:
    there_are = ", ".join(operation.media_types)
    said = f"This is none of what Accept asks for. Ask for one of: {there_are}."
    return ApiFailure(HTTPStatus.NOT_ACCEPTABLE, (Reason("notAcceptable", said),))


_INTERNAL = ApiFailure(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    (Reason("internalError", "An internal error. The log of callbridged has its traceback."),),
)
