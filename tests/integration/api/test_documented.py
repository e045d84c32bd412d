"""docs/api.md, executed: every command as it stands there, against a real daemon."""

from __future__ import annotations

import os
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from callbridged.config import load
from tests.integration.api.case import ACCOUNTS, VIEWER, ApiSite
from tests.support.markdown import Code, Page
from tests.support.processes import BIN, ROOT

PAGE = Page(ROOT / "docs" / "api.md")
#: What stands in front of each block: callbridgectl, as if somebody typed the passwords.
PRELUDE = """\
set -euo pipefail
callbridgectl() {{
    case "$*" in *carol*) word={carol!r};; *) word={viewer!r};; esac
    {bin}/callbridgectl --config {ini} "$@" <<< "$word"
}}
"""


def blocks() -> list[tuple[str, Code | None]]:
    """Commands, each with the block that says what is printed, if the next one does."""
    code = [*PAGE.code, Code("", "", "")]
    return [
        (one.text, after if after.language in ("xml", "json", "text") else None)
        for one, after in pairwise(code)
        if one.language == "sh"
    ]


class DocumentedTests(SynchronousTestCase):
    """The whole page, from top to bottom, as one reader would try it."""

    def setUp(self) -> None:
        self.site = ApiSite(accounts={})
        self.addCleanup(self.site.close)
        self.site.start()
        self.home = Path(self.mktemp())
        self.home.mkdir()
        shutil.copy(self.site.ca.certificate_path, self.home / "ca.crt")
        # The name in the page is nobody's here.
        to = f"cb1.example.com:8443:127.0.0.1:{self.site.port}"
        (self.home / ".curlrc").write_text(f'connect-to = "{to}"\n')

    def run_block(self, text: str) -> str:
        prelude = PRELUDE.format(
            bin=BIN,
            ini=self.site.callbridge.ini,
            carol=ACCOUNTS["carol"],
            viewer=ACCOUNTS[VIEWER],
        )
        done = subprocess.run(
            ["bash", "-c", prelude + text],
            cwd=self.home,
            env={**os.environ, "CURL_HOME": str(self.home.absolute())},
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""), f"{text}\n{done.stdout}")
        return done.stdout

    def test_every_command(self) -> None:
        """Each command succeeds, and prints what the page says that it does."""
        for text, printed in blocks():
            said = self.run_block(text)
            if printed is not None:
                self.assertEqual(said.strip(), printed.text, text)
        log = self.site.callbridge.process.text()
        self.assertIn("carol from 127.0.0.1 has changed /users/bob", log)
        self.assertRegex(self.run_block("callbridgectl admin list"), f"{VIEWER} +viewer")

    def test_settings(self) -> None:
        """The settings on the page can be used."""
        (ini,) = [one.text for one in PAGE.code if one.language == "ini"]
        whole = self.site.callbridge.ini.read_text().split("[admin]")[0] + ini
        config = load(self.site.callbridge.ini, text=whole)
        self.assertEqual(config.admin.listen, ("tcp:8443:interface=192.0.2.20",))
