"""Tests of the pages that Prometheus and others ask for."""

from __future__ import annotations

import gzip
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Counter
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from daemonkit.metrics.exposition import OPENMETRICS, PLAIN, expose
from daemonkit.metrics.pages import MAX_PER_ADDRESS, make_site
from daemonkit.metrics.series import new_registry
from tests.support.exposed import families
from tests.support.http import HttpClient

#: What Prometheus 2.42 and 3.5 send.
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;"
    "escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)


def parts(answer: bytes) -> tuple[str, dict[str, str], bytes]:
    """Status, headers and body of an answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return status.split(" ", 1)[1], headers, body


class PagesCase(SynchronousTestCase):
    """A daemon with one counter, that is of use unless a test says why not."""

    def setUp(self) -> None:
        self.registry = new_registry()
        self.counter = Counter("teapots", "Teapots.", ("kind",), registry=self.registry)
        self.counter.labels("short").inc(3)
        self.reasons: Sequence[str] = ()
        self.site = make_site(Clock(), self.registry, lambda: self.reasons)

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[str, dict, bytes]:
        channel = self.site.accept("192.0.2.7")
        assert channel is not None
        client = HttpClient(channel)
        answer = parts(client.ask(path, method, **headers))
        client.lose()
        return answer


class MetricsTests(PagesCase):
    """``/metrics``."""

    def test_plain(self) -> None:
        """Who does not say what it reads gets the text format, with one series for a counter."""
        status, headers, body = self.get("/metrics")
        self.assertEqual((status, headers["content-type"]), ("200 OK", PLAIN.lower()))
        [sample] = families(body)["teapots"].samples
        self.assertEqual((sample.name, sample.value), ("teapots_total", 3.0))
        self.assertNotIn(b"_created", body)

    def test_openmetrics(self) -> None:
        """Prometheus gets OpenMetrics, since it asks for that."""
        for accept in (PROMETHEUS_2, PROMETHEUS_3):
            _, headers, body = self.get("/metrics", accept=accept)
            self.assertEqual(headers["content-type"], OPENMETRICS.lower())
            [family] = text_string_to_metric_families(body.decode())
            self.assertEqual(family.name, "teapots")
            self.assertTrue(body.endswith(b"# EOF\n"))

    def test_gzip(self) -> None:
        """It is compressed where that is asked for, and only there."""
        _, headers, body = self.get("/metrics", accept_encoding="br, gzip;q=0.8")
        self.assertEqual(headers["content-encoding"], "gzip")
        self.assertEqual(gzip.decompress(body), self.get("/metrics")[2])
        self.assertNotIn("content-encoding", self.get("/metrics", accept_encoding="br")[1])

    def test_not_kept(self) -> None:
        """No cache may answer in our place, or mix formats up."""
        headers = self.get("/metrics")[1]
        self.assertEqual(headers["cache-control"], "no-store")
        self.assertEqual(headers["vary"], "accept, accept-encoding")

    def test_head(self) -> None:
        """HEAD has the length, and no body."""
        _, headers, body = self.get("/metrics", method="HEAD")
        self.assertEqual(body, b"")
        self.assertGreater(int(headers["content-length"]), 50)

    @given(st.text(max_size=80), st.text(max_size=40))
    def test_any_header(self, accept: str, encoding: str) -> None:
        """Whatever a peer says that it reads, there is an answer in one of the two formats."""
        for versions in ("", f"application/openmetrics-text;version={accept}, "):
            found = expose(self.registry, versions + accept, encoding)
            self.assertIn(found.content_type, (PLAIN, OPENMETRICS))


class HealthTests(PagesCase):
    """``/healthz`` and ``/readyz``, and what is not there."""

    def test_alive(self) -> None:
        """A reactor that answers is alive, of use or not."""
        self.reasons = ("No Call Bridge.",)
        self.assertEqual(self.get("/healthz")[::2], ("200 OK", b"It lives.\n"))

    def test_ready(self) -> None:
        """It is of use, or says in words why not, each time anew."""
        self.assertEqual(self.get("/readyz")[::2], ("200 OK", b"Ready.\n"))
        self.reasons = ("No link.", "No backend.")
        status, headers, body = self.get("/readyz")
        self.assertEqual((status, body), ("503 Service Unavailable", b"No link.\nNo backend.\n"))
        self.assertEqual(headers["cache-control"], "no-store")
        self.reasons = ()
        self.assertEqual(self.get("/readyz")[0], "200 OK")

    def test_other_pages(self) -> None:
        """There is nothing else, and nothing can be sent to it."""
        for path in ("/", "/metrics/x", "/debug"):
            self.assertEqual(self.get(path)[0], "404 Not Found", path)
        for method in ("POST", "PUT", "DELETE"):
            self.assertEqual(self.get("/metrics", method=method)[0], "405 Method Not Allowed")

    def test_crowd(self) -> None:
        """No address takes all connections."""
        held = [self.site.accept("192.0.2.7") for _ in range(MAX_PER_ADDRESS)]
        self.assertIsNone(self.site.accept("192.0.2.7"))
        self.assertIsNotNone(self.site.accept("192.0.2.8"))
        self.assertNotIn(None, held)
        self.flushLoggedErrors()
