"""``python -m benchmarks.watchers JSON``: who watches a pair, for ``benchmarks.watched``.

Reads words from standard input, and answers each with a line: ``on`` opens the live streams of the
web page, read as browsers read them, and has metrics scraped each second; ``off`` closes all of it.
The answer to ``off`` is JSON: events and bytes of the streams, scrapes and their bytes.
"""

from __future__ import annotations

import http.client
import json
import ssl
import sys
import threading
import time
import urllib.parse
from collections import Counter
from dataclasses import dataclass, field

#: What Prometheus says that it reads.
_ACCEPT = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)


@dataclass
class Watchers:
    """``scraped``: ports of metrics, without TLS. ``browsers``: how many follow the page."""

    admin: int
    name: str
    password: str
    authority: str
    scraped: list[int]
    browsers: int
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._tls = ssl.create_default_context(cafile=self.authority)
        self._tls.check_hostname = False
        self._off = threading.Event()
        self._threads: list[threading.Thread] = []
        self._cookies: list[str] = []

    def on(self) -> None:
        """Begin; each browser is signed in once, and follows anew."""
        while len(self._cookies) < self.browsers:
            self._cookies.append(self._sign_in())
        self._off.clear()
        self.counts.clear()
        self._threads = [threading.Thread(target=self._follow, args=(c,)) for c in self._cookies]
        self._threads += [threading.Thread(target=self._scrape, args=(p,)) for p in self.scraped]
        for thread in self._threads:
            thread.start()

    def off(self) -> None:
        """Close everything."""
        self._off.set()
        for thread in self._threads:
            thread.join()

    def _page(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("127.0.0.1", self.admin, timeout=20, context=self._tls)

    def _sign_in(self) -> str:
        page = self._page()
        form = urllib.parse.urlencode({"name": self.name, "password": self.password})
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        page.request("POST", "/sign-in", form, kind)
        answer = page.getresponse()
        answer.read()
        page.close()
        cookie = answer.getheader("Set-Cookie")
        if answer.status not in (302, 303) or cookie is None:
            raise SystemExit(f"sign-in: {answer.status}")
        return cookie.partition(";")[0]

    def _follow(self, cookie: str) -> None:
        page = self._page()
        page.request("GET", "/live", headers={"Cookie": cookie, "Accept": "text/event-stream"})
        stream = page.getresponse()
        if stream.status != 200:
            raise SystemExit(f"/live: {stream.status}")
        while not self._off.is_set():
            line = stream.readline()
            self.counts["bytes"] += len(line)
            self.counts["events"] += line.startswith(b"event:")
        page.close()

    def _scrape(self, port: int) -> None:
        headers = {"Accept": _ACCEPT, "Accept-Encoding": "gzip"}
        scraper = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        due = time.monotonic()
        while not self._off.wait(max(0.0, due - time.monotonic())):
            due += 1.0
            scraper.request("GET", "/metrics", headers=headers)
            self.counts["scraped bytes"] += len(scraper.getresponse().read())
            self.counts["scrapes"] += 1
        scraper.close()


if __name__ == "__main__":
    watchers = Watchers(**json.loads(sys.argv[1]))
    for word in sys.stdin:
        if word.strip() == "on":
            watchers.on()
            print("on", flush=True)
        else:
            watchers.off()
            print(json.dumps(watchers.counts), flush=True)
