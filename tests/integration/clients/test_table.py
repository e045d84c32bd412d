"""The table in docs/clients.md has a line for every test, and no other lines."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from twisted.trial import unittest

from tests.integration.clients.meeting import DIRECT_TLS, STARTTLS, WEBSOCKET, ClientTestCase
from tests.integration.clients.table import rows

TESTS = {
    "test_starttls": STARTTLS,
    "test_direct_tls": DIRECT_TLS,
    "test_websocket": WEBSOCKET,
}


class TableTests(unittest.SynchronousTestCase):
    """Whether a line is true is for the client's own test to say."""

    def test_every_line_is_tested(self) -> None:
        """Clients and transports in the table are those that tests run."""
        tested = {
            (case.client, transport)
            for case in _clients()
            for name, transport in TESTS.items()
            if hasattr(case, name)
        }
        self.assertEqual({(row.client, row.transport) for row in rows()}, tested)

    def test_wrong_passwords_are_tested(self) -> None:
        """Every client has a test of what it makes of a wrong password."""
        for case in _clients():
            self.assertTrue(hasattr(case, "test_wrong_password"), case)


def _clients() -> list[type[ClientTestCase]]:
    """Every class of tests that is about one client."""
    for module in Path(__file__).parent.glob("test_*.py"):
        import_module(f"{__package__}.{module.stem}")
    found: list[type[ClientTestCase]] = []
    pending = [ClientTestCase]
    while pending:
        for case in pending.pop().__subclasses__():
            pending.append(case)
            found += [case] if hasattr(case, "client") else []
    return found
