"""Tests for `xmppd.external_services`, and for what `xmppd.queries` answers to sessions."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

from twisted.trial.unittest import SynchronousTestCase
from twisted.words.xish.domish import Element

from bridgewire.jid import parse_jid
from bridgewire.namespaces import DISCO_INFO, EXTERNAL_SERVICES, OWN_SESSION
from tests.xmppd.test_config import ConfigTestCase
from xmppd.external_services import ExternalServices, parse_service
from xmppd.queries import ServerQueries
from xmppd.sessions import SessionInfo, Sessions

NOW = datetime(2026, 1, 2, 3, 4, 5, 678, UTC)
SECRET = "north wind"
URIS = (
    "stun:turn.example.com",
    "turn:turn.example.com:3479?transport=udp",
    "turn:turn.example.com?transport=tcp",
    "turns:[2001:db8::1]:443",
)


class Bound:
    """A session of a user, or of a guest who has to go at some time."""

    priority = None
    away = False

    def __init__(self, jid: str, until: datetime | None = None, tls: str | None = None) -> None:
        self.jid = parse_jid(jid)
        self.until = until
        self.tls = tls

    def deliver(self, stanza: Element) -> None:
        raise NotImplementedError

    def end(self, condition: str, text: str) -> None:
        raise NotImplementedError

    def info(self) -> SessionInfo:
        return SessionInfo(
            jid=self.jid.full(),
            since=NOW - timedelta(minutes=1),
            peer="203.0.113.7",
            transport="WebSocket",
            tls=self.tls,
            mechanism="SCRAM-SHA-256",
            callbridge="cb1.example.com",
            away=False,
            active=True,
            resumable=True,
            until=self.until,
        )


class QueriesCase(SynchronousTestCase):
    """A server with alice, a guest for half an hour, and a component."""

    services: tuple[str, ...] = URIS

    def setUp(self) -> None:
        sessions = Sessions()
        sessions.bind(Bound("alice@example.com/phone", tls="TLSv1.3"))
        sessions.bind(Bound("alice@example.com/desk"))
        sessions.bind(Bound("guest1@example.com/x", NOW + timedelta(minutes=30)))
        external = ExternalServices(tuple(map(parse_service, self.services)), SECRET, 3600.0)
        self.answer: Element
        self.server = ServerQueries(self, lambda: ["cb1.example.com"], sessions, external, self.now)

    def now(self) -> datetime:
        return NOW

    def send(self, element: Element) -> None:
        """The outlet."""
        self.answer = element

    def ask(
        self, payload: Element, sender: str = "alice@example.com/phone", kind: str = "get"
    ) -> str:
        iq = Element((None, "iq"))
        iq["type"], iq["id"], iq["from"], iq["to"] = kind, "1", sender, "example.com"
        iq.addChild(payload)
        self.server.deliver(iq)
        return self.answer.toXml()

    def services_of(self, sender: str = "alice@example.com/phone") -> list[dict[str, str]]:
        self.ask(Element((EXTERNAL_SERVICES, "services")), sender)
        return [dict(one.attributes) for one in self.answer.firstChildElement().elements()]

    def ask_credentials(self, *services: dict[str, str]) -> str:
        payload = Element((EXTERNAL_SERVICES, "credentials"))
        for attributes in services:
            payload.addElement("service").attributes.update(attributes)
        return self.ask(payload)

    def features(self) -> str:
        return self.ask(Element((DISCO_INFO, "query")))


class ExternalServicesTests(QueriesCase):
    """XEP-0215."""

    def test_all(self) -> None:
        """A user hears of all services, in the order of the settings; relays have credentials."""
        found = self.services_of()
        username = f"{int(NOW.timestamp()) + 3600}:alice"
        proof = hmac.new(SECRET.encode(), username.encode(), hashlib.sha1).digest()
        stun, relay, over_tcp, over_tls = found
        self.assertEqual(
            stun,
            {"type": "stun", "host": "turn.example.com", "port": "3478", "transport": "udp"},
        )
        self.assertEqual(
            relay,
            {
                "type": "turn",
                "host": "turn.example.com",
                "port": "3479",
                "transport": "udp",
                "restricted": "true",
                "username": username,
                "password": base64.b64encode(proof).decode(),
                "expires": "2026-01-02T04:04:05Z",
            },
        )
        self.assertEqual((over_tcp["port"], over_tcp["transport"]), ("3478", "tcp"))
        self.assertEqual(over_tls["host"], "2001:db8::1")
        self.assertEqual((over_tls["port"], over_tls["transport"]), ("443", "tcp"))

    def test_type(self) -> None:
        """A client may ask for one type, and hears which; of an unknown one there are none."""
        payload = Element((EXTERNAL_SERVICES, "services"))
        payload["type"] = "turns"
        answer = self.ask(payload)
        self.assertEqual(answer.count("<service "), 1)
        self.assertIn("type='turns'><service", answer)
        payload = Element((EXTERNAL_SERVICES, "services"))
        payload["type"] = "ftp"
        self.assertIn(f"<services xmlns='{EXTERNAL_SERVICES}' type='ftp'/>", self.ask(payload))

    def test_credentials(self) -> None:
        """Credentials for one host are for all its ports, or for the one that is asked for."""
        wanted = {"host": "Turn.example.com", "type": "turn"}
        answer = self.ask_credentials(wanted)
        self.assertEqual(answer.count("<service "), 2)
        self.assertEqual(answer.count(":alice'"), 2)
        self.assertIn(f"<credentials xmlns='{EXTERNAL_SERVICES}'><service ", answer)
        answer = self.ask_credentials({**wanted, "port": "3478"})
        self.assertEqual(answer.count("<service "), 1)
        self.assertIn("transport='tcp'", answer)

    def test_credentials_for_nothing(self) -> None:
        """For a service that is not known, or that wants none, there are no credentials."""
        for host, kind, port in (
            ("turn.example.net", "turn", "3478"),
            ("turn.example.com", "turns", "3478"),
            ("turn.example.com", "turn", "1"),
            ("turn.example.com", "turn", "x"),
            ("turn.example.com", "stun", "3478"),
        ):
            answer = self.ask_credentials({"host": host, "type": kind, "port": port})
            self.assertIn("<item-not-found", answer, (host, kind, port))

    def test_malformed(self) -> None:
        """Credentials are asked for one service, with its host and type."""
        wanted = {"host": "turn.example.com", "type": "turn"}
        for services in (
            (),
            ({"host": "turn.example.com"},),
            ({"type": "turn"},),
            (wanted, wanted),
        ):
            self.assertIn("<bad-request", self.ask_credentials(*services), services)
        payload = Element((EXTERNAL_SERVICES, "services"))
        self.assertIn("<service-unavailable", self.ask(payload, kind="set"))

    def test_guest(self) -> None:
        """A guest's credentials end with the guest's session."""
        relay = self.services_of("guest1@example.com/x")[1]
        self.assertEqual(relay["expires"], "2026-01-02T03:34:05Z")
        self.assertEqual(relay["username"], f"{int(NOW.timestamp()) + 1800}:guest1")

    def test_others(self) -> None:
        """Components are not our users, and neither is a session that has ended."""
        for sender in ("cb1.example.com", "x@cb1.example.com/y", "bob@example.com/x"):
            for name in ("services", "credentials"):
                answer = self.ask(Element((EXTERNAL_SERVICES, name)), sender)
                self.assertRegex(answer, "type='auth'[^>]*><forbidden")

    def test_long_name(self) -> None:
        """A long name is cut between two characters: a STUN username has a limit."""
        external = ExternalServices((), SECRET, 60.0)
        name = external.credentials("x" + "é" * 200, NOW, None).username.partition(":")[2]
        self.assertEqual(name, "x" + "é" * 127)

    def test_feature(self) -> None:
        """It is announced."""
        self.assertIn(f"<feature var='{EXTERNAL_SERVICES}'/>", self.features())

    def test_secrets(self) -> None:
        """What is shown of the settings and of credentials has neither secret nor password."""
        external = ExternalServices((), SECRET, 60.0)
        credentials = external.credentials("alice", NOW, None)
        self.assertNotIn(SECRET, repr(external))
        self.assertNotIn(credentials.password, repr(credentials))


class NoServicesTests(QueriesCase):
    """A server that knows no TURN server."""

    services = ()

    def test_none(self) -> None:
        """It does not announce XEP-0215, and does not answer it."""
        self.assertNotIn(EXTERNAL_SERVICES, self.features())
        for name in ("services", "credentials"):
            answer = self.ask(Element((EXTERNAL_SERVICES, name)))
            self.assertIn("<service-unavailable", answer)


class OwnSessionTests(QueriesCase):
    """``urn:x-callbridge:session:1``."""

    def test_user(self) -> None:
        """A client is told of its own session, and of no other of the same user."""
        answer = self.ask(Element((OWN_SESSION, "session")))
        self.assertEqual(
            dict(self.answer.firstChildElement().attributes),
            {
                "jid": "alice@example.com/phone",
                "since": "2026-01-02T03:03:05Z",
                "peer": "203.0.113.7",
                "transport": "WebSocket",
                "tls": "TLSv1.3",
                "mechanism": "SCRAM-SHA-256",
                "callbridge": "cb1.example.com",
            },
        )
        self.assertNotIn("desk", answer)

    def test_guest(self) -> None:
        """A guest is told when the session ends; without TLS there is nothing to say of it."""
        self.ask(Element((OWN_SESSION, "session")), "guest1@example.com/x")
        session = self.answer.firstChildElement()
        self.assertEqual(session["until"], "2026-01-02T03:34:05Z")
        self.assertFalse(session.hasAttribute("tls"))

    def test_others(self) -> None:
        """Who has no session is told nothing."""
        answer = self.ask(Element((OWN_SESSION, "session")), "cb1.example.com")
        self.assertIn("<forbidden", answer)
        answer = self.ask(Element((OWN_SESSION, "session")), kind="set")
        self.assertIn("<service-unavailable", answer)

    def test_feature(self) -> None:
        """It is announced."""
        self.assertIn(f"<feature var='{OWN_SESSION}'/>", self.features())


class ServiceTests(SynchronousTestCase):
    """URIs of RFC 7064 and RFC 7065."""

    def test_right(self) -> None:
        """Ports and transports have defaults, and names are written in A-labels."""
        for text, whole in (
            ("stun:192.0.2.1", "stun:192.0.2.1:3478"),
            ("STUNS:bücher.example", "stuns:xn--bcher-kva.example:5349"),
            ("turn:turn.example.com", "turn:turn.example.com:3478?transport=udp"),
            ("turns:[2001:db8::1]", "turns:[2001:db8::1]:5349?transport=tcp"),
            ("turns:t.example?transport=udp", "turns:t.example:5349?transport=udp"),
        ):
            self.assertEqual(str(parse_service(text)), whole)

    def test_wrong(self) -> None:
        """What is no such URI is refused, with the way to write it."""
        for text in (
            *("turn.example.com", "turn:", "turn://turn.example.com", "https://turn.example.com"),
            *("turn:a.example:0", "turn:a.example:x", "turn:2001:db8::1", "turn:u@a.example"),
            *("stun:a.example?transport=udp", "turn:a.example?transport=sctp"),
            *("turn:a.example?transport=udp&x=y", "turn:a.example?", "turn:a.example?udp"),
        ):
            self.assertRaisesRegex(ValueError, r"\.$", parse_service, text)


class SettingsTests(ConfigTestCase):
    """``[turn]`` of xmppd.ini."""

    TURN = "services =\n  stun:t.example\n  turn:t.example\n"

    def test_defaults(self) -> None:
        """Without the section there are no services."""
        self.assertEqual(self.load().external_services, {"example.com": ExternalServices()})

    def test_secret(self) -> None:
        """The secret is in a file or in the settings, and shown nowhere."""
        (self.directory / "turn_secret").write_text(f"{SECRET}\n")
        (self.directory / "turn_secret").chmod(0o600)
        for line in ("secret_file = turn_secret\n", f"secret = {SECRET}\n"):
            config = self.load(turn=self.TURN + line + "lifetime = 1h\n")
            external = config.external_services["example.com"]
            self.assertEqual((external.secret, external.lifetime), (SECRET, 3600.0))
            self.assertEqual([one.kind for one in external.services], ["stun", "turn"])
            self.assertNotIn(SECRET, repr(config) + repr(config.settings))

    def test_stun_only(self) -> None:
        """A STUN server needs no secret."""
        config = self.load(turn="services = stun:t.example\n")
        self.assertEqual(len(config.external_services["example.com"].services), 1)

    def test_faults(self) -> None:
        """All that is wrong is said at once."""
        found = self.faults(
            turn="services =\n  turn:t.example\n  turn:T.example:3478\nlifetime = 1s\n"
        )
        for fault in ("services: one is there twice", "secret_file: nobody", "lifetime: 1s is out"):
            self.assertIn(f"[turn] {fault}", found)
        found = self.faults(turn="services =\n  http://t.example\n  turn:\n")
        self.assertEqual(found.count("services:"), 1)
        self.assertIn("'http://t.example' is no URI", found)
        found = self.faults(turn=self.TURN + "secret = x\nsecret_file = xmpp.key\n")
        self.assertIn("[turn] secret: there is a secret_file as well", found)

    def test_domains(self) -> None:
        """Domains share the section, but for those that have one of their own."""
        files = "certificate = xmpp.crt\nprivate_key = xmpp.key\n"
        domains = {"domain a.example": files, "domain b.example": files}
        config = self.load(
            **domains,
            turn=self.TURN + "secret = x\n",
            **{"turn B.example": "services = stun:b.example\n"},
        )
        usual = config.external_services["example.com"]
        self.assertEqual(config.external_services["a.example"], usual)
        self.assertNotEqual(config.external_services["b.example"], usual)
        self.assertEqual(config.external_services["b.example"].secret, "")

    def test_domains_that_are_none(self) -> None:
        """A section for another domain, or a second one, is a fault."""
        found = self.faults(
            **{"turn example.net": "", "turn example.com": "", "turn Example.com": "", "turn _": ""}
        )
        self.assertIn("[turn example.net]: example.net is no domain of this server", found)
        self.assertIn("[turn Example.com]: example.com is there twice", found)
        self.assertIn("[turn _]: '_' is no DNS name", found)
