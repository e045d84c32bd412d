"""The search of test_secrets.py finds what there is to find, wherever and however it is written."""

from __future__ import annotations

import base64
import html
import json
import os
import signal
import subprocess
from pathlib import Path
from urllib.parse import urlencode

from twisted.trial.unittest import SynchronousTestCase

from tests.support.marked_site import files_for_others, seen_in_proc
from tests.support.markers import Evidence, forms, marker


class SearchTests(SynchronousTestCase):
    """Planted leaks."""

    def test_forms(self) -> None:
        """A secret is found as it is, cut, encoded, and in the middle of something encoded."""
        for text in (marker(), "Ab3" * 10):
            evidence = Evidence()
            evidence.hide("it", text)
            for number, leak in enumerate(
                (
                    text,
                    text[:24],
                    repr(text),
                    json.dumps({"secret": text}),
                    html.escape(text),
                    urlencode({"secret": text}),
                    text.encode().hex(),
                    text.encode("utf-16-le").hex().replace("00", "").upper(),
                    *(
                        base64.b64encode(b"\0alice\0"[:n] + text.encode()).decode()
                        for n in range(4)
                    ),
                    base64.urlsafe_b64encode(b"?>" + text.encode()).decode(),
                    "".join(f"%{one:02X}" for one in text.encode()),
                    "".join(f"&#{one};" for one in text.encode()),
                )
            ):
                evidence.add(str(number), f"2026-11-25 info [leak] it is {leak}, of 17")
            self.assertEqual(evidence.where("it"), set(evidence.places()))
            self.assertEqual(len(evidence.found()), len(evidence.places()))

    def test_nothing_else(self) -> None:
        """What is no secret is not found."""
        evidence = Evidence()
        evidence.hide("it", marker())
        evidence.add("here", " ".join(form.decode("latin-1") for form in forms(marker().encode())))
        self.assertEqual(evidence.found(), [])

    def test_files(self) -> None:
        """Files that others may read are looked at, and those that they may not are left alone."""
        directory = Path(self.mktemp())
        directory.mkdir()
        for name, mode in (("group", 0o640), ("all", 0o604), ("nobody", 0o600), ("x.log", 0o600)):
            (directory / name).touch(mode)
            (directory / name).chmod(mode)
        found = {path.name for path, _ in files_for_others(directory)}
        self.assertEqual(found, {"group", "all", "x.log"})

    def test_processes(self) -> None:
        """Command lines and environments are seen, those of children as well."""
        evidence = Evidence()
        given, inherited = marker(), marker()
        evidence.hide("given", given)
        evidence.hide("inherited", inherited)
        process = subprocess.Popen(
            ["sh", "-c", "LEAK=$0 sh -c 'echo; kill -STOP $$' & wait", given],
            stdout=subprocess.PIPE,
            env={"PATH": os.defpath, "ALSO": inherited},
            start_new_session=True,
        )
        try:
            assert process.stdout
            process.stdout.readline()
            for place, seen in seen_in_proc(process.pid):
                evidence.add(place, seen)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        self.assertEqual(evidence.where("inherited"), {"environ", "environ of a child"})
        self.assertEqual(evidence.where("given"), {"cmdline", "environ of a child"})
