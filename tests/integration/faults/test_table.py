"""The tables and the tests belong together."""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter
from collections.abc import Iterator

from twisted.trial import unittest

from bridgewire.steps import Reason, Step
from tests.integration import faults
from tests.integration.faults.look import FaultCase
from tests.integration.faults.table import Row, find, rows


def provoked() -> Iterator[Row]:
    """Answer the row of each test that has one."""
    for module in pkgutil.iter_modules(faults.__path__, f"{faults.__name__}."):
        for case in vars(importlib.import_module(module.name)).values():
            if not (isinstance(case, type) and issubclass(case, FaultCase)):
                continue
            for name, test in vars(case).items():
                if name.startswith("test_"):
                    yield find(*test.row)


class TableTests(unittest.SynchronousTestCase):
    """docs/troubleshooting.md."""

    def test_rows_are_provoked(self) -> None:
        """Each row has one test, and each test a row."""
        self.assertGreater(len(rows()), 60)
        self.assertEqual(Counter(rows()), Counter(provoked()))

    def test_reasons(self) -> None:
        """Each reason has a row, and there are no others."""
        reasons = {one.reason for one in rows()} - {"-"}
        self.assertEqual(reasons, {str(one) for one in Reason})
        steps = {one.step for one in rows()} - {"-"}
        self.assertLessEqual(steps, {str(one) for one in Step})

    def test_remedies(self) -> None:
        """Each row says where something is to be done."""
        for row in rows():
            self.assertRegex(row.remedy, r"[Ii]nside|edge\b|DNS", row)
