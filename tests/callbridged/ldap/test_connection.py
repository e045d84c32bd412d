"""Tests of callbridged.backends.ldap.connection: operations and TLS on one connection."""

from __future__ import annotations

from typing import Any
from unittest import mock

from OpenSSL import SSL
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionDone
from twisted.trial.unittest import SynchronousTestCase

from bridgewire import tls
from bridgewire.steps import Reason, StepFailure
from callbridged.backends.ldap.connection import MAX_ANSWERS
from callbridged.backends.ldap.interface import Entry, Result, Search
from tests.callbridged.ldap.servers import Started, TypedServer
from tests.callbridged.network import certificates

HOST = "xmpp1.example.com"
SEARCH = Search("dc=x", "sub", "(uid=a)", ("uid",))
CONTEXT: Any = object()


class ConnectionCase(SynchronousTestCase):
    """A server that tests type for."""

    def setUp(self) -> None:
        self.server = TypedServer()
        self.connection = self.server.connection

    def bind(self) -> Started:
        return Started(self.connection.bind("cn=a", "x"))

    def failed(self, work: Started, reason: Reason, text: str) -> None:
        """``work`` has ended for this reason, and the connection with it."""
        self.assertIsInstance(work.outcome, StepFailure, work.outcome)
        self.assertIs(work.outcome.reason, reason)
        self.assertIn(text, str(work.outcome))
        self.assertFalse(self.connection.usable)

    def hung_up(self) -> None:
        """The connection is given up; TCP says so in the end."""
        self.assertTrue(self.server.transport.aborted)
        self.server.lose()
        self.assertTrue(self.server.codec.closed)


class Operations(ConnectionCase):
    """What is asked and answered."""

    def test_one_after_the_other(self) -> None:
        """A bind, a question and a search, each with its result."""
        bound = self.bind()
        self.assertEqual(self.server.asked(), "bind cn=a")
        self.server.say("done 49")
        self.assertEqual(bound.outcome, Result(49))
        who = Started(self.connection.who_am_i())
        self.assertEqual(self.server.asked(), "who am i")
        self.server.say("done 0 dn:cn=a")
        self.assertEqual(who.outcome, (Result(0), "dn:cn=a"))
        found = Started(self.connection.search(SEARCH))
        self.assertEqual(self.server.asked(), "search (uid=a) 5")
        self.server.say("reference", "entry uid=a")
        self.assertIsNone(found.outcome)
        self.server.say("done 0")
        self.assertEqual(found.outcome, (Result(0), (Entry("uid=a", {}),)))
        self.assertTrue(self.connection.usable)

    def test_never_empty(self) -> None:
        """Nobody can make it send a bind without a name or a password."""
        for dn, password in (("", "x"), (" ", "x"), ("cn=a", "")):
            self.assertIsInstance(
                Started(self.connection.bind(dn, password)).outcome, AssertionError
            )
        self.assertEqual(self.server.asked(), "")

    def test_more_than_wanted(self) -> None:
        """A server that does not keep to the limit is not listened to for ever."""
        found = Started(self.connection.search(SEARCH))
        self.server.say(*["entry uid=a"] * 5, "done 0")
        self.assertEqual(len(found.outcome[1]), SEARCH.limit + 1)
        found = Started(self.connection.search(SEARCH))
        for _ in range(MAX_ANSWERS):
            self.server.say("reference")
        self.assertTrue(self.connection.usable)
        self.server.say("reference")
        self.hung_up()
        self.failed(found, Reason.PROTOCOL_ERROR, "more than 64 answers")

    def test_nonsense(self) -> None:
        """What is no LDAP ends the connection, and so does an answer to no question."""
        bound = self.bind()
        self.connection.dataReceived(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.hung_up()
        self.failed(bound, Reason.PROTOCOL_ERROR, "does not speak LDAP as it should")
        self.setUp()
        self.server.say("done 0")
        self.hung_up()
        self.failed(self.bind(), Reason.PROTOCOL_ERROR, "answers nothing that was asked")

    def test_after_nonsense(self) -> None:
        """What comes behind nonsense is not looked at."""
        bound = self.bind()
        self.server.say("nonsense", "done 0")
        self.server.say("done 0")
        self.hung_up()
        self.failed(bound, Reason.PROTOCOL_ERROR, "makes no sense")

    def test_notice(self) -> None:
        """A server that takes its leave is believed."""
        bound = self.bind()
        self.server.say("notice 52")
        self.hung_up()
        self.failed(bound, Reason.LINK_LOST, "has ended the connection: unavailable (52)")

    def test_lost(self) -> None:
        """A connection that is lost fails what is waited for, and what is asked later."""
        bound = self.bind()
        self.server.lose()
        self.failed(bound, Reason.LINK_LOST, "closed the connection without an answer")
        self.failed(self.bind(), Reason.LINK_LOST, "closed the connection")
        self.assertTrue(self.server.codec.closed)

    def test_cancelled(self) -> None:
        """Who gives up takes the connection along: the answer is yet to come."""
        bound = self.bind()
        bound.deferred.cancel()
        self.assertIsInstance(bound.outcome, CancelledError)
        self.assertFalse(self.connection.usable)
        self.server.say("done 0")
        self.hung_up()


class Tls(ConnectionCase):
    """How a connection is secured."""

    def secure(self, *, start: bool = True, host: str = HOST) -> Started:
        return Started(self.connection.secure(CONTEXT, host, start=start))

    def shake_hands(self, certificate: Any = None) -> None:
        """The handshake succeeds, and the server shows a certificate."""
        shown = (certificate or certificates().server).certificate
        with mock.patch.object(tls, "peer_certificate", return_value=shown):
            self.connection.handshakeCompleted()

    def test_start_tls(self) -> None:
        """StartTLS is asked for, and then comes TLS."""
        secured = self.secure()
        self.assertEqual(self.server.asked(), "start tls")
        self.assertIsNone(self.server.transport.tls)
        self.server.say("done 0")
        self.assertIs(self.server.transport.tls, CONTEXT)
        self.assertTrue(secured.deferred.called is False)
        self.shake_hands()
        self.assertTrue(secured.deferred.called)
        self.assertIsNone(secured.outcome)
        self.assertTrue(self.connection.usable)

    def test_from_the_start(self) -> None:
        """With ldaps:// TLS begins at once."""
        self.secure(start=False)
        self.assertIs(self.server.transport.tls, CONTEXT)
        self.assertEqual(self.server.asked(), "")

    def test_refused(self) -> None:
        """A server that does not want TLS gets nothing in plain text."""
        secured = self.secure()
        self.server.say("done 2")
        self.hung_up()
        self.failed(secured, Reason.TLS_FAILURE, "refuses StartTLS: protocol error (2)")
        self.assertIsNone(self.server.transport.tls)

    def test_injected(self) -> None:
        """What comes in plain text behind the answer to StartTLS is nobody's answer."""
        for more in (b"\x30", b"\x30\x82\x00\x06done 0"):
            self.setUp()
            secured = self.secure()
            self.connection.dataReceived(b"\x30\x82\x00\x06done 0" + more)
            self.hung_up()
            self.failed(secured, Reason.PROTOCOL_ERROR, "More came in plain text after StartTLS.")
            self.assertIsNone(self.server.transport.tls)

    def test_wrong_name(self) -> None:
        """A certificate of another host is refused, with what is wrong."""
        secured = self.secure(start=False, host="ldap.example.com")
        self.shake_hands()
        self.hung_up()
        self.failed(
            secured, Reason.CERTIFICATE_NAME_MISMATCH, "lacks the host name ldap.example.com"
        )
        self.assertIn("correct the host in url of [ldap office]", str(secured.outcome))

    def test_no_handshake(self) -> None:
        """A handshake that fails says why, and one that is broken off says that."""
        secured = self.secure(start=False)
        self.server.lose(SSL.Error([("SSL routines", "", "wrong version number")]))
        self.failed(secured, Reason.TLS_FAILURE, "does not speak TLS on this port")
        self.setUp()
        secured = self.secure(start=False)
        self.server.lose(ConnectionDone())
        self.failed(secured, Reason.LINK_LOST, "closed the connection during the TLS handshake")

    def test_cancelled(self) -> None:
        """A handshake that takes too long is given up."""
        secured = self.secure(start=False)
        secured.deferred.cancel()
        self.assertIsInstance(secured.outcome, CancelledError)
        self.hung_up()
