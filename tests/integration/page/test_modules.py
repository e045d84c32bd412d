"""The page's own modules in a real browser, against a server that is not honest, or not there."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.page.case import PageCase

FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
OPEN = f"<open xmlns='{FRAMING}' version='1.0' id='1' from='example.com'/>"
#: In the place of the browser's WebSocket: answers the n-th message with the n-th list.
SOCKET = """
globalThis.sent = [];
globalThis.WebSocket = class {
  static CLOSED = 3;
  readyState = 1;
  constructor() { setTimeout(() => this.onopen?.()); }
  send(text) {
    const answers = ANSWERS[sent.push(text) - 1] ?? [];
    for (const data of answers) setTimeout(() => this.onmessage?.({ data }));
  }
  close() {}
};
"""
SIGN_IN = """
import("/page/xmpp.js").then(({ signIn }) => signIn({
  websocket: "wss://xmpp1.example.com/", domain: "example.com", guest: false, ...OPTIONS,
})).then(() => ["in", sent], (failure) => [failure.name, sent])
"""


def features(*mechanisms: str, more: str = "") -> str:
    """What a server offers."""
    offered = "".join(f"<mechanism>{name}</mechanism>" for name in mechanisms)
    return (
        "<stream:features xmlns:stream='http://etherx.jabber.org/streams'>"
        f"<mechanisms xmlns='{SASL}'>{offered}</mechanisms>{more}</stream:features>"
    )


def failed(condition: str) -> str:
    return f"<failure xmlns='{SASL}'><{condition}/><text>no</text></failure>"


def temporary(reason: str) -> str:
    """A failure that is, and why (docs/client-protocol.md)."""
    more = f"<{reason} xmlns='urn:x-callbridge:errors:1'/>"
    return f"<failure xmlns='{SASL}'><temporary-auth-failure/>{more}</failure>"


def stream_error(condition: str) -> str:
    return (
        "<stream:error xmlns:stream='http://etherx.jabber.org/streams'>"
        f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
    )


class LoginTests(PageCase):
    """What is sent, and what it means when it is refused."""

    def setUp(self) -> None:
        super().setUp()
        self.page = self.open()

    def attempt(self, *answers: list[str], **options: Any) -> tuple[str, list[str]]:
        """Sign in; answer what became of it, and what was sent."""
        self.page.evaluate(SOCKET.replace("ANSWERS", json.dumps(answers)))
        wanted = {"username": "alice", "password": "wonderland", **options}
        outcome, sent = self.page.evaluate(SIGN_IN.replace("OPTIONS", json.dumps(wanted)))
        return outcome, sent

    def mechanism(self, *offered: str, **options: Any) -> str:
        """The one that is chosen."""
        _, sent = self.attempt([OPEN, features(*offered)], [failed("not-authorized")], **options)
        return str(sent[1]).partition('mechanism="')[2].partition('"')[0]

    def test_mechanism(self) -> None:
        """The best SCRAM is taken, PLAIN where there is no other, and ANONYMOUS by guests."""
        self.assertEqual(
            self.mechanism("PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-512", "SCRAM-SHA-256"),
            "SCRAM-SHA-512",
        )
        self.assertEqual(self.mechanism("PLAIN", "SCRAM-SHA-1", "ANONYMOUS"), "SCRAM-SHA-1")
        self.assertEqual(self.mechanism("PLAIN", "SCRAM-SHA-1-PLUS", "EXTERNAL"), "PLAIN")
        guest = {"username": None, "password": None}
        self.assertEqual(self.mechanism("PLAIN", "SCRAM-SHA-1", "ANONYMOUS", **guest), "ANONYMOUS")

    def test_nothing_fits(self) -> None:
        """Where nothing fits, nothing is sent: above all no password by the old XEP-0078."""
        old = "<auth xmlns='http://jabber.org/features/iq-auth'/>"
        for offer in (features("EXTERNAL", more=old), features(more=old), features("ANONYMOUS")):
            result = [
                f"<iq xmlns='jabber:client' type='{kind}' id='_auth_1'/>" for kind in ("result",)
            ]
            outcome, sent = self.attempt([OPEN, offer], result, result)
            self.assertEqual(outcome, "no-mechanism")
            self.assertNotIn("wonderland", "".join(sent))
            self.assertEqual([one for one in sent if "<iq" in one], [])

    def test_unproven(self) -> None:
        """A server that says success without having shown that it knows the password is not it."""
        outcome, sent = self.attempt(
            [OPEN, features("SCRAM-SHA-256")], [f"<success xmlns='{SASL}'>dj1hYWFh</success>"]
        )
        self.assertEqual(outcome, "server-unproven")
        self.assertEqual(len([one for one in sent if one.startswith("<open")]), 1)

    def test_wrong_nonce(self) -> None:
        """Nor is one whose challenge belongs to another exchange."""
        challenge = "cj1hYmMscz1jMkZzZEE9PSxpPTQwOTY="  # r=abc,s=c2FsdA==,i=4096
        outcome, _ = self.attempt(
            [OPEN, features("SCRAM-SHA-256")],
            [f"<challenge xmlns='{SASL}'>{challenge}</challenge>"],
        )
        self.assertEqual(outcome, "server-unproven")

    def test_name(self) -> None:
        """Commas and equal signs in a name are written as RFC 5802 wants it."""
        _, sent = self.attempt(
            [OPEN, features("SCRAM-SHA-256")], [failed("not-authorized")], username="a=b,c"
        )
        first = self.page.evaluate(f"atob({json.dumps(sent[1])}.match(/>([^<]+)</)[1])")
        self.assertTrue(first.startswith("n,,n=a=3Db=2Cc,r="), first)

    def test_refusals(self) -> None:
        """Conditions of RFC 6120 section 6.5 that users can do something about are told apart."""
        for condition, name in {
            "not-authorized": "not-authorized",
            "account-disabled": "account-disabled",
            "credentials-expired": "credentials-expired",
            "temporary-auth-failure": "temporary-auth-failure",
            "policy-violation": "too-many-attempts",
            "malformed-request": "unexpected",
        }.items():
            outcome, _ = self.attempt([OPEN, features("PLAIN")], [failed(condition)])
            self.assertEqual(outcome, name)
        for reason, name in {
            "policy": "too-many-attempts",
            "resource-limit": "no-room",
            "whatever": "temporary-auth-failure",
        }.items():
            outcome, _ = self.attempt([OPEN, features("PLAIN")], [temporary(reason)])
            self.assertEqual(outcome, name)

    def test_guests(self) -> None:
        """A guest hears of codes and places, not of passwords."""
        for condition, name in {
            "not-authorized": "wrong-code",
            "temporary-auth-failure": "unavailable",
            "account-disabled": "account-disabled",
        }.items():
            answers = [OPEN, features("ANONYMOUS")], [failed(condition)]
            outcome, _ = self.attempt(*answers, username=None, password=None, guest=True)
            self.assertEqual(outcome, name)

    def test_stream_errors(self) -> None:
        """So is why a stream ends before there is a session."""
        for condition, name in {
            "host-unknown": "host-unknown",
            "policy-violation": "too-many-attempts",
            "connection-timeout": "too-slow",
            "resource-constraint": "overloaded",
            "system-shutdown": "shutdown",
            "undefined-condition": "unexpected",
        }.items():
            self.assertEqual(self.attempt([OPEN, stream_error(condition)])[0], name)
            late = self.attempt([OPEN, features("PLAIN")], [stream_error(condition)])[0]
            self.assertEqual(late, name)


class ModuleTests(PageCase):
    """The modules that need no server."""

    def setUp(self) -> None:
        super().setUp()
        self.page = self.open()

    def run_module(self, name: str, expression: str) -> Any:
        """What an expression says with the exports of a module, as ``module``."""
        return self.page.evaluate(f"import('/page/{name}.js').then((module) => {expression})")

    def test_password(self) -> None:
        """Passwords are prepared by SASLprep: those of a Japanese keyboard, too."""
        for typed, prepared in {
            "pass\u3000word": "pass word",
            "ｗｏｎｄｅｒ": "wonder",  # noqa: RUF001 - full width
            "ﾊﾟｽ": "パス",
            "I\u00adX": "IX",
            "e\u0301": "é",
        }.items():
            shown = json.dumps(typed)
            self.assertEqual(self.run_module("sasl", f"module.prepared({shown})"), prepared)

    def test_urls(self) -> None:
        """URLs of services are those of RFC 7064 and RFC 7065."""
        for service, url in (
            ({"type": "turn", "host": "t.example", "port": "3478", "transport": "udp"},
             "turn:t.example:3478?transport=udp"),
            ({"type": "turns", "host": "2001:db8::1", "port": "443", "transport": "tcp"},
             "turns:[2001:db8::1]:443?transport=tcp"),
            ({"type": "stun", "host": "192.0.2.1", "port": "3478", "transport": "udp"},
             "stun:192.0.2.1:3478"),
            ({"type": "stun", "host": "t.example"}, "stun:t.example"),
        ):  # fmt: skip
            self.assertEqual(self.run_module("turn", f"module.urlOf({json.dumps(service)})"), url)

    def test_probe(self) -> None:
        """What a browser says of a service becomes one of a few reasons."""
        connection = """class {
            createDataChannel() {}
            async createOffer() { return {}; }
            async setLocalDescription() {
              for (const errorCode of CODES) this.onicecandidateerror({ errorCode });
              for (const candidate of CANDIDATES) this.onicecandidate({ candidate });
            }
            close() {}
        }"""
        relay = {"type": "relay", "address": "192.0.2.9"}
        for kind, codes, candidates, found in (
            ("turn", [], [relay, None], "relay"),
            ("turn", [701], [{"type": "host"}, relay], "relay"),
            ("turn", [401], [None], "refused"),
            ("turn", [486], [None], "full"),
            ("turn", [701], [None], "unreachable"),
            ("turn", [], [None], "unreachable"),
            ("stun", [], [{"type": "srflx", "address": "192.0.2.9"}], "reflexive"),
            ("stun", [], [None], "same-address"),
            ("stun", [701], [None], "unreachable"),
        ):
            fake = connection.replace("CODES", json.dumps(codes))
            fake = fake.replace("CANDIDATES", json.dumps(candidates))
            service = json.dumps({"type": kind, "host": "t.example", "port": "3478"})
            result = self.run_module("turn", f"module.probe({service}, {fake})")
            self.assertEqual(result["kind"] if result["works"] else result["reason"], found)
            if result["works"]:
                self.assertEqual(result["address"], "192.0.2.9")
        missing = "module.probe({type: 'turn', host: 'x'}, null)"
        self.assertEqual(self.run_module("turn", missing)["reason"], "unsupported")
        bad = "module.probe({type: 'turn', host: '::nothing::', port: 'x'})"
        self.assertEqual(self.run_module("turn", bad)["reason"], "unusable")

    def test_state(self) -> None:
        """What cannot happen in a phase changes nothing, and what was secret does not stay."""
        story = """[
            {type: "left"}, {type: "entered"}, {type: "entering"}, {type: "entering"},
            {type: "entered", session: {jid: "a"}, services: [{}]}, {type: "failed", failure: "x"},
            {type: "tested", number: 0, result: "running"}, {type: "ended", failure: "shutdown"},
            {type: "ended", failure: "connection-lost"}, {type: "leaving"},
        ].reduce((states, event) => [...states, module.next(states.at(-1), event)], [module.start])
        .map(({phase, failure, session, services, tests}) =>
            [phase, failure, session, services, Object.keys(tests).length])"""
        out: list[Any] = ["out", None, None, None, 0]
        entering = ["entering", None, None, None, 0]
        inside = ["in", None, {"jid": "a"}, [{}], 0]
        ended = ["out", "shutdown", None, None, 0]
        self.assertEqual(
            self.run_module("state", story),
            [out, out, out, entering, entering, inside, inside, [*inside[:4], 1], *[ended] * 3],
        )

    def test_distance(self) -> None:
        """Times are told in the language of the reader."""
        for tag, minutes, said in (
            ("en", 720, "in 12 hours"),
            ("en", -5, "5 minutes ago"),
            ("ja", 720, "12 時間後"),
            ("ja", 4320, "3 日後"),
        ):
            expression = f"new module.Language('{tag}').distance({minutes} * 6e4)"
            self.assertEqual(self.run_module("language", expression), said)
