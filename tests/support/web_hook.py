"""A web hook on Node's HTTPS server: a user directory behind HTTP that we did not write."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from callbridged.scram_keys import ScramKeys
from callbridged.scram_text import format_keys
from tests.support.ca import CertificateAuthority
from tests.support.foreign import Foreign
from tests.support.processes import ROOT, Process, free_port

SCRIPT = ROOT / "tests" / "integration" / "node" / "hook.mjs"
#: PBKDF2 iterations of `user`.
ITERATIONS = 4096
_SCHEMES = ("SCRAM-SHA-256", "SCRAM-SHA-1")


def user(password: str, **more: Any) -> dict[str, Any]:
    """What the hook keeps of a user. ``more``: result, username, changed."""
    keys = {
        scheme: format_keys(scheme, ScramKeys.derive(scheme, password, ITERATIONS))
        for scheme in _SCHEMES
    }
    return {"password": password, "keys": keys, **more}


class WebHook(Foreign):
    """The server, in a directory of its own, on a free port. Callers need its token, and show a
    certificate where ``client_certificate`` says so.

    ``delay``: milliseconds before each answer.
    """

    token = "b0a4d5c1-a-bearer-token"

    def __init__(
        self,
        directory: Path,
        authority: CertificateAuthority,
        users: Mapping[str, Mapping[str, Any]],
        *,
        delay: float = 0,
        client_certificate: bool = False,
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        """``certificate``: of the server, and its key, in the place of a good one."""
        directory.mkdir()
        self.directory = directory
        self.host = "127.0.0.1"
        self.port = free_port(self.host)
        self.authority = authority
        self._client_certificate = client_certificate
        self._behaviour = directory / "behaviour.json"
        self._token_file = directory / "token"
        self._token_file.touch(mode=0o600)
        self._token_file.write_text(self.token + "\n")
        self._users = users
        self._delay = delay
        self.behave(users, delay)
        names = {"dns": ["localhost"], "ip": [self.host]}
        crt, key = certificate or authority.issue(directory.name, **names)
        options = {
            "host": self.host,
            "port": self.port,
            "certificate": str(crt),
            "key": str(key),
            "token": self.token,
            "behaviour": str(self._behaviour),
            "elsewhere": f"https://{self.host}:{self.port}/elsewhere",
        }
        if client_certificate:
            options["clientAuthorities"] = str(authority.certificate_path)
        node = shutil.which("node")
        assert node, "node is missing: apt-get install nodejs"
        self.process = Process(
            directory.name, [node, SCRIPT, json.dumps(options)], directory / "log"
        )

    def settings(self, **more: object) -> dict[str, object]:
        """The section ``[http NAME]`` for it."""
        given: dict[str, object] = {
            "url": f"https://{self.host}:{self.port}/login",
            "ca": self.authority.certificate_path,
            "bearer_token_file": self._token_file,
            "mechanisms": f"PLAIN, {', '.join(_SCHEMES)}",
            "iterations": ITERATIONS,
            "accounts": "yes",
        }
        if self._client_certificate:
            crt, key = self.authority.issue("hook-client", dns=["cb1.example.com"])
            given |= {"certificate": crt, "private_key": key}
        return given | more

    def behave(
        self,
        users: Mapping[str, Any] | None = None,
        delay: float | None = None,
        mode: str = "",
    ) -> None:
        """Have other users, another delay, or do something else than to answer (hook.mjs has what).

        It counts from the next question on.
        """
        self._users = self._users if users is None else users
        self._delay = self._delay if delay is None else delay
        new = self._behaviour.with_suffix(".new")
        new.write_text(json.dumps({"users": self._users, "delay": self._delay, "mode": mode}))
        new.rename(self._behaviour)

    def start(self) -> None:
        since = self.process.mark()
        self.process.start()
        self.process.wait_for('"listening"', since)

    def stop(self) -> None:
        """End it as a power cut would, so that it can be started again."""
        self.process.kill()

    def questions(self, since: int = 0) -> list[dict[str, Any]]:
        """What it was asked, passwords left out."""
        return [one for one in self.events(since) if one["event"] == "question"]

    def events(self, since: int = 0) -> list[dict[str, Any]]:
        """What it has seen, in order: question, refused, gave-up (the caller did), tls."""
        lines = self.process.text(since).splitlines()
        return [json.loads(line) for line in lines if line.startswith('{"event"')]
