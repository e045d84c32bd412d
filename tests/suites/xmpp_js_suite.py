"""xmpp.js's end-to-end tests: client, component, SASL2, stream management, see-other-host."""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
import subprocess
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.suites import place
from tests.suites.results import Result, report
from tests.suites.tunnel import Tunnel
from tests.support.site import Site

#: Its server/prosody.cfg.lua has them.
ACCOUNT = ("client", "foobar")
COMPONENT, SECRET, COMPONENT_PORT = "component", "mysecretcomponentpassword", 5347
PLAIN_WEBSOCKET = 5280
#: The tests meet a tunnel at the usual ports: xmpp.js begins to listen for an answer a moment after
#: it has written (its Connection.open), and misses one that comes as quickly as over loopback.
ABOVE = 10_000

_NO_SWITCH = "it wants one of SASL and SASL2 turned off, and both are always there"
NOT_APPLICABLE = {
    "client: statuses": (
        "it stops the client in the midst of a login with a token, which the client takes for an "
        "error; passes or fails by chance"
    ),
    "sasl: client online with sasl and resource binding": _NO_SWITCH,
    "sasl: client online with sasl2 and bind2": _NO_SWITCH,
    "sasl: client online with sasl2 and fast": (
        "xmpp.js since 7035cedc (after 0.14.0) writes the proof of a token as UTF-8, which makes "
        "another one of it; the test of 0.14.0 in tests/integration/clients passes"
    ),
}


class Control(ThreadingHTTPServer):
    """Starts and stops xmppd when the tests want it."""

    daemon_threads = True

    def __init__(self, site: Site, tunnels: Sequence[Tunnel]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._site = site
        self._tunnels = tunnels
        self._server = site.servers[0]
        self._lock = threading.Lock()

    def obey(self, order: str, number: str = "SIGTERM") -> None:
        """start, or stop or restart with a signal."""
        with self._lock:
            process = self._server.process
            if order != "start" and process.running:
                for tunnel in self._tunnels:
                    tunnel.close()
                process.signal(signal.Signals[number])
                process.wait()
            if order != "stop" and not process.running:
                place.restart(self._site, self._server)
                for tunnel in self._tunnels:
                    tunnel.open()


class _Handler(BaseHTTPRequestHandler):
    server: Control

    def do_POST(self) -> None:
        try:
            self.server.obey(*self.path.strip("/").split("/"))
        except Exception as error:  # noqa: BLE001  the test has to hear it, whatever it is
            self.send_response(500)
            self.end_headers()
            self.wfile.write(str(error).encode())
        else:
            self.send_response(200)
            self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody wants to know."""


def run(checkout: Path) -> int:
    """Run them in ``checkout``, where ``npm install`` was run."""
    site = place.make([ACCOUNT], above=ABOVE)
    server = site.servers[0]
    server.command("callbridge", "add-secret", COMPONENT, typed=SECRET + "\n")
    trusting = ssl.create_default_context(cafile=str(site.ca.certificate_path))
    showing = ssl.create_default_context(cafile=str(site.ca.certificate_path))
    showing.load_cert_chain(
        *map(str, site.ca.issue(COMPONENT, dns=[f"{COMPONENT}.{place.DOMAIN}"]))
    )
    components = (server.address, server.component_port)
    websockets = (server.address, place.WEBSOCKET + ABOVE)
    try:
        site.start()
        tunnels = [
            *(
                Tunnel(port, (server.address, port + ABOVE))
                for port in (place.STARTTLS, place.DIRECT_TLS, place.WEBSOCKET)
            ),
            Tunnel(COMPONENT_PORT, components, place.DOMAIN, showing),
            Tunnel(PLAIN_WEBSOCKET, websockets, place.DOMAIN, trusting),
        ]
        control = Control(site, tunnels)
        threading.Thread(target=control.serve_forever, daemon=True).start()
        with ExitStack() as dug:
            for tunnel in tunnels:
                dug.enter_context(tunnel)
            return report(_run(checkout, site, control.server_port), NOT_APPLICABLE)
    finally:
        site.close()


def _run(checkout: Path, site: Site, control_port: int) -> list[Result]:
    """All tests; and those that failed once more, each alone.

    Many of them leave a client behind, which then takes the restart before the next test for an
    error that belongs to that.
    """
    results = []
    for result in _jest(checkout, site, control_port):
        if result.outcome == "failed":
            file, _, name = result.name.partition(": ")
            pattern = f"^{re.escape(name)}$"
            again = _jest(checkout, site, control_port, f"test/{file}.test.js", "-t", pattern)
            if result.name in (one.name for one in again if one.outcome == "passed"):
                result = Result(result.name, "passed", "when alone")
        results.append(result)
    return results


def _jest(checkout: Path, site: Site, control_port: int, *which: str) -> list[Result]:
    here = Path(__file__).parent
    outcome = site.directory / "results.json"
    outcome.unlink(missing_ok=True)
    settings = site.directory / "jest.json"
    settings.write_text(
        json.dumps(
            {
                "rootDir": str(checkout),
                "testMatch": ["<rootDir>/test/*.test.js"],
                "setupFilesAfterEnv": ["jest-extended/all"],
                "testTimeout": 20_000,
                "moduleNameMapper": {r"^\.\./server/index\.js$": str(here / "xmpp_js_server.cjs")},
                "reporters": ["default", str(here / "xmpp_js_reporter.cjs")],
            }
        )
    )
    subprocess.run(
        [
            *("node", "node_modules/jest/bin/jest.js", "--config", str(settings)),
            *("--runInBand", "--forceExit", *which),
        ],
        cwd=checkout,
        env={
            **os.environ,
            "NODE_EXTRA_CA_CERTS": str(site.ca.certificate_path),
            "NODE_TLS_REJECT_UNAUTHORIZED": "0",  # as its own e2e script
            "SUITE_RESULTS": str(outcome),
            "SUITE_CONTROL": f"http://127.0.0.1:{control_port}",
        },
        check=False,
    )
    return [
        Result(
            f"{Path(test['file']).name.removesuffix('.test.js')}: {test['name']}",
            {"passed": "passed", "failed": "failed"}.get(test["status"], "skipped"),
            test["text"][:300],
        )
        for test in map(json.loads, outcome.read_text().splitlines())
    ]
