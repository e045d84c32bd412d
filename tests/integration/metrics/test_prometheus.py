"""A real Prometheus looks at both daemons each second: one with TLS, one without."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import threading
import urllib.error
import urllib.request

from twisted.trial.unittest import SynchronousTestCase

from tests.support.exposed import families, series
from tests.support.people import log_in
from tests.support.processes import free_port
from tests.support.prometheus import RULES, Prometheus, dashboard_queries, impatient, promtool
from tests.support.shared import shared_site
from tests.support.site import Site
from tests.support.waiting import wait_until

_SCRAPE = """
  - job_name: xmppd
    scheme: https
    tls_config: {{ca_file: {ca}}}
    static_configs: [{{targets: ["127.0.0.1:{xmppd}"]}}]
  - job_name: callbridged
    static_configs: [{{targets: ["127.0.0.1:{callbridged}"]}}]
"""
#: What has no value while all is well, and nothing was ever asked or refused.
_EMPTY = ("_failures_total", "callbridged_alarms", "client_stream_errors", "stddev")


class Watched:
    """An installation that Prometheus watches, by the shipped rules with nothing to wait for.

    It is made once, by `tests.support.shared`.
    """

    def __init__(self) -> None:
        self.site = Site()
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        site = self.site
        self.ports = {"xmppd": free_port(), "callbridged": free_port()}
        certificate, key = site.ca.issue("metrics", ip=["127.0.0.1"])
        shown = {"certificate": certificate, "private_key": key}
        self.server = site.server(
            settings={"metrics": {"listen": f"tcp:{self.ports['xmppd']}", **shown}}
        )
        self.bridge = site.bridge(
            settings={"metrics": {"listen": f"tcp:{self.ports['callbridged']}"}}
        )
        site.enrol(self.bridge)
        site.user("alice", "wonderland")
        site.start()
        scrape = _SCRAPE.format(ca=site.ca.certificate_path, **self.ports)
        rules = impatient(RULES.read_text())
        self.prometheus = Prometheus(site.directory / "prometheus", scrape, rules)
        self.prometheus.start()
        self.tls = ssl.create_default_context(cafile=str(site.ca.certificate_path))

    def close(self) -> None:
        if hasattr(self, "prometheus"):
            self.prometheus.process.kill()
        self.site.close()

    def get(self, daemon: str, page: str, **headers: str) -> tuple[int, bytes]:
        """Status and body of a page."""
        scheme, context = ("https", self.tls) if daemon == "xmppd" else ("http", None)
        url = f"{scheme}://127.0.0.1:{self.ports[daemon]}/{page}"
        request = urllib.request.Request(url, headers=headers)
        try:
            with urllib.request.urlopen(request, context=context, timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def log_in(self, password: str = "wonderland") -> bool:
        """Log alice in, and out again; True where she was in."""
        server, site = self.server, self.site
        done = log_in(
            server.address,
            server.client_port,
            f"alice@{site.domain}",
            password,
            site.ca.certificate_path,
        )
        return asyncio.run(done).ok


class People(threading.Thread):
    """Somebody who logs in again and again, until `stop`; ``seen``: how it went each time."""

    def __init__(self, at: Watched) -> None:
        super().__init__(daemon=True)
        self._at = at
        self._stopping = threading.Event()
        self.seen: list[bool] = []

    def run(self) -> None:
        while not self._stopping.is_set():
            self.seen.append(self._at.log_in())

    def stop(self) -> None:
        self._stopping.set()
        self.join()


class PrometheusTests(SynchronousTestCase):
    """What Prometheus sees."""

    def setUp(self) -> None:
        self.at = shared_site(PrometheusTests, Watched)
        self.prometheus = self.at.prometheus

    def wait_value(self, expression: str, value: float) -> None:
        def probe() -> bool:
            return list(self.prometheus.query(expression).values()) == [value]

        def explain() -> str:
            return str(self.prometheus.query(expression))

        wait_until(f"{expression} is {value}", probe, explain=explain)

    def test_scraped(self) -> None:
        """Both daemons are scraped, and their logins are counted, by their outcome."""
        self.wait_value('up{job="xmppd"}', 1)
        self.wait_value('up{job="callbridged"}', 1)
        expected = {}
        for job in ("xmppd", "callbridged"):
            before = series(families(self.at.get(job, "metrics")[1]).values())
            for outcome in ("success", "not-authorized"):
                labels = f'mechanism="SCRAM-SHA-256", outcome="{outcome}"'
                number = before.get((f"{job}_logins_total", "SCRAM-SHA-256", outcome), 0)
                expected[f"{job}_logins_total{{{labels}}}"] = number + 1
        self.assertTrue(self.at.log_in())
        self.assertFalse(self.at.log_in("guess"))
        for expression, number in expected.items():
            self.wait_value(expression, number)

    def test_parts(self) -> None:
        """The time on the link, at the Call Bridge and for the backend is told apart."""
        self.assertTrue(self.at.log_in())
        for job, part in (("xmppd", "link"), ("xmppd", "callbridge"), ("callbridged", "backend")):
            name = f'{job}_login_duration_seconds_count{{part="{part}"}}'
            wait_until(name, lambda name=name: self.prometheus.query(f"{name} > 0"))
        self.wait_value("callbridged_keepalive_round_trip_seconds_count > bool 0", 1)

    def test_promtool(self) -> None:
        """promtool finds nothing wrong with what is exposed, compressed or not."""
        for daemon in ("xmppd", "callbridged"):
            _, body = self.at.get(daemon, "metrics")
            done = promtool("check", "metrics", typed=body.decode())
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""), daemon)
            headers = {"Accept-Encoding": "gzip"}
            packed = self.at.get(daemon, "metrics", **headers)[1]
            self.assertIn(b"process_cpu_seconds_total", gzip.decompress(packed))

    def test_renewed_certificate(self) -> None:
        """A renewed certificate of the metrics port is shown after a reload, to Prometheus too."""

        def shown() -> str:
            return ssl.get_server_certificate(("127.0.0.1", self.at.ports["xmppd"]))

        before = shown()
        self.at.site.ca.issue("metrics", ip=["127.0.0.1"])
        self.at.server.command("reload")
        self.assertNotEqual(shown(), before)
        name = "xmppd_config_last_reload_success_timestamp_seconds"
        self.wait_value(f"time() - {name} < bool 20", 1)
        self.wait_value('up{job="xmppd"}', 1)

    def test_dashboard(self) -> None:
        """Prometheus has an answer for all that the dashboard asks."""
        self.assertTrue(self.at.log_in())
        self.wait_value('xmppd_callbridges_serving{job="xmppd"}', 1)

        def unanswered() -> list[str]:
            return [
                one
                for one in dashboard_queries()
                if not self.prometheus.query(one) and not any(word in one for word in _EMPTY)
            ]

        wait_until(
            "all panels have data", lambda: not unanswered(), explain=lambda: str(unanswered())
        )

    def test_rules(self) -> None:
        """Prometheus takes all rules, and none of them fails."""
        wait_until(
            "the rules are looked at", lambda: {one["health"] for one in self.rules()} == {"ok"}
        )

    def rules(self) -> list[dict[str, str]]:
        [group] = self.prometheus.ask("rules")["groups"]
        return group["rules"]

    def test_callbridge_gone(self) -> None:
        """Logins go on while metrics are read each second; a Call Bridge that dies is an alert, and
        one that is back is none."""
        self.prometheus.wait_quiet()
        people = People(self.at)
        people.start()
        try:
            wait_until("people log in", lambda: len(people.seen) >= 10)
        finally:
            people.stop()
        self.assertEqual(set(people.seen), {True})
        self.assertEqual(self.at.get("xmppd", "readyz"), (200, b"Ready.\n"))
        self.at.bridge.kill()
        self.prometheus.wait_firing("CallbridgedDown", "XmppdNoCallBridge")
        status, why = self.at.get("xmppd", "readyz")
        self.assertEqual(status, 503)
        self.assertIn(b"No Call Bridge takes logins of example.com", why)
        self.assertEqual(self.at.get("xmppd", "healthz")[0], 200)
        self.at.bridge.start()
        self.prometheus.wait_quiet()
        self.assertTrue(self.at.log_in())

    def test_registration_refused(self) -> None:
        """A Call Bridge that is refused is an alert with step and reason, until it is let in."""
        self.prometheus.wait_quiet()
        self.at.server.command("callbridge", "del", "cb1")
        self.prometheus.wait_firing(
            "CallbridgedRegistrationRefused", "CallbridgedNoLink", "XmppdRefusesComponents"
        )
        failure = self.prometheus.query("callbridged_link_failure")
        self.assertIn("reason=host-unknown,step=register", str(failure))
        status, why = self.at.get("callbridged", "readyz")
        self.assertEqual((status, why[:35]), (503, b"No XMPP server has a link. `callbri"))
        self.at.site.enrol(self.at.bridge)
        self.at.bridge.wait_registered()
        self.prometheus.wait_quiet()
        self.assertEqual(self.at.get("callbridged", "readyz")[0], 200)
