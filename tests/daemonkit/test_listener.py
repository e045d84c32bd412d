"""Tests of daemonkit.listener; sockets of systemd's: tests.integration.test_activation."""

from __future__ import annotations

import errno
import io
import sys

from twisted.application.service import Service
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from daemonkit.listener import BACKLOG, Listener, listener


class _Refused(Service):
    """A port that the kernel does not give."""

    def __init__(self, number: int) -> None:
        self._error = OSError(number, "text")

    def privilegedStartService(self) -> None:
        raise CannotListenError("", 443, self._error)


class ListenerTests(SynchronousTestCase):
    """Over a reactor in memory."""

    def end(self, number: int) -> tuple[object, str]:
        """How the daemon ends where a port is refused so: status or text, and what it prints."""
        said = io.StringIO()
        self.patch(sys, "stderr", said)
        one = Listener("xmppd", "tcp:443", [_Refused(number)], "Open {port} for {program}.")
        return self.assertRaises(SystemExit, one.privilegedStartService).code, said.getvalue()

    def test_backlog(self) -> None:
        """A port gets room for many connections that wait, unless a setting says how much."""
        reactor = MemoryReactorClock()
        for description in ("tcp:5222", "tcp:5223:backlog=7"):
            listener(description, lambda _: None, reactor, program="xmppd").privilegedStartService()
        self.assertEqual([one[2] for one in reactor.tcpServers], [BACKLOG, 7])
        self.assertGreaterEqual(BACKLOG, 511)

    def test_busy(self) -> None:
        """Where somebody else has the port, the daemon may be started again."""
        code, printed = self.end(errno.EADDRINUSE)
        self.assertIn("xmppd: cannot listen on tcp:443", str(code))
        self.assertEqual(printed, "")

    def test_not_allowed(self) -> None:
        """Where it may not have the port, it is told what to do, and need not try again."""
        code, printed = self.end(errno.EACCES)
        self.assertEqual(code, 78)
        self.assertIn("this user may not have port 443", printed)
        self.assertIn("Open 443 for xmppd.", " ".join(printed.split()))
