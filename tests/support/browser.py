"""A browser without scripts: cookies, forms, and what a page must not give away."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from urllib.parse import urlencode

from tests.support.https import Answer, Https
from tests.support.markers import Evidence
from tests.support.rawstream import RawStream

_INPUT = re.compile(r"<input\b[^>]*>")
_ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')
_CSRF = re.compile(rb'(name="csrf" value=")([^"]+)')
_COOKIE = re.compile(rb"(?im)^(set-cookie: *[^=\r\n]+=)([^;\r\n]{8,})")


class Browser:
    """One. Its cookies and the tokens of its forms are secrets wherever else they are seen."""

    def __init__(self, https: Https, evidence: Evidence) -> None:
        self._https = https
        self._evidence = evidence
        self.cookies: dict[str, str] = {}
        self.token = ""
        https.heard = self._hear

    def _hear(self, raw: bytes) -> None:
        for kind, pattern in (("cookie", _COOKIE), ("token of a form", _CSRF)):
            for found in pattern.finditer(raw):
                self._evidence.hide(f"{kind} {found[2][:4].decode()}", found[2])
            raw = pattern.sub(rb"\1", raw)
        self._evidence.add("pages", raw)

    def ask(self, method: str, path: str, body: str = "", **headers: str | None) -> Answer:
        """One request, with what a browser sends along."""
        if self.cookies:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if method == "POST":
            headers.setdefault("content_type", "application/x-www-form-urlencoded")
        answer = self._https.ask(method, path, body, **headers)
        for one in answer.headers.get_all("set-cookie") or []:
            name, _, value = one.partition(";")[0].partition("=")
            self.cookies[name.strip()] = value
        if token := _CSRF.search(answer.body):
            self.token = html.unescape(token[2].decode())
        return answer

    def open(self, path: str) -> RawStream:
        """What follows, as it comes; the caller adds it to the evidence."""
        stream = self._https.connect()
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        stream.send(self._https.head("GET", path, cookie=cookie, accept="text/event-stream"))
        return stream

    def send(self, path: str, fields: Mapping[str, str]) -> Answer:
        """The form of the page that was seen last, with these fields filled in."""
        return self.ask("POST", path, urlencode({"csrf": self.token, **fields}))

    def sign_in(self, name: str, password: str) -> Answer:
        """By the sign-in page."""
        self.ask("GET", "/sign-in")
        return self.send("/sign-in", {"name": name, "password": password})


def fields(page: str) -> dict[str, str]:
    """The fields of a page's forms, by name, with what they are filled in with."""
    found = [dict(_ATTRIBUTE.findall(one)) for one in _INPUT.findall(page)]
    return {one["name"]: html.unescape(one.get("value", "")) for one in found if "name" in one}
