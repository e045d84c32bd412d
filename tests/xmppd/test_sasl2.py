"""Tests for SASL2, Bind 2 and FAST on a client's stream: `xmppd.clients.sasl`, `authentication`."""

from __future__ import annotations

from bridgewire.login import LoginReply, Token, TokenRequest
from bridgewire.namespaces import SASL
from bridgewire.sasl import sasl_data, sasl_message
from tests.support.memory import Peer
from tests.xmppd.client_case import AUTH, Bridge, ClientCase

AUTHENTICATE = (
    "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='{}'>"
    "<initial-response>AGFsaWNlAHNlY3JldA==</initial-response>{}</authenticate>"
)
BIND2 = "<bind xmlns='urn:xmpp:bind:0'><tag>Phone</tag>{}</bind>"
AGENT = "<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'><software>X</software></user-agent>"
FAST = "<fast xmlns='urn:xmpp:fast:0'/>"


class Sasl2Case(ClientCase):
    """Clients that speak SASL2."""

    def authenticate(self, more: str = "", mechanism: str = "PLAIN") -> Peer:
        peer = self.offered()
        self.answer = peer.type(AUTHENTICATE.format(mechanism, more))
        return peer

    def admitted(self, more: str = "", user: str = "alice") -> Peer:
        peer = self.authenticate(more)
        self.bridge.reply("success", user)
        self.answer = peer.read()
        return peer


class Sasl2Tests(Sasl2Case):
    """What a client sees."""

    def test_offered(self) -> None:
        """Next to the mechanisms of RFC 6120 stands SASL2, with what can be settled with it."""
        answer = self.secured().open("example.com", version="1.0")
        self.assertIn(
            "<authentication xmlns='urn:xmpp:sasl:2'><mechanism>PLAIN</mechanism>", answer
        )
        self.assertIn("<sm xmlns='urn:xmpp:sm:3'/>", answer)

    def test_login(self) -> None:
        """Success names the user, and new features follow without a new stream."""
        self.admitted()
        self.assertEqual(
            self.answer.partition("<stream:features")[0],
            "<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>alice@example.com"
            "</authorization-identifier></success>",
        )
        self.assertIn("urn:ietf:params:xml:ns:xmpp-bind", self.answer)

    def test_on_the_link(self) -> None:
        """The Call Bridge sees the messages of RFC 6120, with the data unchanged."""
        peer = self.authenticate()
        request, _ = self.bridge.asked[-1]
        self.assertEqual((request.element.uri, request.element.name), (SASL, "auth"))
        self.assertEqual(sasl_data(request.element), b"\0alice\0secret")
        self.assertEqual(request.offered, ("PLAIN",))
        waiting = self.bridge.asked[-1][1]
        waiting.callback(LoginReply(request.session, sasl_message("challenge", b"what?")))
        self.assertEqual(peer.read(), "<challenge xmlns='urn:xmpp:sasl:2'>d2hhdD8=</challenge>")
        peer.type("<response xmlns='urn:xmpp:sasl:2'>dGhhdA==</response>")
        request, waiting = self.bridge.asked[-1]
        self.assertEqual(sasl_data(request.element), b"that")
        waiting.callback(LoginReply(request.session, sasl_message("success", b"v=1"), "alice"))
        self.assertIn("<additional-data>dj0x</additional-data>", peer.read())

    def test_initial_response(self) -> None:
        """An empty initial response and none at all are two things (RFC 6120 section 6.4.2)."""
        for initial, data in (("<initial-response/>", b""), ("", None)):
            self.offered().type(
                f"<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'>{initial}</authenticate>"
            )
            self.assertEqual(sasl_data(self.bridge.asked[-1][0].element), data)

    def test_failure(self) -> None:
        """A failure has the condition of RFC 6120; the client may try again, in either form."""
        peer = self.authenticate()
        self.bridge.reply("failure")
        self.assertEqual(
            peer.read(),
            "<failure xmlns='urn:xmpp:sasl:2'>"
            "<not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></failure>",
        )
        peer.type(AUTH)
        self.bridge.reply("success", "alice")
        self.assertIn("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", peer.read())

    def test_not_offered(self) -> None:
        """A mechanism that was not offered fails, and no Call Bridge hears of it."""
        for mechanism in ("EXTERNAL", "SCRAM-SHA-1", "", "x" * 30):
            self.authenticate(mechanism=mechanism)
            self.assertIn("<invalid-mechanism", self.answer)
        self.assertEqual(self.bridge.asked, [])

    def test_white_space(self) -> None:
        """White space while SASL2 is under way ends the stream (XEP-0388 section 2.4)."""
        peer = self.authenticate()
        self.assert_ended(peer, peer.type(" "), "policy-violation")
        peer = self.authenticate()
        self.bridge.reply("failure")
        peer.read()
        self.assertEqual(peer.type("\n"), "")
        self.assertFalse(peer.hung_up)

    def test_line_breaks(self) -> None:
        """One line break after each element is let pass, for go-xmpp, and not two."""
        peer = self.authenticate()
        self.bridge.reply("challenge")
        peer.read()
        self.assertEqual(peer.type("<response xmlns='urn:xmpp:sasl:2'/>\n"), "")
        self.assert_ended(peer, peer.type("\n"), "policy-violation")

    def test_mixed_forms(self) -> None:
        """A response in the other form of SASL ends the stream."""
        peer = self.authenticate()
        self.bridge.reply("challenge")
        peer.read()
        answer = peer.type(f"<response xmlns='{SASL}'>AA==</response>")
        self.assert_ended(peer, answer, "not-authorized")

    def test_abort(self) -> None:
        """A client may give an exchange up."""
        peer = self.authenticate()
        self.bridge.reply("challenge")
        peer.type("<abort xmlns='urn:xmpp:sasl:2'/>")
        self.assertEqual(self.bridge.asked[-1][0].element.name, "abort")

    def test_late_abort(self) -> None:
        """Some clients send an abort after each failure: it costs them nothing."""
        peer = self.authenticate()
        self.bridge.reply("failure")
        peer.read()
        for namespace in ("urn:xmpp:sasl:2", SASL):
            answer = peer.type(f"<abort xmlns='{namespace}'/>")
            self.assertIn(f"<failure xmlns='{namespace}'><aborted", answer)
        self.assertFalse(peer.hung_up)

    def test_elements_in_data(self) -> None:
        """Elements where base64 belongs are a malformed request."""
        answer = self.offered().type(
            "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'>"
            "<initial-response><x/></initial-response></authenticate>"
        )
        self.assertIn("<malformed-request", answer)

    def test_other_claim(self) -> None:
        """Whoever says in the header who they are logs in as that, or not at all."""
        peer = self.secured()
        peer.open("example.com", version="1.0", **{"from": "bob@example.com"})
        peer.type(AUTHENTICATE.format("PLAIN", ""))
        self.bridge.reply("success", "alice")
        self.assertIn("<invalid-authzid", peer.read())
        peer = self.secured()
        answer = peer.open("example.com", version="1.0", **{"from": "bob@example.net"})
        self.assert_ended(peer, answer, "invalid-from")


class Bind2Tests(Sasl2Case):
    """Resource binding in the same exchange."""

    def test_bound(self) -> None:
        """The session is there with the success, under a resource that begins with the tag."""
        peer = self.admitted(BIND2.format(""))
        self.assertRegex(
            self.answer,
            "<authorization-identifier>alice@example.com/Phone/[0-9a-f]{16}"
            "</authorization-identifier><bound xmlns='urn:xmpp:bind:0'/></success>",
        )
        self.assertNotIn("xmpp-bind'", self.answer)
        self.assertIn("bad-request", peer.type("<iq type='get'/>"))
        self.assertEqual(len(self.sessions), 1)

    def test_management(self) -> None:
        """Stream management begins in it, and so does the state of the client."""
        enable = "<enable xmlns='urn:xmpp:sm:3' resume='true'/><inactive xmlns='urn:xmpp:csi:0'/>"
        self.admitted(BIND2.format(enable))
        self.assertRegex(self.answer, "<bound [^>]*><enabled [^>]*id='[^']+'")
        self.assertNotIn("<sm ", self.answer)
        [session] = self.sessions.all()
        self.assertEqual((session.info().resumable, session.info().active), (True, False))

    def test_same_installation(self) -> None:
        """The same installation gets the same resource, and its older session ends."""
        first = self.admitted(AGENT + BIND2.format(""))
        before = self.answer.partition("<bound")[0]
        self.admitted(AGENT + BIND2.format(""))
        self.assertEqual(self.answer.partition("<bound")[0], before)
        self.assert_ended(first, first.read(), "conflict")
        self.assertEqual(len(self.sessions), 1)

    def test_impossible_tag(self) -> None:
        """A tag that can be in no resource is left out."""
        self.admitted(BIND2.format("").replace("Phone", "x" * 1020))
        self.assertRegex(self.answer, "alice@example.com/[0-9a-f]{16}<")

    def test_too_many(self) -> None:
        """Beyond the sessions that a user may have the login counts, and the resource does not."""
        for _ in range(10):
            self.admitted(BIND2.format(""))
        self.admitted(BIND2.format(""))
        self.assertIn("<failed xmlns='urn:xmpp:bind:0'><resource-constraint", self.answer)
        self.assertIn("<authorization-identifier>alice@example.com<", self.answer)


class FastTests(Sasl2Case):
    """Tokens."""

    def setUp(self) -> None:
        super().setUp()
        self.bridge.mechanisms = frozenset({"PLAIN", "HT-SHA-256-NONE", "HT-SHA-256-EXPR"})
        self.logins.update(self.bridge)

    def test_offered(self) -> None:
        """Only what this connection can bind to is offered, and only in SASL2."""
        answer = self.secured().open("example.com", version="1.0")
        fast = "<fast xmlns='urn:xmpp:fast:0'><mechanism>HT-SHA-256-NONE</mechanism></fast>"
        self.assertIn(fast, answer)
        self.assertEqual(answer.count("HT-"), 1)
        auth = AUTH.replace("PLAIN", "HT-SHA-256-NONE")
        self.assertIn("<invalid-mechanism/>", self.offered().type(auth))

    def test_token_wanted(self) -> None:
        """The wish goes to the Call Bridge, and its token to the client."""
        wish = "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>"
        peer = self.authenticate(AGENT + wish)
        request, waiting = self.bridge.asked[-1]
        agent = "d4565fa7-4d72-4749-b3d3-740edbf87770"
        self.assertEqual(request.token, TokenRequest(agent, "HT-SHA-256-NONE"))
        token = Token("s3cret", "2026-12-24T18:00:00Z")
        waiting.callback(LoginReply(request.session, sasl_message("success"), "alice", token))
        self.assertIn(
            "<token xmlns='urn:xmpp:fast:0' token='s3cret' expiry='2026-12-24T18:00:00Z'/>",
            peer.read(),
        )

    def test_token_used(self) -> None:
        """A token that one Call Bridge does not know is asked of the others."""
        other = Bridge("cb2", "HT-SHA-256-NONE")
        self.logins.update(other)
        peer = self.authenticate(AGENT + FAST, "HT-SHA-256-NONE")
        first, second = (self.bridge, other) if self.bridge.asked else (other, self.bridge)
        first.reply("failure")
        self.assertEqual(peer.read(), "")
        second.reply("success", "alice")
        self.assertIn("<success", peer.read())
        self.assertEqual((first.outstanding, second.outstanding, self.logins.waiting), (0, 0, 0))
        peer = self.authenticate(AGENT + FAST, "HT-SHA-256-NONE")
        self.bridge.reply("failure")
        other.reply("failure")
        self.assertIn("<not-authorized", peer.read())

    def test_invalidate(self) -> None:
        """So does the wish that a token is not to count again."""
        fast = "<fast xmlns='urn:xmpp:fast:0' invalidate='true'/>"
        self.authenticate(AGENT + fast, "HT-SHA-256-NONE")
        token = self.bridge.asked[-1][0].token
        assert token is not None
        self.assertTrue(token.invalidate)

    def test_malformed(self) -> None:
        """A token without an installation, or outside of <fast/>, is a malformed request."""
        for mechanism, more in (
            ("HT-SHA-256-NONE", FAST),
            ("HT-SHA-256-NONE", AGENT),
            ("PLAIN", AGENT + FAST),
            ("PLAIN", "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>"),
            ("PLAIN", AGENT + "<request-token xmlns='urn:xmpp:fast:0'/>"),
            ("PLAIN", "<user-agent id='a b'/>"),
        ):
            self.authenticate(more, mechanism)
            self.assertIn("<malformed-request", self.answer, more)
        self.assertEqual(self.bridge.asked, [])
