"""Tests of xmppd.setup: what ``xmppctl setup`` and ``callbridge join`` make of a directory."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from twisted.trial.unittest import SynchronousTestCase

from bridgewire.join import JoinFile
from bridgewire.join_reading import load_join, parse
from tests.support.ca import CertificateAuthority
from xmppd.check import ctl as check
from xmppd.check import records
from xmppd.components.registry import Known, Registry
from xmppd.ctl import main
from xmppd.setup import run

ROOT = Path(__file__).resolve().parents[2]
COM = "example.com"
NAMES = ("--domain=example.com", "--hostname=xmpp1.example.com")
#: Settings that keep a server in its directory; the ports are never listened on.
PLACES = {
    "xmppd.state_directory": "state",
    "xmppd.control_socket": "control.sock",
    "tls.certificate": "tls/xmpp.crt",
    "tls.private_key": "tls/xmpp.key",
    "tls.callbridge_ca": "tls/ca.crt",
    "component.listen": "tcp:0:interface=127.0.0.1",
    "client.listen": "tcp:5222:interface=127.0.0.2",
    "client.direct_tls_listen": "tcp:443:interface=127.0.0.2",
}


class Terminal(io.StringIO):
    """Where a person types."""

    def isatty(self) -> bool:
        return True


class SetupCase(SynchronousTestCase):
    """Servers in directories of their own; join files are written beside them."""

    def setUp(self) -> None:
        # Not self.mktemp(): a socket's path has at most 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="setup-"))
        self.addCleanup(shutil.rmtree, self.directory)
        # What others do with their DNS and their ports is not looked at.
        self.patch(records, "records", lambda config, nameserver: iter(()))
        self.patch(check, "ports", lambda config, sockets, held: iter(()))
        self.edge = self.directory / "xmpp1"

    def run_ctl(self, *argv: str, typed: str | None = None, expect: int = 0) -> str:
        """Run xmppctl; ``typed``: at a terminal. Answers what it says, on either channel."""
        output = io.StringIO()
        self.patch(sys, "stdout", output)
        self.patch(sys, "stderr", output)
        self.patch(sys, "stdin", io.StringIO() if typed is None else Terminal(typed))
        status = main(argv)
        self.assertEqual(status, expect, output.getvalue())
        return output.getvalue()

    def setup_ctl(
        self, *options: str, edge: Path | None = None, expect: int = 0, **more: Any
    ) -> str:
        """``xmppctl setup`` for a server with an empty ini file to begin with."""
        place = edge or self.edge
        place.mkdir(exist_ok=True)
        new = [] if (place / "xmppd.ini").exists() else self.places()
        directory = f"--join-directory={self.directory}"
        return self.run_ctl(
            f"--config={place / 'xmppd.ini'}", "setup", directory, *options, *new,
            expect=expect, **more,
        )  # fmt: skip

    def places(self) -> list[str]:
        return [f"--set={key}={value}" for key, value in PLACES.items()]

    def files(self, edge: Path | None = None) -> dict[str, bytes]:
        """Every file but the journal of the registry."""
        place = edge or self.edge
        return {
            str(path.relative_to(place)): path.read_bytes()
            for path in place.rglob("*")
            if path.is_file() and "sqlite-" not in path.name
        }

    def registry(self, edge: Path | None = None) -> Registry:
        registry = Registry((edge or self.edge) / "state", COM)
        self.addCleanup(registry.close)
        return registry

    def join_file(self, name: str) -> JoinFile:
        return parse((self.directory / f"{name}.join").read_bytes())


class FirstServerTests(SetupCase):
    """From nothing to a server."""

    def test_everything(self) -> None:
        """An authority, a certificate, a Call Bridge, its join file, DNS records, a check."""
        said = self.setup_ctl(*NAMES, "--callbridge=cb1")
        modes = {
            name: stat.S_IMODE((self.edge / name).stat().st_mode)
            for name in ("ca", "ca/ca.key", "tls/ca.crt", "tls/xmpp.crt", "tls/xmpp.key")
        }
        self.assertEqual(list(modes.values()), [0o700, 0o600, 0o644, 0o644, 0o600])
        self.assertEqual(stat.S_IMODE((self.directory / "cb1.join").stat().st_mode), 0o600)
        self.assertIn("_xmpp-client._tcp.example.com.   SRV   10 10 5222 xmpp1.example.com.", said)
        self.assertIn("_xmpps-client._tcp.example.com.  SRV   10 10 443 xmpp1.example.com.", said)
        self.assertIn("xmpp1.example.com.               A     127.0.0.2", said)
        for line in ("SUCCESS  configuration", "cb1 may connect.", "the key fits"):
            self.assertIn(line, said)
        self.assertIn("Keep a copy off this host", " ".join(said.split()))
        self.assertIn("2. systemctl enable --now xmppd.socket xmppd", said)
        join = self.join_file("cb1")
        self.assertEqual((join.domain, join.hostname), (COM, "xmpp1.example.com"))
        known = self.registry().find(COM, "cb1")
        self.assertEqual(known, Known(join.callbridges[0].secret, join.expires))
        self.assertEqual(join.authorities, (self.edge / "tls/ca.crt").read_text())
        self.assertNotIn(join.callbridges[0].secret, said)

    def test_twice(self) -> None:
        """Once more, it changes nothing and says so, with the same options or with none."""
        self.setup_ctl(*NAMES, "--callbridge=cb1")
        before = self.files()
        for options in ((*NAMES, "--callbridge=cb1"), ()):
            self.assertIn("Nothing was changed", self.setup_ctl(*options))
            self.assertEqual(self.files(), before)

    def test_shipped_file(self) -> None:
        """In the shipped file the names of examples give way, and all else stays as it is."""
        self.edge.mkdir()
        shipped = (ROOT / "etc/xmppd/xmppd.ini").read_text()
        (self.edge / "xmppd.ini").write_text(shipped)
        names = ("--domain=example.net", "--hostname=xmpp1.example.net")
        self.setup_ctl(*names, *self.places(), expect=1)  # no Call Bridge is known yet
        text = (self.edge / "xmppd.ini").read_text()
        self.assertIn("\ndomain = example.net\n", text)
        self.assertEqual(
            [line for line in text.splitlines() if line.startswith("#")],
            [line for line in shipped.splitlines() if line.startswith("#")],
        )

    def test_what_was_set(self) -> None:
        """What an operator has set is not overwritten without --replace; all is told at once."""
        self.setup_ctl(*NAMES, "--callbridge=cb1")
        before = self.files()
        others = ("--domain=example.net", "--hostname=xmpp9.example.net")
        said = self.setup_ctl(*others, expect=1)
        self.assertIn("has [xmppd] domain = example.com, and it was to be example.net", said)
        self.assertIn("xmpp9.example.net", said)
        self.assertEqual(self.files(), before)

    def test_something_missing(self) -> None:
        """What nobody says, and what cannot be, is told before anything is changed."""
        self.assertIn("--domain and --hostname must be given", self.setup_ctl(expect=1))
        said = self.setup_ctl("--domain=a b", "--hostname=192.0.2.1", expect=1)
        for word in ("domain", "hostname"):
            self.assertIn(f"[xmppd] {word}", said)
        said = self.setup_ctl(*NAMES, "--callbridge=cb.1", expect=1)
        self.assertIn("has a dot in it", said)
        self.assertEqual(self.files(), {})

    def test_no_right(self) -> None:
        """Somebody who is not root is told in words."""

        def gather(*arguments: object) -> NoReturn:
            raise PermissionError(13, "Permission denied", "/etc/xmppd/tls/xmpp.key")

        self.patch(run, "gather", gather)
        said = self.setup_ctl(*NAMES, expect=1)
        self.assertIn("xmpp.key cannot be looked at: Permission denied. Run this as root.", said)

    def test_dry_run(self) -> None:
        """--dry-run says all that it would do."""
        said = self.setup_ctl(*NAMES, "--callbridge=cb1", "--dry-run")
        self.assertIn("change  ", said)
        self.assertEqual(self.files(), {})
        self.assertEqual(os.listdir(self.directory), ["xmpp1"])

    def test_json(self) -> None:
        """For programs, the same as JSON."""
        answer = json.loads(self.setup_ctl(*NAMES, "--callbridge=cb1", "--json"))
        self.assertEqual(answer["join_files"], [str(self.directory / "cb1.join")])
        self.assertEqual({one["changed"] for one in answer["changes"]}, {True})
        self.assertEqual(answer["check"][0]["result"], "SUCCESS")
        self.assertIn("systemctl enable --now xmppd.socket xmppd", answer["next"])

    def test_questions(self) -> None:
        """At a terminal it asks for what no option says, shows what it is about to do, and asks."""
        typed = "example.com\nxmpp1.example.com\n\nmake\n"
        said = self.setup_ctl(typed=typed + "no\n", expect=1)
        self.assertIn("nothing was changed", said)
        self.assertEqual(self.files(), {})
        self.setup_ctl(typed=typed + "\n")
        self.assertEqual(self.registry().names(COM), ["cb1"])
        # With all names known, there is nothing to ask, and nobody types anything.
        self.setup_ctl("--renew", typed="")

    def test_cut_off(self) -> None:
        """After a run that was cut off, the next one goes on."""
        self.setup_ctl(*NAMES, "--callbridge=cb1")
        key = (self.edge / "tls/xmpp.key").read_bytes()
        (self.edge / "tls/xmpp.crt").unlink()
        self.setup_ctl()
        self.assertEqual((self.edge / "tls/xmpp.key").read_bytes(), key)

    def test_renew(self) -> None:
        """--renew makes another certificate for the same key."""
        self.setup_ctl(*NAMES, "--callbridge=cb1")
        before = self.files()
        self.setup_ctl("--renew")
        after = self.files()
        self.assertEqual([name for name in after if after[name] != before[name]], ["tls/xmpp.crt"])


class OtherAuthorityTests(SetupCase):
    """Certificates from elsewhere."""

    def setUp(self) -> None:
        super().setUp()
        self.ca = CertificateAuthority(self.directory / "ca")

    def sign(self, expect_names: Sequence[str] = (COM, "xmpp1.example.com")) -> None:
        self.ca.issue("xmpp", dns=expect_names)
        for suffix in ("crt", "key"):
            source = self.directory / "ca" / f"xmpp.{suffix}"
            shutil.copy(source, self.edge / "tls" / source.name)

    def test_request(self) -> None:
        """--csr makes a key and a request, and says what to do; then the same once more."""
        said = self.setup_ctl(*NAMES, "--csr", "--callbridge=cb1", expect=1)
        self.assertIn("Let your authority sign", said)
        self.assertIn("tls/xmpp.csr", said)

    def test_authority(self) -> None:
        """--ca takes an authority over whose key is elsewhere; Call Bridges get no certificate."""
        self.setup_ctl(*NAMES, f"--ca={self.ca.certificate_path}", expect=1)
        self.assertEqual(sorted(self.files())[:1], ["tls/ca.crt"])
        self.sign()
        self.setup_ctl("--callbridge=cb1")
        join = self.join_file("cb1")
        self.assertEqual((join.certificate, join.private_key), ("", ""))
        self.assertEqual(join.authorities, self.ca.certificate_path.read_text())

    def test_public_certificate(self) -> None:
        """Who issued a server's certificate from elsewhere is in the join file, not our own."""
        self.setup_ctl(*NAMES, "--callbridge=cb1")
        self.sign()
        said = self.setup_ctl("--callbridge=cb2", expect=1)
        self.assertIn("neither in", said)
        defaults = type("Paths", (), {"cafile": str(self.ca.certificate_path)})
        self.patch(__import__("ssl"), "get_default_verify_paths", lambda: defaults)
        self.run_ctl(
            f"--config={self.edge}/xmppd.ini", "callbridge", "join", "cb2",
            f"--output={self.directory}/cb2.join",
        )  # fmt: skip
        join = self.join_file("cb2")
        self.assertEqual(join.authorities, self.ca.certificate_path.read_text())
        self.assertTrue(join.certificate)


class SecondServerTests(SetupCase):
    """A second server of the domain, by a join file that the first one makes."""

    def setUp(self) -> None:
        super().setUp()
        self.setup_ctl(*NAMES, "--callbridge=cb1")
        self.second = self.directory / "xmpp2"

    def join(self, *options: str, expect: int = 0) -> str:
        file = f"--join={self.directory}/xmpp2.example.com.join"
        return self.setup_ctl(file, *options, edge=self.second, expect=expect)

    def test_joins(self) -> None:
        """It has the same Call Bridges with the same secrets, and a certificate of its own."""
        self.setup_ctl("--server=xmpp2.example.com")
        said = self.join()
        self.assertIn("xmpp2.example.com.", said)
        self.assertFalse((self.directory / "xmpp2.example.com.join").exists())
        self.assertEqual(
            self.registry(self.second).find(COM, "cb1"), self.registry().find(COM, "cb1")
        )
        first, second = self.files(), self.files(self.second)
        self.assertEqual(second["tls/ca.crt"], first["tls/ca.crt"])
        self.assertNotIn("ca/ca.key", second)

    def test_again(self) -> None:
        """A join file that is there and good is kept; what the second server has stays."""
        self.setup_ctl("--server=xmpp2.example.com")
        before = (self.directory / "xmpp2.example.com.join").read_bytes()
        self.setup_ctl("--server=xmpp2.example.com")
        self.assertEqual((self.directory / "xmpp2.example.com.join").read_bytes(), before)

    def test_other_secret(self) -> None:
        """A Call Bridge that has another secret there is not changed without --replace."""
        self.setup_ctl("--server=xmpp2.example.com")
        self.registry(self.second).add_secret(COM, "cb1", "another")
        self.assertIn("would reach only one of the two", self.join(expect=1))
        self.assertEqual(self.registry(self.second).secret(COM, "cb1"), "another")
        self.join("--replace")
        secret = self.registry().secret(COM, "cb1")
        self.assertEqual(self.registry(self.second).secret(COM, "cb1"), secret)

    def test_wrong_file(self) -> None:
        """A Call Bridge's join file is not taken."""
        said = self.setup_ctl(f"--join={self.directory}/cb1.join", edge=self.second, expect=1)
        self.assertIn("callbridgectl setup --join FILE", said)
        self.assertTrue((self.directory / "cb1.join").exists())


class JoinTests(SetupCase):
    """``callbridge join``."""

    def setUp(self) -> None:
        super().setUp()
        self.setup_ctl(*NAMES, "--callbridge=cb1")
        self.first = self.join_file("cb1")

    def join(self, *options: str, expect: int = 0) -> str:
        return self.run_ctl(
            f"--config={self.edge}/xmppd.ini", "callbridge", "join", *options, expect=expect
        )

    def test_unused(self) -> None:
        """A secret that nobody has used gives way to a new one, and others must be told."""
        path = self.directory / "again.join"
        said = self.join("cb1", f"--output={path}", "--valid=1h")
        again = load_join(path, "callbridge", self.first.expires - 24 * 3600)
        self.assertNotEqual(again.callbridges, self.first.callbridges)
        self.assertIn("The secret in it is a new one", said)
        self.assertLess(again.expires, self.first.expires)
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)

    def test_list(self) -> None:
        """``list`` and ``check`` tell of a secret that waits for its first use, or is too late."""
        control = ("--config", f"{self.edge}/xmppd.ini")
        said = " ".join(self.run_ctl(*control, "callbridge", "list").split())
        self.assertIn("cb1: its join file is good until 20", said)
        self.assertIn("nobody has come with the secret yet.", said)
        self.registry().add_secret(COM, "cb1", "s3cret", expires=1000)
        said = " ".join(self.run_ctl(*control, "callbridge", "list").split())
        self.assertIn("cb1: its join file was good until 1970-01-01 00:16 UTC", said)
        self.assertIn("`xmppctl callbridge join cb1` makes another one", said)
        listed = json.loads(self.run_ctl(*control, "callbridge", "list", "--json"))
        self.assertEqual(listed[0]["expires"], "1970-01-01T00:16:40+00:00")
        said = " ".join(self.run_ctl(*control, "check").split())
        self.assertIn("cb1 may not connect: its join file was good until", said)

    def test_used(self) -> None:
        """A secret that was used stays; printed, the file is all that is said."""
        self.registry().take(COM, "cb1")
        again = parse(self.join("CB1", "--output=-").encode())
        self.assertEqual(again.callbridges, self.first.callbridges)
        self.assertNotEqual(again.certificate, self.first.certificate)

    def test_unknown(self) -> None:
        """For a name that nobody knows, the way to make it known."""
        self.assertIn("xmppctl setup --callbridge cb2", self.join("cb2", expect=1))

    def test_no_place(self) -> None:
        """Where the file cannot be written, that is said in words."""
        self.assertIn("cannot be written", self.join("cb1", "--output=/no/where", expect=1))
