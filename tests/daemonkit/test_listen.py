"""Tests of daemonkit.listen."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from daemonkit.listen import is_local, parse_listen, parse_local_listen


class ListenTests(SynchronousTestCase):
    """Endpoint strings."""

    def test_taken(self) -> None:
        """What Twisted can listen on is taken as it is."""
        for text in (
            "tcp:5223",
            "tcp:0",
            "tcp:port=5223:interface=127.0.0.1",
            "tcp:5223:interface=192.0.2.1:backlog=100",
            "tcp6:5223",
            "tcp6:5223:interface=2001\\:db8\\:\\:1",
            "unix:/run/xmppd/client.sock",
            "systemd:domain=INET:index=0",
            "systemd:domain=INET6:name=clients",
            "haproxy:tcp:5222",
        ):
            self.assertEqual(parse_listen(text), text)

    def test_refused(self) -> None:
        """What Twisted could not listen on is refused, with the way to write it."""
        for text, hint in {
            "5223": "Write tcp:5223",
            "ssl:5223": "TLS is added",
            "tcp:": "like tcp:5223",
            "tcp:http": "like tcp:5223",
            "tcp:65536": "like tcp:5223",
            "tcp:5223:inteface=127.0.0.1": "like tcp:5223",
            "tpc:5223": "like tcp:5223",
            "tcp": "like tcp:5223",
            "systemd:domain=INET": "systemd:domain=INET:index=0",
            "systemd:index=0": "systemd:domain=INET:index=0",
            "systemd:domain=INET:index=first": "systemd:domain=INET:index=0",
            "systemd:domain=INET:index=0:name=both": "systemd:domain=INET:index=0",
        }.items():
            refusal = self.assertRaises(ValueError, parse_listen, text)
            self.assertIn(hint, str(refusal))


class LocalTests(SynchronousTestCase):
    """Listeners that are for this machine alone, unless the setting says otherwise."""

    def test_interface(self) -> None:
        """Without an interface it is loopback's; one that is given stays."""
        for text, endpoint, local in (
            ("tcp:8443", "tcp:8443:interface=127.0.0.1", True),
            ("tcp:port=8443:backlog=9", "tcp:port=8443:backlog=9:interface=127.0.0.1", True),
            ("tcp6:8443", "tcp6:8443:interface=\\:\\:1", True),
            ("tcp:8443:interface=127.1.2.3", "tcp:8443:interface=127.1.2.3", True),
            ("tcp:8443:interface=192.0.2.1", "tcp:8443:interface=192.0.2.1", False),
            ("tcp:8443:interface=0.0.0.0", "tcp:8443:interface=0.0.0.0", False),
            ("tcp:8443:interface=", "tcp:8443:interface=", False),
            ("tcp6:8443:interface=\\:\\:", "tcp6:8443:interface=\\:\\:", False),
            ("unix:/run/callbridged/web.sock", "unix:/run/callbridged/web.sock", True),
            ("systemd:domain=INET:index=0", "systemd:domain=INET:index=0", None),
        ):
            self.assertEqual((parse_local_listen(text), is_local(endpoint)), (endpoint, local))
            self.assertEqual(parse_listen(endpoint), endpoint)

    def test_refused(self) -> None:
        """What cannot be kept to this machine is refused, and so is what is no endpoint."""
        for text, hint in {"haproxy:tcp:8443": "Write tcp:PORT", "8443": "Write tcp:8443"}.items():
            error = self.assertRaises(ValueError, parse_local_listen, text)
            self.assertIn(hint, str(error))
