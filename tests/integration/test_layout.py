"""The checkout's own promises that nothing else would notice."""

from __future__ import annotations

from configparser import ConfigParser

from twisted.trial import unittest

from tests.support.processes import ROOT


class LayoutTests(unittest.SynchronousTestCase):
    """tox.ini against the folders that are there."""

    def test_every_package_of_tests_runs(self) -> None:
        """Every folder below tests/ with tests in it is run by some tox environment."""
        tox = ConfigParser(interpolation=None)
        tox.read(ROOT / "tox.ini")
        named = {
            word.rstrip("}").removeprefix("{posargs:")
            for section in ("testenv", "testenv:integration", "testenv:debs")
            for word in tox[section]["commands"].split()
            if "tests." in word
        }
        there = {f"tests.{found.parent.name}" for found in ROOT.glob("tests/*/test_*.py")}
        self.assertEqual(there - named, set())
