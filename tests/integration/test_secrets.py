"""No secret comes out: each is a marker, all is done that can be, and all output is searched."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from secrets import token_hex
from urllib.parse import quote, urlencode

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.test_reload import change
from tests.support.browser import Browser, fields
from tests.support.guessing import Door
from tests.support.marked_site import MarkedSite
from tests.support.people import log_in
from tests.support.waiting import wait_until

WAYS = ("ini", "API", "page")
XMPP = "/api/v1/system/configuration/xmpp"
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
_SASL2 = "urn:xmpp:sasl:2"
_TOKEN = "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>"
#: Where what is no secret has to be seen: so a secret would be seen there, too.
SEEN = {
    "user": {
        "callbridgectl logins",
        "file callbridged.json.log",
        "file callbridged.text.log",
        "journal of callbridged",
    },
    "server": {"HTTP of admin", "callbridgectl check alice", "live", "pages"},
    "domain": {"HTTP of xmppd", "file trace.log", "xmppctl status"},
    "administrator": {"callbridgectl admin list", "callbridgectl audit", "file cb1/audit.log"},
}
_AGENT = "<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'/>"


class SecretTests(SynchronousTestCase):
    """Both daemons, with all that has a secret."""

    def setUp(self) -> None:
        self.marked = MarkedSite()
        self.addCleanup(self.marked.close)
        self.evidence, self.site = self.marked.evidence, self.marked.site
        self.server, self.bridge = self.marked.server, self.marked.bridge
        self.browser = Browser(self.marked.https(), self.evidence)
        self.api = self.marked.https()
        #: Who tries to log in in vain.
        self.nobody = f"nobody{token_hex(12)}"
        self.evidence.hide("user", self.nobody)
        self.evidence.hide("server", f"{self.server.fqdn}:{self.server.component_port}")
        self.evidence.hide("domain", self.site.domain)
        self.evidence.hide("administrator", "anna")

    def test_no_secret_comes_out(self) -> None:
        """Not in a log, an answer, a page, a metric, a trace, a file for others, nor in /proc."""
        self.log_to("journald")
        self.marked.hook.start()
        self.site.start()
        self.do_everything()
        self.marked.collect_journal()
        for kind in ("json", "text"):
            self.log_to(self.site.directory / f"{{}}.{kind}.log", kind)
            self.reload()
            self.log_in()
            self.use_api()
        self.change_secrets()
        self.use_pages()
        self.use_commands()
        self.marked.collect_processes()
        for daemon in self.marked.daemons:
            daemon.stop()
            self.evidence.add(f"output of {daemon.name}", daemon.process.text())
        self.marked.collect_files()
        for name, places in SEEN.items():
            self.assertEqual(places - self.evidence.where(name), set(), name)
        leaks = [one for one in self.evidence.found() if one[0] not in SEEN]
        self.assertEqual(leaks, [], f"looked at: {', '.join(sorted(self.evidence.places()))}")

    # What is done

    def log_to(self, where: object, kind: str = "text") -> None:
        for daemon in self.marked.daemons:
            to = str(where).format(daemon.plugin)
            change(daemon, {"log": {"to": to, "format": kind, "level": "debug"}})

    def reload(self) -> None:
        for daemon in self.marked.daemons:
            self.marked.run(daemon, "reload")

    def do_everything(self) -> None:
        self.log_in()
        self.use_api()
        self.use_pages()
        for port in ("xmppd", "callbridged"):
            self.marked.https(port).ask("GET", "/metrics")

    def log_in(self) -> None:
        """By each way that has a secret, right and wrong."""
        alice, zoe = self.marked.passwords["alice"], self.marked.secret("password of zoe")
        door = Door(self.server, self.site.ca.certificate_path)
        for name, password in (
            ("alice", alice),
            ("alice", self.marked.secret("wrong password")),
            (self.nobody, self.marked.secret("password of nobody")),
            ("zoe", zoe),
            ("guest", self.marked.access_code),
            ("guest", self.marked.secret("wrong access code")),
        ):
            door.guess("127.0.0.1", name, password)
        for mode in ("broken", "echo", "echo-result", ""):
            self.marked.hook.behave(mode=mode)
            door.guess("127.0.0.1", "zoe", zoe)
        asyncio.run(self.by_scram(alice))
        self.by_token(door, alice)
        self.malformed(door, alice)

    async def by_scram(self, password: str) -> None:
        await log_in(
            self.server.address,
            self.server.client_port,
            "alice@example.com",
            password,
            self.site.ca.certificate_path,
        )

    def by_token(self, door: Door, password: str) -> None:
        """SASL2, which answers a token."""
        message = base64.b64encode(f"\0alice\0{password}".encode()).decode()
        stream = door.stream("127.0.0.1")
        stream.send(
            f"<authenticate xmlns='{_SASL2}' mechanism='PLAIN'><initial-response>{message}"
            f"</initial-response>{_AGENT}{_TOKEN}</authenticate>"
        )
        token = re.search(b"token='([^']+)'", stream.read_until("</success>"))
        assert token
        self.evidence.hide("token", token[1])
        stream.close()

    def malformed(self, door: Door, password: str) -> None:
        """A password in the wrong place."""
        sasl = "urn:ietf:params:xml:ns:xmpp-sasl"
        text = password.replace("&", "&amp;").replace("<", "&lt;")
        alone, first = (
            base64.b64encode(one.encode()).decode()
            for one in (password, f"n,,n=alice,r={password}")
        )
        for said in (
            f"<auth xmlns='{sasl}' mechanism='PLAIN'>{text}</auth>",
            f"<auth xmlns='{sasl}' mechanism='PLAIN'>{alone}</auth>",
            f"<auth xmlns='{sasl}' mechanism='SCRAM-SHA-256'>{first}</auth>",
            f"<body>{text}</body>",
            text,
        ):
            stream = door.stream("127.0.0.1")
            stream.send(said)
            stream.send("</stream:stream>")
            stream.read_to_end()
            stream.close()

    def use_commands(self) -> None:
        """All that an operator can look at, in words and in JSON, and the trace of a check."""
        alice = self.marked.passwords["alice"]
        trace = str(self.site.directory / "trace.log")
        inside = ["guests", "user list", "admin list", "audit", "config", "reconnect"]
        edge = ["check", "sessions", "callbridge list", "config"]
        both = ["status", "logins", "--json status", "--json logins"]
        looks = [
            (daemon, tuple(words.split()), "")
            for daemon, commands in ((self.bridge, inside), (self.server, edge))
            for words in (*commands, *both)
        ]
        wrong = self.marked.secret("wrong secret")
        with ThreadPoolExecutor(4) as pool:
            pool.map(
                lambda one: self.marked.run(one[0], *one[1], typed=one[2]),
                [
                    *looks,
                    (self.bridge, ("check", "--trace", trace, "--login", "alice"), f"{alice}\n"),
                    (self.bridge, ("user", "passwd", "alice"), f"{alice}\n"),
                    (self.bridge, ("user", "passwd", "nobody"), f"{alice}\n"),
                    (self.server, ("callbridge", "add-secret", "cb1"), f"{wrong}\n"),
                ],
            )
        self.assertIn("stream", Path(trace).read_text())

    def use_api(self) -> None:
        """As an administrator, a viewer, and somebody who is neither; right and wrong."""
        anna = ("anna", self.marked.passwords["anna"])
        for path in ("system/status", "system/alarms", "system/configuration/xmpp", "users", ""):
            for login in (anna, ("victor", self.marked.passwords["victor"])):
                for accept in ("text/xml", JSON):
                    answer = self.api.ask("GET", f"/api/v1/{path}", login=login, accept=accept)
                    self.assertEqual(answer.status, 200, answer.text)
        self.api.ask("POST", "/api/v1/system/diagnostics/xmpp", login=anna)
        for request in self.wrong_requests():
            answer = request(anna)
            self.assertIn(answer.status // 100, (4,), answer.raw)
        for login in (("anna", self.marked.secret("wrong password of anna")), (anna[1], anna[0])):
            self.assertEqual(self.api.ask("GET", "/api/v1/users", login=login).status, 401)

    def wrong_requests(self) -> list[Callable[[tuple[str, str]], object]]:
        """Requests with a secret in them that cannot be done."""
        api, secret = self.api, self.marked.secret("secret for a PUT")
        # Who types a secret as a name sees it again, and nobody else does.
        typed = self.marked.secret("secret as a name", but=["HTTP of admin"])
        quoted, encoded = json.dumps(secret), urlencode({"sharedSecret": secret})

        def put(body: str, kind: str | None = FORM, path: str = XMPP, method: str = "PUT"):
            return lambda login: api.ask(method, path, body, login=login, content_type=kind)

        return [
            put(f"{encoded}&uniqueName=a.b.c"),
            put(f"{encoded}&domain=-"),
            put(f"{encoded}&{encoded}"),
            put(f"{encoded}&nonsense=1"),
            put(urlencode({"sharedSecret": f"{secret}\n"})),
            put(urlencode({"sharedSecret": secret * 50})),
            put(urlencode({"sharedSecrte": secret})),
            put(urlencode({"uniqueName": typed})),
            put(f"sharedSecret={secret}"),
            put(encoded, "text/plain"),
            put(encoded, None),
            put(f'{{"sharedSecret": {quoted}, "domain": 1}}', JSON),
            put(f'{{"sharedSecret": [{quoted}]}}', JSON),
            put(f'{{"sharedSecret": {quoted}', JSON),
            put(f'{{"sharedSecret": {quoted}, "sharedSecret": {quoted}}}', JSON),
            put(encoded, path=f"{XMPP}/{quote(secret[:0])}nothing"),
            put(encoded, method="DELETE"),
            put(
                urlencode({"username": "a b", "password": secret}),
                path="/api/v1/users",
                method="POST",
            ),
            put(
                urlencode({"username": "alice", "password": secret}),
                path="/api/v1/users",
                method="POST",
            ),
            put(urlencode({"password": f"{secret}\0"}), path="/api/v1/users/alice"),
            lambda login: api.ask("GET", f"{XMPP}?{encoded}", login=login),
            lambda _: api.ask("GET", XMPP, authorization=f"Basic {secret}"),
            lambda _: api.ask("GET", XMPP, authorization=f"Bearer {secret}"),
            lambda _: api.ask("GET", XMPP, cookie=f"__Host-callbridged={secret}"),
        ]

    def use_pages(self) -> None:
        """Sign in, look at all, save what is wrong, follow, and sign out."""
        browser, anna = self.browser, self.marked.passwords["anna"]
        browser.sign_in("anna", self.marked.secret("wrong password of a page"))
        browser.sign_in(anna, anna)
        signed_in = browser.sign_in("anna", anna)
        self.assertEqual(signed_in.status, 303, signed_in.text)
        secret = self.marked.secret("secret for a page")
        # Who types a secret as a name sees it again, and nobody else does.
        typed = self.marked.secret("secret as a name on a page", but=["pages"])
        for path in ("/status", "/configuration", "/audit", "/nothing"):
            page = browser.ask("GET", path)
            self.assertLess(page.status, 500)
        for action in ("test", "save"):
            form = fields(browser.ask("GET", "/configuration").text)
            for wrong in ({"domain": "-"}, {"name": typed}, {"csrf": "no"}, {"version": "old"}):
                told = {**form, "secret": secret, "action": action, **wrong}
                answer = browser.ask("POST", "/configuration", urlencode(told))
                self.assertLess(answer.status, 500)
        self.follow()
        browser.ask("GET", "/configuration")
        self.assertEqual(browser.send("/sign-out", {}).status, 303)

    def follow(self) -> None:
        """Events, until each kind has come."""
        stream = self.browser.open("/live")
        try:
            self.evidence.add("live", stream.read_until("event: sample"))
        finally:
            stream.close()

    def change_secrets(self) -> None:
        """The Call Bridge's own: in the ini file, and then in the overlay, by API and by page."""
        anna = ("anna", self.marked.passwords["anna"])
        for way in WAYS:
            secret = self.marked.secret(f"Call Bridge, {way}")
            self.marked.run(
                self.server, "callbridge", "rotate", "cb1", "--secret-stdin", typed=f"{secret}\n"
            )
            if way == "ini":
                change(self.bridge, {"callbridge": {"secret_file": None, "secret": secret}})
                self.reload()
            elif way == "API":
                body = urlencode({"sharedSecret": secret})
                answer = self.api.ask("PUT", XMPP, body, login=anna, content_type=FORM)
                self.assertEqual(answer.status, 200, answer.text)
            else:
                self.browser.sign_in(*anna)
                form = fields(self.browser.ask("GET", "/configuration").text)
                form.pop("at_once", None)
                told = urlencode({**form, "secret": secret, "action": "save"})
                answer = self.browser.ask("POST", "/configuration", told)
                self.assertIn(answer.status, (200, 303), answer.text)
            wait_until(
                f"the secret from the {way} is in use", self.rotated, explain=self.server.explain
            )

    def rotated(self) -> bool:
        entry = self.server.callbridge("cb1")
        return bool(entry and entry["state"] == "registered" and not entry.get("rotation"))
