"""Tests for `xmppd.router`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from twisted.words.xish.domish import Element

from bridgewire.jid import parse_jid
from xmppd.router import Domains, Router
from xmppd.sessions import SessionInfo, Sessions


class Place:
    """Somebody who takes stanzas; also a session."""

    def __init__(self, jid: str = "example.com", priority: int | None = None) -> None:
        self.jid = parse_jid(jid)
        self.priority = priority
        self.congested = False
        self.got: list[Element] = []

    def deliver(self, stanza: Element) -> None:
        self.got.append(stanza)

    away = False

    def end(self, condition: str, text: str) -> None:
        pass

    def info(self) -> SessionInfo:
        raise NotImplementedError


class RouterTests(SynchronousTestCase):
    """Who gets a stanza, and what its sender gets if nobody does."""

    def setUp(self) -> None:
        self.sessions = Sessions()
        self.component = Place()
        self.server = Place()
        self.sender = Place("alice@example.com/phone", 0)
        self.sessions.bind(self.sender)
        here = {"cb1.example.com": self.component}
        self.router = Router("example.com", self.sessions, here.get, lambda name: name == "cb2")
        self.router.server = self.server

    def route(self, name: str, to: str | None, kind: str = "get") -> str:
        """Route a stanza of alice's, and answer the error that she gets."""
        stanza = Element((None, name))
        stanza["from"], stanza["id"], stanza["type"] = "alice@example.com/phone", "1", kind
        if to is not None:
            stanza["to"] = to
        self.sender.got.clear()
        self.router.route(stanza)
        errors = [one for one in self.sender.got if one["type"] == "error"]
        return errors[0].toXml() if errors else ""

    def test_components(self) -> None:
        """A component gets what is for its domain, with or without a localpart."""
        for to in ("cb1.example.com", "x@cb1.example.com/y", "CB1.example.com"):
            self.assertEqual(self.route("message", to, "chat"), "")
        self.assertEqual(len(self.component.got), 3)

    def test_slow_component(self) -> None:
        """What a component is too slow for comes back, rather than cost it its link."""
        self.component.congested = True
        self.assertIn("<resource-constraint", self.route("message", "cb1.example.com", "chat"))
        self.assertEqual(self.component.got, [])

    def test_absent_component(self) -> None:
        """A known component that is down is worth another try; an unknown one is not."""
        answer = self.route("iq", "cb2.example.com")
        self.assertRegex(answer, "type='wait'[^>]*><remote-server-timeout")
        for to in ("cb3.example.com", "a.cb1.example.com", "example.net"):
            answer = self.route("iq", to)
            self.assertRegex(answer, "type='cancel'[^>]*><remote-server-not-found")

    def test_server(self) -> None:
        """The server gets IQs to the domain and to nobody; messages to it come back."""
        for to in (None, "example.com", "example.com/x"):
            self.assertEqual(self.route("iq", to), "")
        self.assertEqual(len(self.server.got), 3)
        self.assertIn("<service-unavailable", self.route("message", "example.com", "chat"))
        self.assertEqual(self.route("presence", "example.com", "subscribe"), "")

    def test_user(self) -> None:
        """To a bare JID: messages reach every available resource, IQs are answered for it."""
        places = [Place(f"bob@example.com/{n}", priority) for n, priority in enumerate([1, 0, -1])]
        for place in (*places, Place("bob@example.com/off")):
            self.sessions.bind(place)
        self.assertEqual(self.route("message", "bob@example.com", "chat"), "")
        self.assertEqual([len(place.got) for place in places], [1, 1, 0])
        self.assertIn("<service-unavailable", self.route("iq", "bob@example.com"))

    def test_no_error_for_an_error(self) -> None:
        """Errors and results that reach nobody are dropped."""
        for kind in ("error", "result"):
            self.assertEqual(self.route("iq", "example.net", kind), "")

    def test_bad_address(self) -> None:
        """An address that is none comes back at once."""
        self.assertIn("<jid-malformed", self.route("iq", "@@"))


class DomainsTests(SynchronousTestCase):
    """Two domains on one server."""

    def setUp(self) -> None:
        self.sessions = Sessions()
        self.domains = Domains()
        self.places = {
            jid: Place(jid)
            for jid in (
                "example.com",
                "cb1.example.com",
                "chat.example.com",
                "cb1.chat.example.com",
            )
        }
        components = {jid: one for jid, one in self.places.items() if jid.startswith("cb1")}
        for domain in ("example.com", "chat.example.com"):
            router = Router(domain, self.sessions, components.get, lambda name: name == "cb2")
            router.server = self.places[domain]
            self.domains.routers[domain] = router
            for user in ("alice", "bob"):
                place = self.places[user + domain[:1]] = Place(f"{user}@{domain}/x", 0)
                self.sessions.bind(place)

    def route(self, sender: str, to: str) -> list[str]:
        """Route a message; answer who gets what."""
        for place in self.places.values():
            place.got.clear()
        stanza = Element((None, "message"))
        stanza["from"], stanza["to"] = sender, to
        self.domains.route(stanza)
        return [
            (one.getAttribute("type") == "error" and one.toXml()) or name
            for name, place in self.places.items()
            for one in place.got
        ]

    def test_within(self) -> None:
        """Within a domain users and components reach each other."""
        self.assertEqual(self.route("alice@example.com/x", "bob@example.com"), ["bobe"])
        self.assertEqual(self.route("bob@chat.example.com/x", "alice@chat.example.com"), ["alicec"])
        for domain, name in (("example.com", "e"), ("chat.example.com", "c")):
            component = f"cb1.{domain}"
            self.assertEqual(self.route(f"alice@{domain}/x", component), [component])
            self.assertEqual(self.route(component, f"alice@{domain}/x"), [f"alice{name}"])

    def test_across(self) -> None:
        """Nobody reaches anybody of another domain, even if that lies below their own."""
        for sender, name in (
            ("alice@example.com/x", "alicee"),
            ("cb1.example.com", "cb1.example.com"),
        ):
            for to in ("bob@chat.example.com/x", "cb1.chat.example.com", "chat.example.com"):
                (answer,) = self.route(sender, to)
                self.assertIn("<remote-server-not-found", answer, (sender, to))
                self.assertEqual(len(self.places[name].got), 1)
        for to in ("bob@example.com/x", "cb1.example.com", "example.com"):
            (answer,) = self.route("alice@chat.example.com/x", to)
            self.assertIn("<remote-server-not-found", answer, to)
