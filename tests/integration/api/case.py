"""A site whose Call Bridge has the API on, and a client that asks it over TLS."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

from tests.support.processes import free_port
from tests.support.site import Settings, Site, making

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
#: Names of accounts -> passwords; all but the last are admins.
ACCOUNTS = {"carol": "correct horse", "dave": "battery: staple", "nagios": "may look"}
VIEWER = "nagios"

XMPP = "/api/v1/system/configuration/xmpp"
DIAGNOSTICS = "/api/v1/system/diagnostics/xmpp"
USERS = "/api/v1/users"


@dataclass(frozen=True)
class Reply:
    """An answer of the API. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def xml(self) -> ElementTree.Element:
        return ElementTree.fromstring(self.body)

    @property
    def reasons(self) -> list[tuple[str, ...]]:
        """Of a failure in XML: each reason's name, parameter and error; each has its words."""
        root = self.xml
        assert root.tag == "failureDetails", self
        reasons = [one for one in root if one.tag != "message"]
        messages = [one.text for one in root.iter("message")]
        assert all(messages), self
        assert len(messages) == len(reasons), self
        return [(one.tag, *one.attrib.values()) for one in reasons]


class ApiSite(Site):
    """XMPP servers, a Call Bridge with the API and its accounts, the user alice. Not started."""

    def __init__(
        self,
        servers: int = 1,
        settings: Settings | None = None,
        accounts: Mapping[str, str] = ACCOUNTS,
    ) -> None:
        super().__init__()
        self.port = free_port("127.0.0.1")
        for number in range(1, servers + 1):
            self.server(f"xmpp{number}", f"127.0.0.{number + 1}")
        listen = f"tcp:{self.port}:interface=127.0.0.1"
        admin = {"admin": {"listen": listen, "users_file": "admins"}}
        self.callbridge = self.bridge(settings={**admin, **(settings or {})})
        self.enrol(self.callbridge)
        self.user("alice", "wonderland")
        self.ca.issue("cb1", dns=["cb1.example.com"], ip=["127.0.0.1"])
        for name, password in accounts.items():
            role = "viewer" if name == VIEWER else "admin"
            self.callbridge.command("admin", "add", name, "--role", role, typed=f"{password}\n")
        self._context = ssl.create_default_context(cafile=self.ca.certificate_path)

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: Mapping[str, object] | str | bytes | None = None,
        *,
        user: str | None = "carol",
        password: str | None = None,
        **headers: str,
    ) -> Reply:
        """Ask as ``user``. A mapping goes as a form, or as JSON where ``content_type`` says so."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if user is not None:
            account = f"{user}:{ACCOUNTS.get(user) if password is None else password}"
            sent["authorization"] = "Basic " + base64.b64encode(account.encode()).decode()
        if isinstance(body, Mapping):
            as_json = sent.setdefault("content-type", FORM) == JSON
            body = json.dumps(body) if as_json else urlencode(body)
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=30, context=self._context
        )
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, found, answer.read())
        finally:
            connection.close()


def started(servers: int = 1, settings: Settings | None = None) -> ApiSite:
    """A site that is started; closed again where that fails."""
    with making(ApiSite(servers, settings)) as site:
        site.start()
    return site
