"""Tests for streams of clients and components: whatever comes in whatever order, nothing breaks."""

from __future__ import annotations

import re
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bridgewire.handshake import component_digest
from bridgewire.iq import RequestFailed
from bridgewire.namespaces import COMPONENT, SASL
from tests.support.memory import Peer
from tests.support.names import KnownNames
from tests.xmppd.client_case import AUTH, BIND, ClientCase
from tests.xmppd.test_sasl2 import AUTHENTICATE, BIND2
from tests.xmppd.test_session import ENABLE
from xmppd.components.admission import Admission
from xmppd.components.connected import Components
from xmppd.components.stream import Times
from xmppd.router import Router
from xmppd.sessions import Sessions

TYPED = (
    AUTH,
    f"<auth xmlns='{SASL}' mechanism='X'/>",
    f"<response xmlns='{SASL}'>AA==</response>",
    f"<abort xmlns='{SASL}'/>",
    "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    BIND.format(""),
    BIND.format("<resource>phone</resource>"),
    BIND.format("<resource>&#173;</resource>"),
    AUTHENTICATE.format("PLAIN", ""),
    AUTHENTICATE.format("PLAIN", BIND2.format(ENABLE)),
    AUTHENTICATE.format("PLAIN", "<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>"),
    "<response xmlns='urn:xmpp:sasl:2'/>",
    "<abort xmlns='urn:xmpp:sasl:2'/>",
    ENABLE,
    "<r xmlns='urn:xmpp:sm:3'/>",
    "<a xmlns='urn:xmpp:sm:3' h='1'/>",
    "resume",
    "<inactive xmlns='urn:xmpp:csi:0'/>",
    "<presence/>",
    "<presence to='alice@example.com/phone'/>",
    "<presence><priority>x</priority></presence>",
    "<message to='alice@example.com'><body>hi</body></message>",
    "<message to='alice@example.com/phone'/>",
    "<message to='@@'/>",
    "<message from='bob@example.com'/>",
    "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>",
    "<iq type='set' id='1' to='cb1.example.com'><serve xmlns='urn:x-callbridge:login:1'/></iq>",
    "<iq/>",
    "<x xmlns='urn:x'/>",
    "<stream:error/>",
    "</stream:stream>",
    "<unfinished ",
    "&#0;",
    " ",
)
HANDSHAKE = "handshake"
#: The same by a link that takes another one's place, and what that one says before.
SUCCEED = "succeed"
SERVE = (
    "<iq type='set' id='1' from='cb1.example.com' to='example.com'>"
    "<serve xmlns='urn:x-callbridge:login:1' capacity='{}'>"
    "<mechanism>PLAIN</mechanism></serve></iq>"
)
FROM_COMPONENT = (
    HANDSHAKE,
    HANDSHAKE,
    "<handshake/>",
    "pong",
    SERVE.format(1),
    SERVE.format("1' successor='t0ken"),
    SUCCEED,
    SERVE.format("x"),
    "<message from='cb1.example.com' to='cb1.example.com'/>",
    "<message from='cb1.example.com' to='x.example.com'/>",
    "<iq type='get' id='1' from='a@cb1.example.com' to='b@example.com'><q xmlns='urn:q'/></iq>",
    "<message from='cb2.example.com'/>",
    "<handshake xmlns='urn:x' from='cb1.example.com'/>",
    "<stream:error from='cb1.example.com' to='cb1.example.com'/>",
    "</stream:stream>",
    "<!DOCTYPE x>",
)
#: What the world does, not the peer: seconds that pass, by name.
PAUSES = {"a moment": 0.1, "a while": 6.0, "long": 20.0}


class Walks(ClientCase):
    """Clients, in random order."""

    def fill(self, text: str) -> str:
        """Answer what to type: to resume a session takes the id of one that there is."""
        if text != "resume":
            return text
        id_ = next(iter(self.clients.resumable), "none")
        return f"<resume xmlns='urn:xmpp:sm:3' previd='{id_}' h='0'/>"

    def ways(self, peer: Peer) -> dict[str, Callable[[], object]]:
        def answer(name: str) -> None:
            if self.bridge.asked and not self.bridge.asked[-1][1].called:
                self.bridge.reply(name, "alice" if name == "success" else None)

        def fail() -> None:
            if self.bridge.asked and not self.bridge.asked[-1][1].called:
                self.bridge.fail(RequestFailed("bad-request"))

        def secure() -> None:
            if peer.transport.tls is not None:
                peer.transport.tls = None
                peer.stream.handshakeCompleted()

        return {
            "open": lambda: peer.open("example.com", version="1.0"),
            "open wrongly": lambda: peer.open("example.net"),
            "secure": secure,
            "challenge": lambda: answer("challenge"),
            "success": lambda: answer("success"),
            "failure": lambda: answer("failure"),
            "fail": fail,
            "pause": peer.stream.pauseProducing,
            "resume": peer.stream.resumeProducing,
            "shut down": self.clients.close,
            **{text: lambda text=text: peer.type(self.fill(text)) for text in TYPED},  # type: ignore[misc]
            **{
                name: lambda seconds=seconds: self.clock.advance(seconds)  # type: ignore[misc]
                for name, seconds in PAUSES.items()
            },
        }

    @settings(max_examples=300, deadline=None)
    @given(data=st.data(), start=st.sampled_from(["connect", "secured", "offered", "bound"]))
    def test_clients(self, data: st.DataObject, start: str) -> None:
        """Two clients do what they like: no traceback, and nothing is left when they have gone."""
        self.setUp()
        peers = [getattr(self, start)(), self.connect()]
        peers[0].transport.tls = None  # where it has begun, it is done
        ways = [self.ways(peer) for peer in peers]
        steps = st.tuples(st.sampled_from([0, 0, 1]), st.sampled_from(sorted(ways[0])))
        for which, step in data.draw(st.lists(steps, max_size=12)):
            if peers[which].transport.tls is not None and (step in TYPED or "open" in step):
                continue  # a handshake is under way, and nothing comes through before its end
            ways[which][step]()
            self.assertEqual(self.flushLoggedErrors(), [], step)
        for peer in peers:
            peer.lose()
        self.clients.close()
        for _, waiting in self.bridge.asked:
            waiting.addErrback(lambda _: None)
        self.assertEqual((len(self.sessions), self.clients.open), (0, set()))
        self.assertEqual((self.bridge.outstanding, self.logins.waiting), (0, 0))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.flushLoggedErrors(), [])


class ComponentWalks(SynchronousTestCase):
    """Components that all want the same name, in random order."""

    def begin(self) -> None:
        self.clock = Clock()
        self.components = Components(
            self.clock,
            Admission(["example.com"], KnownNames({"example.com": {"cb1": "s3cret"}})),
            Times(registration_timeout=5.0, ping_interval=15.0, ping_timeout=5.0),
            route=lambda stanza: self.router.route(stanza),
            changed=lambda domain, bridge: None,
            end_sessions=lambda domain, order: 0,
            secret_used=lambda domain, name, used: None,
        )
        self.router = Router(
            "example.com", Sessions(), self.components.registered.get, lambda name: False
        )

    def do(self, peer: Peer, step: str, said: dict[Peer, str]) -> None:
        said[peer] = said.get(peer, "") + peer.read()
        if step == "open":
            said[peer] += peer.open("cb1.example.com")
        elif step in (HANDSHAKE, SUCCEED):
            found = re.search("id='([^']+)'", said[peer])
            digest = component_digest(found[1] if found else "", "s3cret")
            more = " successor='t0ken'" if step == SUCCEED else ""
            said[peer] += peer.type(f"<handshake{more}>{digest}</handshake>")
        elif step == "pong":
            for found in re.finditer("<iq type='get'[^>]* id='([^']+)'", said[peer]):
                peer.type(
                    f"<iq type='result' id='{found[1]}' from='cb1.example.com' to='example.com'/>"
                )
        elif step == "dismiss":
            self.components.dismiss("cb1.example.com", "removed")
            self.assertEqual(self.components.registered, {}, "whoever waited for the place is out")
        elif step == "shut down":
            self.components.close()
        elif step == "pause":
            peer.stream.pauseProducing()
        elif step == "lose":
            if peer.stream.stream is not None:
                peer.lose()
        elif step in PAUSES:
            self.clock.advance(PAUSES[step])
        elif peer.stream.stream is not None:
            said[peer] += peer.type(step)

    @settings(max_examples=300, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.integers(0, 2),
                st.sampled_from(
                    (*FROM_COMPONENT, *PAUSES, "dismiss", "shut down", "pause", "lose")
                ),
            ),
            min_size=1,
            max_size=12,
        ),
        st.integers(0, 2),
    )
    def test_components(self, walk: list[tuple[int, str]], proved: int) -> None:
        """Three links want one name: no traceback, one that is up holds it, nothing is left."""
        self.begin()
        peers = [
            Peer(stream, COMPONENT)
            for _ in range(3)
            if (stream := self.components.accept("192.0.2.7"))
        ]
        said: dict[Peer, str] = {}
        for peer in peers:
            self.do(peer, "open", said)
        for peer in peers[:proved]:
            self.do(peer, HANDSHAKE, said)
        for which, step in walk:
            if peers[which].stream.stream is not None or step in PAUSES:
                self.do(peers[which], step, said)
            self.assertEqual(self.flushLoggedErrors(), [], step)
            up = {one for one in self.components.open if one.since is not None}
            self.assertEqual(bool(self.components.registered), bool(up), step)
            self.assertLessEqual(set(self.components.registered.values()), up, step)
        for peer in peers:
            self.do(peer, "lose", said)
        self.assertEqual((self.components.registered, self.components.open), ({}, set()))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.flushLoggedErrors(), [])
