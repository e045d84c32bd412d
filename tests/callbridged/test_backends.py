"""Tests for `callbridged.backends`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from twisted.plugin import IPlugin
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from callbridged.backends import (
    BackendFault,
    IDecoySource,
    IUserBackend,
    IUserBackendFactory,
    configured,
    find_factory,
)
from callbridged.backends.file import FileBackendFactory
from daemonkit.ini import IniReader
from tests.callbridged.people import MemoryBackend, Threads


@implementer(IPlugin, IUserBackendFactory)
class MemoryBackendFactory:
    prefix = "memory"
    description = "nothing; for tests"

    def open(self, argument: str, reactor: Any) -> MemoryBackend:
        backend = MemoryBackend()
        backend.asked.append(argument)
        return backend


def open_backend(name: str, factories: Any = None) -> IUserBackend:
    path = Path(tempfile.mkstemp()[1])
    try:
        return configured(name, IniReader(path), factories).open(Threads())
    finally:
        path.unlink()


class FindingBackends(SynchronousTestCase):
    """From ``prefix:argument`` to a backend."""

    def test_plugin(self) -> None:
        """The file backend is found as a Twisted plugin."""
        factory, argument = find_factory("file:/etc/callbridged/users")
        self.assertIsInstance(factory, FileBackendFactory)
        self.assertEqual(argument, "/etc/callbridged/users")

    def test_argument(self) -> None:
        """All after the first colon is the backend's own affair."""
        backend = open_backend("memory:a:b", [MemoryBackendFactory()])
        assert isinstance(backend, MemoryBackend)
        self.assertEqual(backend.asked, ["a:b"])

    def test_unknown(self) -> None:
        """An unknown prefix is a fault that names those that are known."""
        fault = self.assertRaises(BackendFault, open_backend, "flie:/x")
        self.assertIn("'flie'", str(fault))
        self.assertIn("file: (the path of a file", str(fault))
        fault = self.assertRaises(BackendFault, find_factory, "x", [])
        self.assertIn("none is installed", str(fault))

    def test_relative_path(self) -> None:
        """A path that depends on where the daemon is started is a fault."""
        for backend in ("file:", "file:users", "file:./users"):
            fault = self.assertRaises(BackendFault, open_backend, backend)
            self.assertIn("whole path", str(fault))

    def test_interfaces(self) -> None:
        """What is shipped is what the interfaces say."""
        verifyObject(IUserBackendFactory, FileBackendFactory())
        backend = open_backend(f"file:{Path(self.mktemp()).absolute()}")
        verifyObject(IUserBackend, backend)
        verifyObject(IDecoySource, backend)
        verifyObject(IUserBackend, MemoryBackend())
