"""strophe.js as it is shipped, and as npm has it."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.page.case import NODE
from xmppd.web.sign_in import page_files


class LibraryTests(SynchronousTestCase):
    """The files in page/vendor/."""

    def test_byte_for_byte(self) -> None:
        """They are those of the package that is pinned, of the version that the manifest names."""
        vendor = page_files() / "vendor"
        manifest = json.loads((vendor / "manifest.json").read_text())
        pinned = json.loads((NODE / "package.json").read_text())["dependencies"]
        package = NODE / "node_modules" / manifest["package"]
        installed = json.loads((package / "package.json").read_text())
        self.assertEqual(manifest["version"], pinned[manifest["package"]])
        self.assertEqual(manifest["version"], installed["version"])
        self.assertEqual(manifest["license"], installed["license"])
        for name, one in manifest["files"].items():
            same = (vendor / name).read_bytes() == (package / one["from"]).read_bytes()
            self.assertTrue(same, f"{name} is not {one['from']} of {manifest['package']}")
