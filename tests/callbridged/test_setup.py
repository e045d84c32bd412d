"""Tests of callbridged.setup: what ``callbridgectl setup`` makes of a directory."""

from __future__ import annotations

import io
import json
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dns.resolver
from twisted.trial.unittest import SynchronousTestCase

from bridgewire.join import JoinFile, Member
from bridgewire.steps import Reason, Step, StepFailure
from callbridged.check.report import Outcome, Report, Walk
from callbridged.config import Config, load
from callbridged.ctl import main
from callbridged.links.dns import Answer
from callbridged.overlay import Overlay
from callbridged.setup import run, server
from tests.support.ca import CertificateAuthority

SECRET = "s3cret-of-cb1"
#: Settings that keep a Call Bridge in its directory.
PLACES = {
    "callbridge.secret_file": "secret",
    "callbridge.state_directory": "state",
    "callbridge.control_socket": "control.sock",
    "tls.certificate": "tls/callbridge.crt",
    "tls.private_key": "tls/callbridge.key",
    "tls.xmpp_ca": "tls/ca.crt",
}


class Terminal(io.StringIO):
    """Where a person types."""

    def isatty(self) -> bool:
        return True


class SetupTests(SynchronousTestCase):
    """A Call Bridge in a directory, with a DNS and a check that are functions."""

    def setUp(self) -> None:
        # Not self.mktemp(): a socket's path has at most 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="setup-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.inside = self.directory / "inside"
        self.inside.mkdir()
        self.ca = CertificateAuthority(self.directory / "ca")
        self.file = self.write_join()
        self.checked: list[tuple[Config, str | None, str]] = []
        self.failure: StepFailure | None = None
        self.record = True
        self.patch(run, "run_check", self.check)
        self.patch(server, "lookup", self.lookup)

    def write_join(self, *, end: float = 3600, certificate: bool = True) -> Path:
        paths = self.ca.issue("cb1", dns=["cb1.example.com"])
        pem = [path.read_text() for path in paths] if certificate else []
        join = JoinFile(
            "callbridge", "example.com", "xmpp1.example.com", 5223, int(time.time() + end),
            (Member("cb1", SECRET),), self.ca.certificate_path.read_text(), *pem,
        )  # fmt: skip
        path = self.directory / "cb1.join"
        path.write_text(join.text(["A join file."]))
        return path

    def check(self, config: Config, trace: object, user: str | None, password: str) -> Report:
        self.checked.append((config, user, password))
        outcomes = [Outcome.failed(self.failure)] if self.failure else []
        return Report("cb1", "example.com", Walk("example.com", outcomes))

    def lookup(self, nameservers: Sequence[Any], name: str, kind: str, timeout: float) -> Answer:
        self.assertEqual((name, kind), ("_xmpp-component._tcp.example.com", "SRV"))
        if not self.record:
            raise dns.resolver.NXDOMAIN
        return Answer((), 0)

    def setup_ctl(
        self, *options: str, typed: str = "", expect: int = 0, terminal: bool = False
    ) -> str:
        """``callbridgectl setup``; answers what it says, on either channel."""
        output = io.StringIO()
        self.patch(sys, "stdout", output)
        self.patch(sys, "stderr", output)
        self.patch(sys, "stdin", (Terminal if terminal else io.StringIO)(typed))
        new = [] if self.ini.exists() else [f"--set={key}={PLACES[key]}" for key in PLACES]
        new += [f"--set=users.backend=file:{self.inside}/users"] if new else []
        status = main([f"--config={self.ini}", "setup", *options, *new])
        self.assertEqual(status, expect, output.getvalue())
        return output.getvalue()

    @property
    def ini(self) -> Path:
        return self.inside / "callbridged.ini"

    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.inside)): path.read_bytes()
            for path in self.inside.rglob("*")
            if path.is_file()
        }

    def test_join(self) -> None:
        """A join file brings names, secret and certificates; a user is added; all is checked."""
        said = self.setup_ctl(f"--join={self.file}", "--user=alice", typed="wonderland\n")
        self.assertFalse(self.file.exists())
        modes = {
            name: stat.S_IMODE((self.inside / name).stat().st_mode)
            for name in ("secret", "tls/callbridge.key", "users", "tls/ca.crt")
        }
        self.assertEqual(list(modes.values()), [0o600, 0o600, 0o600, 0o644])
        [(config, user, password)] = self.checked
        self.assertEqual((config.callbridge.name, config.callbridge.domain), ("cb1", "example.com"))
        self.assertEqual(config.callbridge.secret, SECRET)
        self.assertEqual((user, password), ("alice", "wonderland"))
        self.assertIs(config.callbridge.server_address, None)
        self.assertIn("1. systemctl enable --now callbridged", said)
        self.assertNotIn(SECRET, said)
        self.assertNotIn("wonderland", said)

    def test_twice(self) -> None:
        """Once more, without the file, it changes nothing, says so, and checks again."""
        self.setup_ctl(f"--join={self.file}", "--user=alice", typed="wonderland\n")
        before = self.files()
        said = self.setup_ctl("--user=alice")
        self.assertIn("Nothing was changed", said)
        self.assertEqual(self.files(), before)
        self.assertEqual([user for _, user, _ in self.checked], ["alice", None])

    def test_expired(self) -> None:
        """A join file that has expired is refused, and stays for whoever looks for it."""
        said = self.setup_ctl(f"--join={self.write_join(end=-1)}", expect=1)
        self.assertIn("xmppctl callbridge join cb1", said)
        self.assertEqual(self.files(), {})
        self.assertTrue(self.file.exists())

    def test_no_record(self) -> None:
        """While the DNS does not say where the server is, the join file does."""
        self.record = False
        said = self.setup_ctl(f"--join={self.file}")
        self.assertIn("There is no SRV record _xmpp-component._tcp.example.com yet", said)
        config = load(self.ini)
        self.assertEqual(str(config.callbridge.server_address), "xmpp1.example.com:5223")

    def test_server_address(self) -> None:
        """--server-address counts more than both."""
        self.record = False
        self.setup_ctl(f"--join={self.file}", "--server-address=192.0.2.7")
        self.assertEqual(str(load(self.ini).callbridge.server_address), "192.0.2.7")

    def test_server_does_not_run(self) -> None:
        """A server that does not run yet is a failure of the check, not of the set-up."""
        self.failure = StepFailure(Step.CONNECT, Reason.CONNECT_REFUSED, "No connection.")
        said = self.setup_ctl(f"--join={self.file}", expect=1)
        self.assertIn("The set-up is written.", said)
        self.assertFalse(self.file.exists())

    def test_new_certificate(self) -> None:
        """A later join file changes nothing without --replace, and with it the certificate."""
        self.setup_ctl(f"--join={self.file}")
        before = self.files()
        self.write_join()
        said = self.setup_ctl(f"--join={self.file}", expect=1)
        self.assertIn("callbridge.key is there already", said)
        self.assertIn("callbridge.crt is there already", said)
        self.assertEqual(self.files(), before)
        self.setup_ctl(f"--join={self.file}", "--replace")
        after = self.files()
        self.assertEqual(
            sorted(name for name in after if after[name] != before[name]),
            ["tls/callbridge.crt", "tls/callbridge.key"],
        )

    def test_empty_secret_file(self) -> None:
        """The empty file that a package makes for the secret is filled, and keeps its mode."""
        (self.inside / "secret").touch(mode=0o640)
        self.setup_ctl(f"--join={self.file}")
        self.assertEqual((self.inside / "secret").read_text(), f"{SECRET}\n")
        self.assertEqual(stat.S_IMODE((self.inside / "secret").stat().st_mode), 0o640)

    def test_secret_in_the_ini_file(self) -> None:
        """A secret that stands in the ini file is not followed by another one elsewhere."""
        self.ini.write_text("[callbridge]\nname = cb1\nsecret = another\n")
        said = self.setup_ctl(
            f"--join={self.file}", *(f"--set={key}={PLACES[key]}" for key in PLACES
            if key != "callbridge.secret_file"), expect=1,
        )  # fmt: skip
        self.assertIn("has another secret in it. Take it out", said)

    def overlay(self, **values: str) -> Path:
        """Let these be set on the web page."""
        overlay = Overlay(self.inside / "state" / "overlay.ini").with_values(values)
        overlay.path.parent.mkdir(exist_ok=True)
        overlay.write()
        return overlay.path

    def test_set_on_the_page(self) -> None:
        """What the page has set as it is wished stays there, and the ini file as it is."""
        self.setup_ctl(f"--join={self.file}")
        self.overlay(name="cb1", domain="example.com", secret=SECRET)
        self.ini.write_text(self.ini.read_text().replace("name = cb1", "name = cb0"))
        (self.inside / "secret").write_text("another\n")
        before = self.files()
        self.setup_ctl()
        self.setup_ctl(f"--join={self.write_join()}", "--replace")
        before = {**before, "tls/callbridge.crt": b"", "tls/callbridge.key": b""}
        after = {**self.files(), "tls/callbridge.crt": b"", "tls/callbridge.key": b""}
        self.assertEqual(after, before)

    def test_set_otherwise_on_the_page(self) -> None:
        """What the page has set otherwise is in the way; all of it is told, and no secret."""
        self.setup_ctl(f"--join={self.file}")
        path = self.overlay(name="cb2", secret="swordfish")
        before = self.files()
        said = self.setup_ctl(f"--join={self.write_join()}", expect=1)
        for words in (
            f"{path} has [callbridge] name = cb2, set on the web page",
            "callbridgectl config reset name takes it out, or add --replace",
            f"{path} has another secret, set on the web page",
        ):
            self.assertIn(words, said)
        self.assertNotIn("swordfish", said)
        self.assertEqual(self.files(), before)

    def test_replace_on_the_page(self) -> None:
        """With --replace it gives way, and so it does to an address that is asked for."""
        self.setup_ctl(f"--join={self.file}")
        path = self.overlay(
            name="cb2", domain="example.net", secret="swordfish", server_address="192.0.2.7"
        )
        said = self.setup_ctl("--server-address=192.0.2.8", "--name=cb2", "--domain=example.net")
        self.assertIn("sets server_address no longer", " ".join(said.split()))
        config, _, _ = self.checked[-1]
        self.assertEqual(str(config.callbridge.server_address), "192.0.2.8")
        self.setup_ctl(f"--join={self.write_join()}", "--replace")
        self.assertFalse(path.exists())
        config, _, _ = self.checked[-1]
        self.assertEqual((config.callbridge.name, config.callbridge.domain), ("cb1", "example.com"))
        self.assertEqual(config.callbridge.secret, SECRET)

    def test_damaged_overlay(self) -> None:
        """An overlay that was damaged by hand is told."""
        self.setup_ctl(f"--join={self.file}")
        self.overlay(name="cb1").write_text("[callbridge]\nnames = cb1\n")
        self.assertIn("overlay.ini cannot be used", self.setup_ctl(expect=1))

    def test_without_certificate(self) -> None:
        """Where the join file has no certificate, a request is made, and nothing checked yet."""
        said = self.setup_ctl(f"--join={self.write_join(certificate=False)}", expect=1)
        self.assertIn("Let your authority sign", said)
        self.assertEqual(self.checked, [])
        for suffix in ("crt", "key"):
            source = self.directory / "ca" / f"cb1.{suffix}"
            shutil.copy(source, self.inside / "tls" / f"callbridge.{suffix}")
        self.setup_ctl()
        self.assertEqual(len(self.checked), 1)

    def test_without_join_file(self) -> None:
        """Names are options or questions, the secret is typed, the authority is a file."""
        options = ("--domain=example.com", "--name=cb1", f"--ca={self.ca.certificate_path}")
        self.setup_ctl(*options, typed=f"{SECRET}\n", expect=1)
        self.assertEqual((self.inside / "secret").read_text(), f"{SECRET}\n")
        self.assertIn("tls/callbridge.csr", self.files())
        said = self.setup_ctl("--yes", expect=1)
        self.assertIn("Nothing was changed", said)

    def test_something_missing(self) -> None:
        """Without anything it says what it needs."""
        self.assertIn("or --join FILE", self.setup_ctl(expect=1))
        self.assertEqual(self.files(), {})

    def test_both_from_standard_input(self) -> None:
        """A join file and a password cannot both come from standard input."""
        said = self.setup_ctl("--join=-", "--user=alice", expect=1)
        self.assertIn("callbridgectl user add alice", said)

    def test_dry_run(self) -> None:
        """--dry-run says all that it would do, and asks for no password."""
        said = self.setup_ctl(f"--join={self.file}", "--user=alice", "--dry-run")
        self.assertIn("alice may log in", said)
        self.assertEqual((self.files(), self.checked), ({}, []))
        self.assertTrue(self.file.exists())

    def test_json(self) -> None:
        """For programs, the same as JSON."""
        answer = json.loads(self.setup_ctl(f"--join={self.file}", "--json"))
        self.assertIs(answer["check"]["ok"], True)
        self.assertEqual({one["changed"] for one in answer["changes"]}, {True})
        self.assertNotIn(SECRET, json.dumps(answer))
