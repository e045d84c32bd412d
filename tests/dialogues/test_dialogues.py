"""Plays the dialogues of this folder against a real xmppd; README.md says how they are written."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from twisted.trial import unittest

from tests.support.rawstream import RawStream, component_digest
from tests.support.shared import shared_site
from tests.support.site import Site, started_small_site

HERE = Path(__file__).parent
#: Nothing connects to these servers.
TURN = {
    "services": "\n  stun:turn.example.com\n  turns:turn.example.com",
    "secret": "turn-secret",
    "lifetime": "1h",
}


class DialogueTests(unittest.SynchronousTestCase):
    """One test for each file."""

    def setUp(self) -> None:
        self.site = shared_site(type(self), self.make)
        self.identity = self.site.ca.issue("probe", dns=["probe.example.com"])

    def make(self) -> Site:
        site = started_small_site(settings={"turn": TURN})
        site.servers[0].command("callbridge", "add-secret", "probe", typed="probe-secret\n")
        return site

    def connect(self, kind: str) -> RawStream:
        server = self.site.servers[0]
        port = {"client": server.client_port, "component": server.component_port}[kind]
        stream = RawStream(server.address, port)
        self.addCleanup(stream.close)
        if kind == "component":
            stream.secure(self.site.ca.certificate_path, self.site.domain, self.identity)
        return stream

    def play(self, path: Path) -> None:
        stream: RawStream | None = None
        header = b""
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            verb, _, rest = line.partition(" ")
            if verb == "open":
                stream = self.connect(rest)
                continue
            if verb == "#":
                continue
            assert stream is not None, f"{path.name} does not begin with open"
            try:
                match verb:
                    case "tls":
                        stream.secure(self.site.ca.certificate_path, self.site.domain)
                    case "C:":
                        digest = component_digest(header, "probe-secret") if "{" in rest else ""
                        stream.send(rest.replace("{digest}", digest))
                    case "S:":
                        answer = stream.read_until(pattern(rest))
                        header = answer if b"<stream:stream" in answer else header
                    case "end":
                        stream.read_to_end()
                    case _:
                        self.fail(f"{path.name}:{number}: what is {verb!r}?")
            except AssertionError as error:
                raise AssertionError(f"{path.name}:{number}: {line}\n{error}") from None


def pattern(expected: str) -> str:
    """A regular expression: ``...`` is anything, either quote stands for both."""
    pieces = (re.escape(piece).replace("'", "['\"]") for piece in expected.split("..."))
    return ".*?".join(pieces)


def _make(path: Path) -> Callable[[DialogueTests], None]:
    def test(self: DialogueTests) -> None:
        self.play(path)

    test.__doc__ = path.read_text().splitlines()[0].removeprefix("# ")
    test.__name__ = "test_" + path.stem.replace("-", "_")
    return test


for _path in sorted(HERE.glob("*.txt")):
    _test = _make(_path)
    setattr(DialogueTests, _test.__name__, _test)
