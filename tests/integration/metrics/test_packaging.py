"""The alert rules and the dashboard that are shipped, by promtool: nothing runs here."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from daemonkit.metrics.process import Process
from tests.support.exposed import documented
from tests.support.markdown import Page
from tests.support.processes import ROOT
from tests.support.prometheus import RULES, dashboard_queries, promtool

_NAME = re.compile(r"\b(?:xmppd|callbridged|process)_[a-z_]+\b")
_RUNBOOK = re.compile(r'runbook: "(docs/[a-z.]+)(?:#([a-z0-9-]+))?"')


def known_names() -> set[str]:
    """The series that there are, each as it can stand in an expression."""
    found = set()
    for prefix in ("xmppd", "callbridged"):
        for name, one in documented(prefix).items():
            parts = ("_bucket", "_sum", "_count") if one.type == "histogram" else ("",)
            found |= {name + part for part in parts}
    for family in Process(Clock())():
        found |= {sample.name for sample in family.samples}
    return found


class RuleTests(SynchronousTestCase):
    """packaging/prometheus."""

    def setUp(self) -> None:
        self.rules = RULES.read_text()
        self.alerts = re.split(r"(?m)^ +- alert: ", self.rules)[1:]

    def succeed(self, *arguments: str | Path) -> None:
        done = promtool(*arguments)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_checked(self) -> None:
        """promtool accepts the rules, and the configuration that names them."""
        self.succeed("check", "rules", RULES)
        self.succeed("check", "config", "--syntax-only", RULES.with_name("prometheus.yml"))

    def test_tests(self) -> None:
        """Each alert is raised in the tests of the rules, which pass."""
        tests = RULES.with_name("callbridge-xmpp.test.yml")
        self.succeed("test", "rules", tests)
        raised = set(re.findall(r'alertname="(\w+)"', tests.read_text()))
        self.assertEqual({one.split("\n", 1)[0] for one in self.alerts}, raised)

    def test_annotations(self) -> None:
        """Each alert says what is wrong, what that means and what to do, and where to read on."""
        pages: dict[str, set[str]] = {}
        for alert in self.alerts:
            for annotation in ("summary", "description", "action"):
                self.assertRegex(alert, rf'\n +{annotation}: "[^"]{{20,}}"\n', alert)
            self.assertRegex(alert, r"labels: {severity: (critical|warning)}")
            runbook = _RUNBOOK.search(alert)
            assert runbook is not None, alert
            path, anchor = runbook.groups()
            if path not in pages:
                pages[path] = {one.anchor for one in Page(ROOT / path).headings()}
            self.assertTrue(anchor is None or anchor in pages[path], runbook[0])

    def test_names(self) -> None:
        """The rules ask for no series that is not there."""
        expressions = " ".join(one.split("annotations:")[0] for one in self.alerts)
        names = set(_NAME.findall(expressions))
        self.assertGreater(len(names), 10)
        self.assertEqual(names - known_names(), set())


class DashboardTests(SynchronousTestCase):
    """packaging/grafana."""

    def test_names(self) -> None:
        """The dashboard asks for no series that is not there."""
        names = set(_NAME.findall(" ".join(dashboard_queries())))
        self.assertGreater(len(names), 20)
        self.assertEqual(names - known_names(), set())

    def test_expressions(self) -> None:
        """promtool can read each of its expressions."""
        rules = "".join(
            f"      - record: panel:{number}\n        expr: |-\n          {expression}\n"
            for number, expression in enumerate(dashboard_queries())
        )
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            file.write(f"groups:\n  - name: dashboard\n    rules:\n{rules}")
            file.flush()
            done = promtool("check", "rules", file.name)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
