"""A real Prometheus in a directory of its own, and what this project ships for it."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from tests.support.processes import ROOT, Process, free_port
from tests.support.waiting import DEADLINE, wait_until

RULES = ROOT / "packaging" / "prometheus" / "callbridge-xmpp.rules.yml"
DASHBOARD = ROOT / "packaging" / "grafana" / "callbridge-xmpp.json"

_FOR = re.compile(r"\bfor: \d+[smh]")
_RANGE = re.compile(r"\[\d+m\]")


def promtool(*arguments: str | Path, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run promtool; the caller looks at the exit status."""
    command = ["promtool", *map(str, arguments)]
    return subprocess.run(command, input=typed, capture_output=True, text=True, check=False)


def impatient(rules: str) -> str:
    """The rules, with nothing to wait for: conditions of a second, rates over ten."""
    return _RANGE.sub("[10s]", _FOR.sub("for: 1s", rules))


def dashboard_queries() -> list[str]:
    """All that the dashboard asks Prometheus, with its variables filled in."""
    dashboard = json.loads(DASHBOARD.read_text())
    found = [one["expr"] for panel in dashboard["panels"] for one in panel.get("targets", ())]
    assert found, "the dashboard asks nothing"
    fill = {"$__rate_interval": "1m", "$xmppd": ".*", "$callbridged": ".*"}
    for variable, value in fill.items():
        found = [one.replace(variable, value) for one in found]
    return found


class Prometheus:
    """Looks at daemons each second."""

    def __init__(self, directory: Path, scrape_configs: str, rules: str) -> None:
        """``scrape_configs``: as in prometheus.yml, a list."""
        directory.mkdir()
        self._port = free_port()
        (directory / "rules.yml").write_text(rules)
        (directory / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n"
            f"rule_files: [rules.yml]\nscrape_configs:\n{scrape_configs}"
        )
        self.process = Process(
            "prometheus",
            [
                "prometheus",
                f"--config.file={directory / 'prometheus.yml'}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{self._port}",
                "--log.level=warn",
            ],
            directory / "log",
        )

    def start(self) -> None:
        self.process.start()
        self.process.wait_while_running("Prometheus answers", self._is_ready)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/-/ready", timeout=20):
                return True
        except OSError:
            return False

    def ask(self, what: str, **parameters: str) -> Any:
        """The data that its API answers."""
        url = f"http://127.0.0.1:{self._port}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{what} {parameters}: {error.read().decode()}") from None

    def query(self, expression: str) -> dict[str, float]:
        """The values that there are now, by the labels, as in ``instance=x1,job=xmppd``."""
        found = self.ask("query", query=expression)["result"]
        return {
            ",".join(f"{name}={value}" for name, value in sorted(one["metric"].items())): float(
                one["value"][1]
            )
            for one in found
        }

    def firing(self) -> set[str]:
        """The alerts that fire now."""
        found = self.ask("alerts")["alerts"]
        return {one["labels"]["alertname"] for one in found if one["state"] == "firing"}

    def wait_firing(self, *alerts: str, deadline: float = DEADLINE) -> None:
        """Until these fire, among others."""
        what = f"{', '.join(alerts)} fire"
        self._wait(what, lambda: set(alerts) <= self.firing(), deadline)

    def wait_quiet(self, deadline: float = DEADLINE) -> None:
        """Until no alert fires."""
        self._wait("no alert fires", lambda: not self.firing(), deadline)

    def _wait(self, what: str, probe: Any, deadline: float) -> None:
        wait_until(what, probe, deadline, lambda: f"{self.firing()}\n{self.process.tail()}")
