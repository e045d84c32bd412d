"""What objects of the API are asked with, and what is noted of what they do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from callbridged.web.access import Caller
from callbridged.web.api.failures import ApiFailure
from callbridged.web.api.operation import Answer, Call, Operation
from callbridged.web.api.parameters import read

CAROL = Caller("carol", "admin", "192.0.2.1")


class Audit:
    """Notes what was changed: what, and of which value what."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, dict[str, object]]] = []

    def changed(
        self, caller: Caller, what: str, values: Mapping[str, Any], secrets: Any = ()
    ) -> None:
        assert caller is CAROL
        shown = {key: "secret" if key in secrets else value for key, value in values.items()}
        self.entries.append((what, shown))


def in_thread(work: Any, *arguments: Any) -> Deferred[Any]:
    """Here and now."""
    return maybeDeferred(work, *arguments)


class ObjectCase(SynchronousTestCase):
    """An object whose operations are run as the API does it, without HTTP."""

    def setUp(self) -> None:
        self.audit: Any = Audit()

    def run_it(
        self,
        operation: Operation,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> Answer:
        """The answer, or ApiFailure."""

        async def work() -> Answer:
            call = Call(
                CAROL, read(operation.query, query or {}), read(operation.body, body or {}), **more
            )
            return await operation.run(call)

        return self.successResultOf(Deferred.fromCoroutine(work()))

    def refused(
        self, operation: Operation, body: Mapping[str, Any] | None = None, **more: Any
    ) -> tuple[int, list[tuple[str, ...]]]:
        """Status and reasons; nothing is in the audit log."""
        before = len(self.audit.entries)
        work = self.failing(operation, body, **more)
        self.assertEqual(len(self.audit.entries), before)
        reasons = [(one.name, one.parameter, one.error) for one in work.reasons]
        return int(work.status), [tuple(filter(None, one)) for one in reasons]

    def failing(
        self, operation: Operation, body: Mapping[str, Any] | None = None, **more: Any
    ) -> ApiFailure:
        """What it is refused with."""

        async def work() -> Answer:
            call = Call(CAROL, {}, read(operation.body, body or {}), **more)
            return await operation.run(call)

        failure = self.failureResultOf(Deferred.fromCoroutine(work()), ApiFailure)
        assert isinstance(failure.value, ApiFailure)
        return failure.value
