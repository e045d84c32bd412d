"""A page in headless Chromium as a driver. Arguments: PAGE, from the folder pages/, and OPTIONS.

``driver.py`` says what a driver is. The page is served as https://meet.example.com/, with the
certificate that PAGES_CERTIFICATE and PAGES_KEY name; below /node_modules/ it finds the libraries,
at /options.json its options, and what it posts to /event is printed. Chromium trusts the test's CA
as it trusts one that its user has imported, and all names of the domain lead to this machine.
"""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.chromium import FLAGS, trust

CLIENTS = Path(__file__).resolve().parents[1]
NODE_MODULES = CLIENTS.parent / "node" / "node_modules"
PAGES_HOST = "meet.example.com"


class Handler(SimpleHTTPRequestHandler):
    """Static files, the options, and the way back."""

    server: Pages

    def translate_path(self, path: str) -> str:
        path = path.split("?")[0].lstrip("/")
        folder = CLIENTS.parent / "node" if path.startswith("node_modules/") else CLIENTS / "pages"
        return str(folder / path)

    def do_GET(self) -> None:
        if self.path == "/options.json":
            self.answer(json.dumps(self.server.options).encode())
        else:
            super().do_GET()

    def do_POST(self) -> None:
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        last = event.pop("last")
        tell(json.dumps(event))
        self.answer(b"{}")
        if last:
            self.server.over.set()

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Only what the page says is of interest."""


class Pages(ThreadingHTTPServer):
    """The page's own HTTPS server."""

    daemon_threads = True

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.options = options
        self.over = threading.Event()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.environ["PAGES_CERTIFICATE"], os.environ["PAGES_KEY"])
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )


def tell(line: str) -> None:
    """Write a line in one piece: several threads do, and ``print`` writes its end by itself."""
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


def show(lines: Iterable[str]) -> None:
    """Print what Chromium says, but for its complaints that this is no desktop."""
    for line in lines:
        if "dbus" not in line:
            tell(line.rstrip("\n"))


def main(page: str, options: dict[str, Any]) -> None:
    pages = Pages(options)
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    home = Path(tempfile.mkdtemp(prefix="chromium-"))
    rules = [
        f"MAP {PAGES_HOST} 127.0.0.1:{pages.server_port}",
        f"MAP {options['host']} {options['address']}:{options['port']}",
        f"MAP {options['domain']} {options['address']}:{options['port']}",
        "MAP * ~NOTFOUND",
    ]
    chromium = None
    try:
        trust(home, options["authority"])
        chromium = subprocess.Popen(
            [
                "chromium",
                *FLAGS,
                f"--user-data-dir={home / 'profile'}",
                f"--host-resolver-rules={', '.join(rules)}",
                f"https://{PAGES_HOST}/{page}",
            ],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "HOME": str(home)},
        )
        threading.Thread(target=show, args=[chromium.stderr], daemon=True).start()
        while not pages.over.wait(0.1):
            if chromium.poll() is not None:
                raise SystemExit(f"Chromium ended by itself: {chromium.returncode}")
    finally:
        if chromium is not None:
            chromium.kill()
            chromium.wait()
        shutil.rmtree(home, ignore_errors=True)


main(sys.argv[1], json.loads(sys.argv[2]))
