"""aioxmpp's end-to-end tests."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from xml.etree import ElementTree

from tests.suites import place
from tests.suites.results import Result, report

#: Its libraries are Debian's (python3-aioxmpp): aioxmpp needs an older pyOpenSSL than today's.
PYTHON = "/usr/bin/python3"

FILES = [
    "tests/test_e2e.py",
    "tests/entitycaps/test_e2e.py",
    "tests/ping/test_e2e.py",
    "tests/presence/test_e2e.py",
    "tests/version/test_e2e.py",
]
_WITHOUT_SM = "it needs a server without stream management, and says so"
NOT_APPLICABLE = {
    "test_e2e.TestMisc.test_handle_id_less_IQ_request_gracefully": _WITHOUT_SM,
    "test_e2e.TestMisc.test_handle_malformed_iq_error_gracefully": _WITHOUT_SM,
}


def run(checkout: Path) -> int:
    """Run them in ``checkout``."""
    accounts = [(f"user{number}", f"password{number}") for number in range(1, 6)]
    site = place.make(accounts)
    try:
        site.start()
        settings = site.directory / "e2etest.ini"
        settings.write_text(
            "[global]\n"
            "provisioner=aioxmpp.e2etest.provision.StaticPasswordProvisioner\n"
            "timeout=10\n"
            "[aioxmpp.e2etest.provision.StaticPasswordProvisioner]\n"
            f"host={place.DOMAIN}\nport={place.STARTTLS}\naccounts={accounts!r}\n"
        )
        outcome = site.directory / "results.xml"
        subprocess.run(
            [
                *(PYTHON, "-m", "pytest", "-p", "aioxmpp.e2etest", "-p", "no:cacheprovider"),
                f"--rootdir={checkout}",
                *("--e2etest-config", str(settings), "--e2etest-only"),
                *("--junitxml", str(outcome), *FILES),
            ],
            cwd=checkout,
            env={
                **os.environ,
                "PYTHONPATH": str(checkout),
                "SSL_CERT_FILE": str(site.ca.certificate_path),
            },
            check=False,
        )
        return report(_read(outcome), NOT_APPLICABLE)
    finally:
        site.close()


def _read(outcome: Path) -> list[Result]:
    found = []
    for case in ElementTree.parse(outcome).iter("testcase"):
        name = f"{case.get('classname', '').removeprefix('tests.')}.{case.get('name')}"
        bad = next((child for child in case if child.tag in ("failure", "error")), None)
        skipped = case.find("skipped")
        if bad is not None:
            found.append(Result(name, "failed", bad.get("message", "")))
        elif skipped is not None:
            found.append(Result(name, "skipped", skipped.get("message", "")))
        else:
            found.append(Result(name, "passed"))
    return found
