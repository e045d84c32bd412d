"""HTTPS by hand: requests byte by byte, answers as they came, and nothing kept between them."""

from __future__ import annotations

import base64
import http.client
import io
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

from tests.support.rawstream import RawStream


@dataclass(frozen=True)
class Answer:
    """``raw`` is all that came, of the first answer; status 0: the server hung up without one."""

    status: int
    headers: Message
    body: bytes
    raw: bytes

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


class Https:
    """A port, ``name`` in its certificate, and who is told of all that comes from there."""

    def __init__(
        self,
        address: str,
        port: int,
        authority: Path,
        name: str,
        heard: Callable[[bytes], None] = lambda _: None,
    ) -> None:
        self.address = address
        self.port = port
        self.authority = authority
        self.name = name
        self.heard = heard

    def connect(self, source: str = "") -> RawStream:
        """A connection with TLS, on which nothing was said yet."""
        stream = RawStream(self.address, self.port, source=source)
        try:
            stream.secure(self.authority, self.name)
        except BaseException:
            stream.close()
            raise
        return stream

    def head(self, method: str, path: str, **headers: str | None) -> str:
        """A request's head; ``user_agent="x"`` is the header User-Agent, None leaves one out."""
        fields: dict[str, str | None] = {"Host": f"{self.name}:{self.port}", "Connection": "close"}
        fields |= {name.replace("_", "-").title(): value for name, value in headers.items()}
        lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
        return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""])

    def ask(
        self,
        method: str,
        path: str,
        body: str | bytes = b"",
        *,
        login: tuple[str, str] | None = None,
        **headers: str | None,
    ) -> Answer:
        """One request; ``login``: name and password, for Basic authentication."""
        data = body.encode() if isinstance(body, str) else body
        if login:
            headers["authorization"] = (
                "Basic " + base64.b64encode(":".join(login).encode()).decode()
            )
        if data or method in ("POST", "PUT"):
            headers.setdefault("content_length", str(len(data)))
        return self.say(self.head(method, path, **headers).encode("latin-1") + data, method=method)

    def say(self, data: bytes, source: str = "", method: str = "GET") -> Answer:
        """These bytes, and what comes back for them until the server hangs up."""
        stream = self.connect(source)
        try:
            stream.send(data)
            raw = stream.read_to_end()
        finally:
            stream.close()
        self.heard(raw)
        return parse(raw, method)


def parse(raw: bytes, method: str = "GET") -> Answer:
    """The first answer in what came, for a request with this method."""
    response = http.client.HTTPResponse(_Received(raw), method=method)  # type: ignore[arg-type]
    try:
        response.begin()
        body = response.read()
    except http.client.HTTPException:
        return Answer(0, Message(), b"", raw)
    return Answer(response.status, response.msg, body, raw)


class _Received:
    """What was received, in the place of the socket."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, *_: Any) -> io.BytesIO:
        return io.BytesIO(self._raw)
