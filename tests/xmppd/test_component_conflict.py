"""Tests for two components of one name: which of them has it."""

from __future__ import annotations

import re

from twisted.logger import LogLevel, capturedLogs

from tests.support.memory import Peer
from tests.xmppd.component_case import ComponentCase


class ConflictTests(ComponentCase):
    """A rival, a ghost, and a successor."""

    def test_removed_while_another_waits(self) -> None:
        """A name that is removed does not go to a link that waited for the older one's end."""
        older = self.registered()
        newer = self.connect()
        self.prove(newer)
        self.components.dismiss("cb1.example.com", "removed")
        self.assertEqual(self.components.registered, {})
        self.assertTrue(older.hung_up)
        self.assertTrue(newer.hung_up)

    def test_conflict_with_the_living(self) -> None:
        """While the older link answers, a newer one is refused and the older one stays."""
        older = self.registered()
        newer = self.connect()
        self.assertEqual(self.prove(newer), "")
        ping = older.read()
        self.assertIn("urn:xmpp:ping", ping)
        found = re.search("id='([^']+)'", ping)
        assert found is not None
        older.type(f"<iq type='result' id='{found[1]}' from='cb1.example.com' to='example.com'/>")
        self.assert_ended(newer, newer.read(), "conflict")
        self.assertFalse(older.hung_up)

    def test_conflict_with_a_ghost(self) -> None:
        """An older link that does not answer makes room for the newer one."""
        older = self.registered()
        newer = self.connect()
        self.prove(newer)
        self.clock.advance(5)
        self.assertEqual(newer.read(), "<handshake/>")
        self.assertTrue(older.hung_up)
        self.assertEqual(list(self.components.registered), ["cb1.example.com"])
        older.lose()
        self.assertEqual(list(self.components.registered), ["cb1.example.com"])

    def test_older_goes_while_asked(self) -> None:
        """An older link that is lost while it is asked makes room at once."""
        older = self.registered()
        newer = self.connect()
        self.prove(newer)
        older.lose()
        self.assertEqual(newer.read(), "<handshake/>")
        self.assertEqual(list(self.components.registered), ["cb1.example.com"])

    def test_two_newer_links_and_a_ghost(self) -> None:
        """Of two that wait for a ghost's end, the first is in; the second finds it alive."""
        self.registered()
        first, second = self.connect(), self.connect()
        self.prove(first)
        self.prove(second)
        self.clock.advance(5)
        answer = first.read()
        self.assertTrue(answer.startswith("<handshake/>"))
        found = re.search("id='([^']+)'", answer)  # the second one's question
        assert found is not None
        first.type(f"<iq type='result' id='{found[1]}' from='cb1.example.com' to='example.com'/>")
        self.assert_ended(second, second.read(), "conflict")
        self.assertFalse(first.hung_up)

    def test_refused_newer_link_used_nothing(self) -> None:
        """A secret was not used by a link that is not let in, however right it is."""
        self.registered()
        self.prove(self.connect(), secret="s3cret")
        self.assertEqual(len(self.used), 1)

    def replaceable(self) -> Peer:
        """A Call Bridge's link that a newer one may take the place of."""
        older = self.serving()
        self.offer(older, 20, " successor='t0ken'")
        return older

    def offer(self, peer: Peer, capacity: int, more: str = "") -> None:
        answer = peer.type(
            "<iq type='set' id='2' from='cb1.example.com' to='example.com'>"
            f"<serve xmlns='urn:x-callbridge:login:1' capacity='{capacity}'{more}>"
            "<mechanism>PLAIN</mechanism></serve></iq>"
        )
        self.assertIn("type='result'", answer)

    def test_successor(self) -> None:
        """The link that the older one has announced takes its place; that one goes on as well."""
        older, newer = self.replaceable(), self.connect()
        self.assertEqual(self.prove(newer, more=" successor='t0ken'"), "<handshake/>")
        self.assertFalse(older.hung_up)
        first = self.components.registered["cb1.example.com"]
        self.assertIs(first.stream, newer.stream)
        self.offer(older, 0)  # what is under way there goes on
        self.assertEqual(older.read(), "")
        with capturedLogs() as logged:
            older.lose()
        self.assertIs(self.components.registered["cb1.example.com"], first)
        self.assertEqual([one["log_level"] for one in logged], [LogLevel.info])
        self.assertEqual(self.components.troubles, {})

    def test_successor_that_goes(self) -> None:
        """If the successor goes first, the older link has its place again."""
        older, newer = self.replaceable(), self.connect()
        self.prove(newer, more=" successor='t0ken'")
        newer.lose()
        self.assertIs(self.components.registered["cb1.example.com"].stream, older.stream)
        older.lose()
        self.assertEqual(self.components.registered, {})

    def test_no_successor(self) -> None:
        """Without the right token a newer link stays a rival, also where none was announced."""
        for more in ("", " successor=''", " successor='other'", " successor='t0ke&#xF1;'"):
            older, newer = self.replaceable(), self.connect()
            self.assertEqual(self.prove(newer, more=more), "")
            self.assertIn("urn:xmpp:ping", older.read())
            newer.lose()
            self.offer(older, 20)
            another = self.connect()
            self.assertEqual(self.prove(another, more=" successor=''"), "")
            another.lose()
            older.lose()

    def test_name_removed_while_replaced(self) -> None:
        """If the name is taken out of the registry, both links go."""
        older, newer = self.replaceable(), self.connect()
        self.prove(newer, more=" successor='t0ken'")
        self.assertTrue(self.components.dismiss("cb1.example.com", "removed"))
        self.assertTrue(older.hung_up)
        self.assertTrue(newer.hung_up)
        self.assertEqual(self.components.registered, {})
