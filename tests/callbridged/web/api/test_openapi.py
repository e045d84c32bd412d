"""openapi.json against the routes: what is described is there, and what is there is described."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any
from unittest.mock import Mock

from twisted.trial.unittest import SynchronousTestCase

from callbridged.web.api.bodies import MEDIA_TYPES as BODY_TYPES
from callbridged.web.api.operation import Operation
from callbridged.web.api.parameters import MAX_NUMBER, Boolean, Number, Parameter, Text
from callbridged.web.api.representation import MEDIA_TYPES
from callbridged.web.api.routes import make_routes

DOCUMENT = json.loads(files("callbridged.web.api").joinpath("openapi.json").read_bytes())
#: Where a request gets no further than to Twisted's channel, which answers without a body.
BARE = {"411", "413", "431"}
#: Statuses with which any request may end.
COMMON = {"200", "400", "401", "406", "415", "429", "500", "503"} | BARE


def resolved(value: Any) -> Any:
    """What a reference stands for."""
    while "$ref" in value:
        found = DOCUMENT
        for key in value["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        value = found
    return value


class OpenApiTests(SynchronousTestCase):
    """The document, operation by operation."""

    def setUp(self) -> None:
        parts: Any = Mock()
        self.routes = make_routes(parts, parts)

    def operations(self) -> Iterator[tuple[str, Operation, dict[str, Any]]]:
        """Name, what does it, and how it is described."""
        for path, methods in self.routes.items():
            described = DOCUMENT["paths"][f"/api/v1{path}"]
            for method, operation in methods.items():
                told = dict(described[method.lower()])
                told["parameters"] = described.get("parameters", []) + told.get("parameters", [])
                yield f"{method} {path}", operation, told

    def check(self, name: str, schema: Any, parameter: Parameter) -> None:
        """A parameter's bounds are those of its schema."""
        if isinstance(parameter, Text):
            self.assertEqual(schema["type"], "string", name)
            self.assertEqual(schema["maxLength"], parameter.longest, name)
            self.assertEqual("minLength" not in schema, parameter.empty, name)
        elif isinstance(parameter, Number):
            bounds = schema["type"], schema["minimum"], schema["maximum"]
            self.assertEqual(bounds, ("integer", 0, MAX_NUMBER), name)
        else:
            self.assertIsInstance(parameter, Boolean)
            self.assertEqual(schema["type"], "boolean", name)

    def test_paths(self) -> None:
        """Document and routes have the same objects with the same methods."""
        described = {
            path.removeprefix("/api/v1"): {one.upper() for one in methods} - {"PARAMETERS"}
            for path, methods in DOCUMENT["paths"].items()
        }
        self.assertEqual(described, {path: set(methods) for path, methods in self.routes.items()})

    def test_query(self) -> None:
        """What may stand in a URL is described, with its bounds."""
        for name, operation, told in self.operations():
            query = {
                one["name"]: one["schema"] for one in told["parameters"] if one["in"] == "query"
            }
            self.assertEqual(set(query), {one.name for one in operation.query}, name)
            for one in operation.query:
                self.check(name, query[one.name], one)
            variable = [one["name"] for one in told["parameters"] if one["in"] == "path"]
            self.assertEqual(variable, ["id"] * name.endswith("{id}"), name)

    def test_bodies(self) -> None:
        """What may stand in a body is described, with its bounds, for forms and JSON."""
        for name, operation, told in self.operations():
            if not operation.body:
                self.assertNotIn("requestBody", told, name)
                continue
            self.assertEqual(set(told["requestBody"]["content"]), set(BODY_TYPES), name)
            required = {one.name for one in operation.body if one.required}
            self.assertEqual(told["requestBody"]["required"], bool(required), name)
            for content in told["requestBody"]["content"].values():
                schema = resolved(content["schema"])
                self.assertEqual(set(schema["properties"]), {one.name for one in operation.body})
                self.assertEqual(set(schema.get("required", [])), required, name)
                self.assertIs(schema["additionalProperties"], False, name)
                for one in operation.body:
                    self.check(name, schema["properties"][one.name], one)

    def test_secrets(self) -> None:
        """Whatever has a secret in it is never answered."""
        for schema in DOCUMENT["components"]["schemas"].values():
            for name, told in schema.get("properties", {}).items():
                secret = name in {"sharedSecret", "password"}
                self.assertEqual(told.get("writeOnly", False), secret, name)

    def test_answers(self) -> None:
        """Every status has its media types, and an operation those that it may end with."""
        for name, operation, told in self.operations():
            method, _, path = name.partition(" ")
            wanted = COMMON | ({"403"} if method != "GET" else set())
            wanted |= {"404", "409"} if path == "/users/{id}" else set()
            wanted |= {"409"} if path == "/users" or (method != "GET" and "xmpp" in path) else set()
            wanted |= {"412"} if method != "GET" and path.endswith("configuration/xmpp") else set()
            self.assertEqual(set(told["responses"]), wanted, name)
            for status, answer in told["responses"].items():
                there = set(resolved(answer).get("content", {}))
                offered = set(operation.media_types if status == "200" else MEDIA_TYPES)
                empty = status in BARE or (status == "200" and not there)
                self.assertEqual(there, set() if empty else offered, f"{name} {status}")
            self.assertEqual(
                "content" in resolved(told["responses"]["200"]),
                method == "GET" or "diagnostics" in path,
                name,
            )

    def test_references(self) -> None:
        """What is referred to is there, and what is there is referred to."""
        text = json.dumps(DOCUMENT)
        for kind in ("schemas", "responses"):
            for name in DOCUMENT["components"][kind]:
                self.assertIn(f'"#/components/{kind}/{name}"', text)
        used = [part.partition('"')[0] for part in text.split('"$ref": "')[1:]]
        self.assertTrue(all(resolved({"$ref": one}) for one in used))
