"""openapi.json against what a daemon answers: it may leave things out, and adds none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.integration.api.case import DIAGNOSTICS, JSON, USERS
from tests.integration.api.test_scripts import ScriptCase
from tests.support.waiting import wait_until

GET = (
    "/api/v1",
    "/api/v1/system/status",
    "/api/v1/system/alarms",
    DIAGNOSTICS,
    USERS,
    f"{USERS}/alice",
)


class DescribedTests(ScriptCase):
    """Every key of every answer."""

    def setUp(self) -> None:
        super().setUp()
        self.document = self.site.ask("/api/v1/openapi.json").json

    def resolve(self, schema: Any) -> Any:
        while "$ref" in schema:
            found = self.document
            for key in schema["$ref"].removeprefix("#/").split("/"):
                found = found[key]
            schema = found
        whole = dict(schema.get("properties", {}))
        for part in schema.get("allOf", []):
            whole |= self.resolve(part)["properties"]
        return {**schema, "properties": whole}

    def undescribed(self, value: Any, schema: Any, where: str) -> Iterator[str]:
        """Where in ``value`` there is something that ``schema`` knows nothing of."""
        schema = self.resolve(schema)
        if isinstance(value, list):
            for item in value:
                yield from self.undescribed(item, schema["items"], where)
        elif isinstance(value, dict):
            for key, inner in value.items():
                if key in schema["properties"]:
                    yield from self.undescribed(inner, schema["properties"][key], f"{where} {key}")
                else:
                    yield f"{where} {key}"

    def test_answers(self) -> None:
        """All is described, also of a link that is down, an alarm, and a reload with faults."""
        ini = self.bridge.ini.read_text()
        self.addCleanup(self.bridge.command, "reload")
        self.addCleanup(self.bridge.ini.write_text, ini)
        self.bridge.ini.write_text(ini + "[alarms]\nraise_after = 0s\nnonsense = 1\n")
        self.bridge.command("reload", check=False)
        self.bridge.ini.write_text(ini + "[alarms]\nraise_after = 0s\n")
        server = self.site.servers[0]
        server.stop()
        self.addCleanup(server.start)
        self.bridge.command("reload")
        wait_until("an alarm", lambda: self.bridge.status()["alarms"])
        for path in GET:
            reply = self.site.ask(path, accept=JSON)
            self.assertEqual(reply.status, 200, path)
            described = self.document["paths"][path.replace("/alice", "/{id}")]["get"]
            schema = described["responses"]["200"]["content"][JSON]["schema"]
            self.assertEqual([*self.undescribed(reply.json, schema, path)], [])
