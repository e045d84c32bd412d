"""``python -m tests.suites aioxmpp|slixmpp|xmpp.js|newer FOLDER``: see README.md."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.suites import aioxmpp_suite, newer_suite, slixmpp_suite, xmpp_js_suite

SUITES = {
    "aioxmpp": aioxmpp_suite.run,
    "slixmpp": slixmpp_suite.run,
    "xmpp.js": xmpp_js_suite.run,
    "newer": newer_suite.run,
}

parser = argparse.ArgumentParser(prog="python -m tests.suites", description=__doc__)
parser.add_argument("suite", choices=SUITES)
parser.add_argument("folder", type=Path, help="the project's source tree, or unpacked packages")
chosen = parser.parse_args()
sys.exit(SUITES[chosen.suite](chosen.folder.resolve()))
