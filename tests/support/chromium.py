"""A headless Chromium, driven by its DevTools protocol, that trusts the test's authority."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

from tests.support.processes import Process
from tests.support.waiting import DEADLINE, wait_until

FLAGS = [
    "--headless",
    "--no-sandbox",  # it has none for root; it sees nothing but the pages of these tests
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--enable-logging=stderr",
]

#: What a key is called, and what it types; see `Page.press`.
_KEYS = {
    "Enter": (13, "\r"),
    "Tab": (9, ""),
    "Delete": (46, ""),
    "ArrowDown": (40, ""),
    "ArrowRight": (39, ""),
    " ": (32, " "),
    "a": (65, "a"),
}
_SHIFT, _CONTROL = 8, 2


def trust(home: Path, authority: Path | str) -> None:
    """Import the CA where Chromium looks for what the user whose home this is has imported."""
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    certutil = ["certutil", "-d", f"sql:{database}"]
    subprocess.run([*certutil, "-N", "--empty-password"], check=True)
    subprocess.run([*certutil, "-A", "-n", "test", "-t", "C,,", "-i", str(authority)], check=True)


class Chromium(Process):
    """One browser, with ``directory`` for what it keeps.

    ``rules``: where names are, as ``--host-resolver-rules`` has it; no others are looked up.
    """

    def __init__(
        self, directory: Path, authority: Path, rules: Iterable[str], flags: Sequence[str] = ()
    ) -> None:
        directory.mkdir()
        self._authority = authority
        self._home = directory
        resolver = ", ".join([*rules, "MAP * ~NOTFOUND", "EXCLUDE 127.0.0.1"])
        super().__init__(
            "chromium",
            [
                "chromium",
                *FLAGS,
                *flags,
                "--remote-debugging-port=0",
                f"--user-data-dir={directory / 'profile'}",
                f"--host-resolver-rules={resolver}",
            ],
            directory / "log",
            environment={**os.environ, "HOME": str(directory)},
        )

    def start(self) -> None:
        """Start, and connect to it."""
        trust(self._home, self._authority)
        super().start()
        url = self.wait_for(r"DevTools listening on (ws://\S+)")[1]
        self._connection = connect(url, max_size=None, ping_interval=None)
        self._pages: dict[str, Page] = {}
        self._last = 0

    def page(self, languages: str = "en") -> Page:
        """Open an empty page, with storage of its own. ``languages``: what its user prefers."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)
        attached = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        page = Page(self, attached["sessionId"], target["targetId"])
        self._pages[attached["sessionId"]] = page
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        agent = page.evaluate("navigator.userAgent")
        page.call("Emulation.setUserAgentOverride", userAgent=agent, acceptLanguage=languages)
        return page

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Send a command and answer its result; what happens meanwhile is kept by the pages."""
        self._last += 1
        wanted = self._last
        message = {"id": wanted, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        self._connection.send(json.dumps(message))
        while (came := self._receive()).get("id") != wanted:
            pass
        if "error" in came:
            raise AssertionError(f"{method}: {came['error']}")
        result: dict[str, Any] = came["result"]
        return result

    def listen(self, enough: Callable[[], bool]) -> None:
        """Take what happens, until it is enough."""
        while not enough():
            self._receive()

    def _receive(self) -> dict[str, Any]:
        """The next message; one that is an event is kept by its page."""
        came: dict[str, Any] = json.loads(self._connection.recv(timeout=DEADLINE))
        page = self._pages.get(came.get("sessionId", ""))
        if page is not None and "id" not in came:
            page.happened.append(came)
        return came


class Page:
    """One tab. ``happened``: the events that came, as DevTools has them."""

    def __init__(self, browser: Chromium, session: str, target: str) -> None:
        self._browser = browser
        self._session = session
        self._target = target
        self.happened: list[dict[str, Any]] = []

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command to this page."""
        return self._browser.call(method, self._session, **parameters)

    def close(self) -> None:
        self._browser.call("Target.closeTarget", targetId=self._target)

    def events(self, method: str) -> list[dict[str, Any]]:
        """The parameters of all events of this kind so far."""
        return [one["params"] for one in self.happened if one.get("method") == method]

    def goto(self, url: str) -> None:
        """Load a page, and wait until all of it is there."""
        self._load("Page.navigate", url=url)

    def reload(self) -> None:
        """Load it once more."""
        self._load("Page.reload")

    def _load(self, method: str, **parameters: str) -> None:
        mark = len(self.events("Page.loadEventFired"))
        answer = self.call(method, **parameters)
        assert not answer.get("errorText"), f"{parameters}: {answer}"
        self._browser.listen(lambda: len(self.events("Page.loadEventFired")) > mark)

    def evaluate(self, expression: str) -> Any:
        """Answer what a JavaScript expression is, or what its promise comes to, as JSON has it."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            raise AssertionError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait(self, expression: str, deadline: float = DEADLINE) -> Any:
        """Wait until an expression is true, and answer it."""
        return wait_until(expression, lambda: self.evaluate(expression), deadline, self.explain)

    def explain(self) -> str:
        """What the page shows, and what it complained about, for a failed test to tell."""
        return f"{self.evaluate('document.body.innerText')}\n{self.complaints()}"

    def complaints(self) -> list[str]:
        """Uncaught exceptions, and what the browser itself says of errors, such as CSP's."""
        uncaught = [one["exceptionDetails"] for one in self.events("Runtime.exceptionThrown")]
        return [
            *(str(one.get("exception", one)) for one in uncaught),
            *(
                f"{one['entry']['source']}: {one['entry']['text']}"
                for one in self.events("Log.entryAdded")
                if one["entry"]["level"] in ("error", "warning")
            ),
        ]

    def click(self, selector: str) -> None:
        """Click in the middle of an element, as a mouse does."""
        place = self.evaluate(
            f"(() => {{ const found = document.querySelector({json.dumps(selector)});"
            "found.scrollIntoView({block: 'center'}); const box = found.getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call(
                "Input.dispatchMouseEvent",
                type=kind, x=place[0], y=place[1], button="left", clickCount=1,
            )  # fmt: skip

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self.call("Input.insertText", text=text)

    def press(self, key: str, *, shift: bool = False, control: bool = False) -> None:
        """Press one of the keys that `_KEYS` knows."""
        code, text = _KEYS[key]
        common = {
            "key": key,
            "code": {" ": "Space", "a": "KeyA"}.get(key, key),
            "windowsVirtualKeyCode": code,
            "modifiers": _SHIFT * shift | _CONTROL * control,
        }
        if text and not control:
            common["text"] = text
        self.call("Input.dispatchKeyEvent", type="keyDown", **common)
        common.pop("text", None)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def look_like(self, width: int, height: int, *, dark: bool = False) -> None:
        """Take this size, and prefer this colour scheme, without transitions from what it was."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        scheme = "dark" if dark else "light"
        wanted = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in wanted.items()]
        self.call("Emulation.setEmulatedMedia", features=features)

    def screenshot(self, path: Path) -> None:
        """Write a PNG of what a user sees."""
        answer = self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(answer["data"]))

    def memory(self) -> str:
        """All that the page's scripts hold, as a heap snapshot in JSON; garbage is collected."""
        self.call("HeapProfiler.enable")
        mark = len(self.happened)
        self.call("HeapProfiler.takeHeapSnapshot", reportProgress=False)
        return "".join(
            one["params"]["chunk"]
            for one in self.happened[mark:]
            if one.get("method") == "HeapProfiler.addHeapSnapshotChunk"
        )
