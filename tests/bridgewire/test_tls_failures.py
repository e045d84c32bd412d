"""Tests of bridgewire.tls_failures and .tls_handshake: peers that speak no TLS, or badly."""

from __future__ import annotations

import contextlib

from OpenSSL import SSL
from twisted.internet import defer, error
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from bridgewire import tls
from bridgewire.steps import Reason, Step, StepFailure
from bridgewire.tls_handshake import MAX_HANDSHAKE, ServerConnection
from tests.bridgewire.tls_case import PlainText, TlsCase


class NoTlsTests(TlsCase):
    """Peers that speak no TLS, or stop."""

    def test_plain_text_server(self) -> None:
        """A server that speaks something else is a TLS failure, and the port is suspected."""
        for said in (
            b"<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept'>",
            b"220 mail.example.com ESMTP\r\n",
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            bytes(100),
        ):
            _, client = self.connect(PlainText(said), self.client())
            self.check(
                client.failure(tls.CALLBRIDGE),
                Step.TLS,
                Reason.TLS_FAILURE,
                "The XMPP server does not speak TLS on this port",
                "(5223)",
            )

    def test_plain_text_client(self) -> None:
        """A client that speaks something else is told of in the server's words."""
        for said in (
            b"<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept'>",
            b"GET / HTTP/1.1\r\n\r\n",
            b"\xff" * 100,
        ):
            server, _ = self.connect(self.server(), PlainText(said))
            self.check(
                server.failure(tls.XMPPD),
                Step.TLS,
                Reason.TLS_FAILURE,
                "The Call Bridge does not speak TLS on this port",
                "TLS from the first byte",
            )

    def test_hang_up(self) -> None:
        """A peer that closes in the middle of the handshake is a lost link at step tls."""
        _, client = self.connect(PlainText(b"", hang_up=True), self.client())
        self.check(
            client.failure(tls.CALLBRIDGE),
            Step.TLS,
            Reason.LINK_LOST,
            "The XMPP server closed the connection during the TLS handshake.",
            "The log of the XMPP server",
        )

    def test_broken_handshake(self) -> None:
        """A record that is no handshake is a TLS failure."""
        server, _ = self.connect(self.server(), PlainText(b"\x16\x03\x01\x00\x05hello"))
        self.check(
            server.failure(tls.XMPPD),
            Step.TLS,
            Reason.TLS_FAILURE,
            "The TLS handshake with the Call Bridge failed",
            "TLS 1.2 or newer",
        )

    def test_endless_handshake(self) -> None:
        """A handshake is given up when it has become too long, before it is there as a whole."""
        hello = b"\x01" + (130_000).to_bytes(3, "big") + b"\x03\x03" + bytes(20_000)
        records = [hello[at : at + 8000] for at in range(0, len(hello), 8000)]
        said = b"".join(b"\x16\x03\x01" + len(one).to_bytes(2, "big") + one for one in records)
        server, _ = self.connect(self.server(), PlainText(said[: MAX_HANDSHAKE - 1]))
        self.assertIsNone(server.reason)
        for sent in (said[:MAX_HANDSHAKE], said):
            server, _ = self.connect(self.server(), PlainText(sent))
            self.check(
                server.failure(tls.XMPPD),
                Step.TLS,
                Reason.TLS_FAILURE,
                "(handshake too long)",
                "",
            )

    def test_much_at_once(self) -> None:
        """What comes in one piece with the end of the handshake is not part of it."""
        context = self.server().context
        ours = ServerConnection(context)
        ours.set_accept_state()
        theirs = SSL.Connection(self.client().context)
        theirs.set_connect_state()
        for _ in range(3):
            for one, other in ((theirs, ours), (ours, theirs)):
                try:
                    one.do_handshake()
                except SSL.WantReadError:
                    pass
                else:
                    if one is theirs:
                        theirs.send(b"x" * 2 * MAX_HANDSHAKE)
                with contextlib.suppress(SSL.WantReadError):
                    other.bio_write(one.bio_read(1_000_000))
        ours.do_handshake()
        received = b""
        while len(received) < 2 * MAX_HANDSHAKE:
            received += ours.recv(100_000)
        self.assertEqual(received, b"x" * 2 * MAX_HANDSHAKE)


class FailureTests(SynchronousTestCase):
    """Reasons that need no handshake to be made."""

    def test_connection_reasons(self) -> None:
        """Every way of losing a connection is a lost link at step tls."""
        for reason in (
            error.ConnectionDone(),
            error.ConnectionLost(),
            error.ConnectionAborted(),
            SSL.SysCallError(-1, "Unexpected EOF"),
            SSL.ZeroReturnError(),
            SSL.Error(),
            SSL.Error([]),
        ):
            failure = tls.failure(Failure(reason))
            self.assertEqual((failure.step, failure.reason), (Step.TLS, Reason.LINK_LOST), reason)

    def test_timeouts(self) -> None:
        """A handshake that took too long is a timeout at step tls."""
        for reason in (TimeoutError(), defer.TimeoutError(), error.TimeoutError()):
            failure = tls.failure(Failure(reason))
            self.assertEqual((failure.step, failure.reason), (Step.TLS, Reason.TIMEOUT))

    def test_step_failure(self) -> None:
        """What is a StepFailure already stays what it is."""
        known = StepFailure(Step.CERTIFICATE, Reason.CERTIFICATE_NAME_MISMATCH, "text")
        self.assertIs(tls.failure(Failure(known)), known)

    def test_anything_else(self) -> None:
        """An exception that nobody foresaw is a TLS failure that names it."""
        failure = tls.failure(Failure(RuntimeError("odd")))
        self.assertEqual((failure.step, failure.reason), (Step.TLS, Reason.TLS_FAILURE))
        self.assertIn("RuntimeError: odd", failure.text)

    def test_old_alert_names(self) -> None:
        """OpenSSL 1.1 to 3 call the same alerts by other names."""
        for said, reason in (
            ("sslv3 alert certificate expired", Reason.CERTIFICATE_EXPIRED),
            ("ssl/tls alert certificate expired", Reason.CERTIFICATE_EXPIRED),
            ("sslv3 alert bad certificate", Reason.CERTIFICATE_UNTRUSTED),
            ("sslv3 alert certificate unknown", Reason.CERTIFICATE_UNTRUSTED),
            ("ssl/tls alert certificate revoked", Reason.CERTIFICATE_UNTRUSTED),
            ("tlsv1 alert unknown ca", Reason.CERTIFICATE_UNTRUSTED),
            ("tlsv13 alert certificate required", Reason.CERTIFICATE_REQUIRED),
            ("sslv3 alert handshake failure", Reason.TLS_FAILURE),
        ):
            failure = tls.failure(Failure(SSL.Error([("SSL routines", "ssl3_read_bytes", said)])))
            self.assertEqual(failure.reason, reason, said)
