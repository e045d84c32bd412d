"""Tests of callbridged.web.api.representation: XML, JSON, and which of them is wanted."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from callbridged.web.api.failures import ApiFailure, Reason, parameter_error
from callbridged.web.api.representation import (
    JSON,
    MEDIA_TYPES,
    XML,
    as_element,
    camel_case,
    negotiate,
    render,
    to_json,
    to_xml,
)

#: What a daemon may say: any text, also what XML has no place for.
TEXTS = st.text(st.characters(exclude_categories=()))
KEYS = st.from_regex(r"[a-z][a-zA-Z]{0,8}", fullmatch=True)
SCALARS = TEXTS | st.booleans() | st.integers() | st.none()
OBJECTS = st.recursive(
    st.dictionaries(KEYS, SCALARS, max_size=4),
    lambda inner: st.dictionaries(KEYS, SCALARS | inner | st.lists(SCALARS | inner), max_size=4),
    max_leaves=10,
)


class NegotiationTests(SynchronousTestCase):
    """Accept, RFC 9110 section 12.5.1."""

    def test_usual(self) -> None:
        """Who does not mind gets XML as from CMS, be it curl, a browser or nobody in particular."""
        browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
        for accept in (None, "", " ", "*/*", "text/*", "text/xml, application/json"):
            self.assertEqual(negotiate(accept), XML, accept)
        self.assertEqual(negotiate(browser), "application/xml")

    def test_chosen(self) -> None:
        """What is liked best is taken; a more exact range counts more than a wider one."""
        for accept in (
            "application/json",
            "Application/JSON; charset=utf-8",
            "text/html, application/json",
            "text/xml;q=0.5, application/json;q=0.8",
            "*/*, text/xml;q=0.1, application/xml; q=0",
            "application/json;q=0.001",
        ):
            self.assertEqual(negotiate(accept), JSON, accept)

    def test_none(self) -> None:
        """What is not offered, or liked not at all, is none; nor is what nobody can read."""
        for accept in ("text/html", "*/*;q=0", "application/json;q=0", ";", "xml", "*/*;q=2"):
            self.assertIsNone(negotiate(accept), accept)

    @given(st.text())
    def test_anything(self, accept: str) -> None:
        """Whatever is sent, the answer is one of those that are offered, or none."""
        self.assertIn(negotiate(accept), {None, *MEDIA_TYPES})


class XmlTests(SynchronousTestCase):
    """XML in the way of CMS."""

    def test_like_cms(self) -> None:
        """Lists, ids and what there is none of look as in CMS's guide."""
        alice = {"id": "alice", "userJid": "alice@example.com", "name": None, "enabled": True}
        self.assertEqual(
            render(XML, "users", {"total": 1, "users": [alice]}).decode(),
            '<?xml version="1.0"?>\n'
            '<users total="1">\n'
            '  <user id="alice">\n'
            "    <userJid>alice@example.com</userJid>\n"
            "    <enabled>true</enabled>\n"
            "  </user>\n"
            "</users>\n",
        )

    def test_within(self) -> None:
        """Lists and objects within an object are elements of their own."""
        value = {"warnings": ["a", "b"], "reload": {"ok": False}, "links": [], "s": [1]}
        self.assertEqual(
            ElementTree.tostring(as_element("status", value)).decode(),
            "<status><warnings><warning>a</warning><warning>b</warning></warnings>"
            "<reload><ok>false</ok></reload><links /><s><s>1</s></s></status>",
        )

    @given(OBJECTS)
    def test_anything(self, value: dict[str, object]) -> None:
        """Whatever text there is in it, it is XML that can be read."""
        self.assertEqual(ElementTree.fromstring(render(XML, "a", value)).tag, "a")

    @given(TEXTS)
    def test_text(self, text: str) -> None:
        """A text comes out as it was, but for what XML has no place for."""
        read = ElementTree.fromstring(to_xml(as_element("a", {"id": text, "b": text})))
        kept = re.sub("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)
        self.assertEqual(read.findtext("b"), kept)
        self.assertEqual(read.get("id"), kept)


class JsonTests(SynchronousTestCase):
    """JSON."""

    @given(OBJECTS)
    def test_anything(self, value: dict[str, object]) -> None:
        """It comes out as it was, but for what is null."""

        def dense(one: object) -> object:
            if isinstance(one, dict):
                return {key: dense(inner) for key, inner in one.items() if inner is not None}
            return [dense(inner) for inner in one] if isinstance(one, list) else one

        self.assertEqual(json.loads(to_json(value)), dense(value))

    def test_names(self) -> None:
        """Keys are written as CMS writes them."""
        self.assertEqual(
            camel_case({"last_error": {"clock_skew": 1}, "links": [{"newer": "a_b"}]}),
            {"lastError": {"clockSkew": 1}, "links": [{"newer": "a_b"}]},
        )


class FailureTests(SynchronousTestCase):
    """failureDetails, in both."""

    def setUp(self) -> None:
        self.failure = ApiFailure(
            HTTPStatus.BAD_REQUEST,
            (
                parameter_error("domain", "invalidValue", "it is no name."),
                Reason("userDoesNotExist", "There is no user <bob>."),
            ),
        )

    def test_xml(self) -> None:
        """Reasons are exactly as CMS writes them, which scripts look for; words come after."""
        self.assertEqual(
            to_xml(self.failure.as_element()).decode().splitlines()[1:],
            [
                "<failureDetails>",
                '  <parameterError parameter="domain" error="invalidValue" />',
                "  <userDoesNotExist />",
                "  <message>domain: it is no name.</message>",
                "  <message>There is no user &lt;bob&gt;.</message>",
                "</failureDetails>",
            ],
        )

    def test_json(self) -> None:
        """The same in JSON, each reason with its words."""
        self.assertEqual(
            self.failure.as_json(),
            {
                "failureDetails": [
                    {
                        "reason": "parameterError",
                        "parameter": "domain",
                        "error": "invalidValue",
                        "message": "domain: it is no name.",
                    },
                    {"reason": "userDoesNotExist", "message": "There is no user <bob>."},
                ]
            },
        )
