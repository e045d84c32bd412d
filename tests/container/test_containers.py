"""docs/containers.md, command by command: images without a registry, containers, a login."""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
import tarfile
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from twisted.trial import unittest

from tests.container.operator import Operator
from tests.support.ca import CertificateAuthority
from tests.support.debs import ARCHIVE, built
from tests.support.processes import ROOT
from tests.support.waiting import wait_until

#: What Debian's slim image has and has not, of what matters here.
_SLIM = b"force-unsafe-io\npath-exclude /usr/share/doc/*\npath-exclude /usr/share/man/*\n"
_NOT_SLIM = tuple(f"./usr/share/{name}/" for name in ("doc", "info", "locale", "man"))
_BASE = "docker.io/library/debian:12-slim"
DAEMONS = ("xmppd", "callbridged")


def page() -> tuple[list[str], list[str]]:
    """The commands and the ini files of the page."""
    text = (ROOT / "docs" / "containers.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    commands = "".join(blocks).replace("\\\n", "").splitlines()
    return commands, re.findall(r"^```ini\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


class ContainerTests(unittest.SynchronousTestCase):
    """One operator with both containers, on one host."""

    def setUp(self) -> None:
        # Podman wants short paths, and whoever is not root may have none to trial's directory.
        self.place = Path(tempfile.mkdtemp(prefix="containers-", dir="/var/tmp"))
        self.operator = Operator(self.place)
        self.addCleanup(self.operator.close)
        self.commands, self.inis = page()

    def run_page(self, beginning: str, typed: str = "") -> str:
        """Run the page's next command, which begins like this, and answer what it prints."""
        command = self.commands.pop(0)
        self.assertTrue(command.startswith(beginning), f"{command!r} is next, not {beginning!r}")
        # What is typed comes from no terminal here.
        return self.operator.run(command.replace(" --tty", ""), typed)

    def inspect(self, name: str) -> dict[str, Any]:
        return json.loads(self.operator.run(f"podman inspect {name} 2>/dev/null"))[0]

    def make_base(self) -> None:
        """An image with the name of the one that the Containerfile begins with."""
        base = self.place / "base.tar"
        with tarfile.open(ARCHIVE) as debian, tarfile.open(base, "w") as slim:
            for member in debian:
                if not member.name.startswith(_NOT_SLIM):
                    slim.addfile(member, debian.extractfile(member) if member.isreg() else None)
            added = tarfile.TarInfo("./etc/dpkg/dpkg.cfg.d/docker")
            added.size = len(_SLIM)
            slim.addfile(added, io.BytesIO(_SLIM))
        self.operator.run(f"podman import --quiet {base} {_BASE}")
        base.unlink()

    def build(self) -> None:
        """Both images, by the page's commands. The packages are built already."""
        self.make_base()
        shutil.copytree(built(), self.operator.home / "debs")
        shutil.copytree(ROOT / "packaging/container", self.operator.home / "packaging/container")
        self.assertEqual(self.commands.pop(0), "packaging/build-debs.sh debs")
        with ThreadPoolExecutor() as pool:
            list(pool.map(self.run_page, ["podman build"] * 2))
        for name, user in zip(DAEMONS, ("522:522", "523:523"), strict=True):
            image = self.inspect(name)
            self.assertEqual(image["Config"]["User"], user)
            self.assertTrue(image["Config"]["Entrypoint"][0].endswith("/bin/twistd"))
            self.assertEqual(image["Healthcheck"]["Test"][0], "CMD")

    def write(self, name: str, text: str) -> None:
        path = self.operator.home / name
        path.write_text(text)
        path.chmod(0o644)

    def certificates(self) -> None:
        """What the page expects beside it, as the operator's own."""
        home = self.operator.home
        authority = CertificateAuthority(self.place / "ca")
        shutil.copy(authority.certificate_path, home / "ca.crt")
        for name, names in (
            ("xmpp1", ("example.com", "xmpp1.example.com")),
            ("cb1", ("cb1.example.com",)),
        ):
            certificate, key = authority.issue(name, dns=names)
            for source, target in ((certificate, f"{name}.crt"), (key, f"{name}.key")):
                shutil.copy(source, home / target)
                shutil.chown(home / target, 6000, 6000)

    def health(self, name: str) -> bool:
        return not self.operator.run(f"podman healthcheck run {name} || echo ill", check=False)

    def log_in(self) -> None:
        authority = self.operator.home / "ca.crt"
        said = self.operator.run_here(sys.executable, "-m", "tests.container.log_in", authority)
        self.assertIn("alice is in", said)

    def assert_confined(self, name: str, user: int) -> None:
        """Process 1 is the daemon, without root, rights, or a root that it can write to."""
        status = self.operator.run(f"podman exec {name} cat /proc/1/status")
        self.assertRegex(status, rf"(?m)^Uid:(\t{user}){{4}}$")
        self.assertRegex(status, r"(?m)^CapBnd:\t0+$")
        self.assertRegex(status, r"(?m)^NoNewPrivs:\t1$")
        self.assertRegex(self.operator.run(f"podman exec {name} cat /proc/1/cmdline"), "twistd")
        refused = self.operator.run(f"podman exec {name} touch /x", check=False)
        self.assertIn("Read-only file system", refused)

    def stop(self, name: str) -> None:
        began = time.monotonic()
        self.operator.run(f"podman stop {name}")
        self.assertLess(time.monotonic() - began, 20)  # of 30 until SIGKILL
        self.assertEqual(self.inspect(name)["State"]["ExitCode"], 0)

    def test_page(self) -> None:
        """What the page says works: from two images to a login, and to an end without a kill."""
        self.build()
        self.certificates()

        self.run_page("mkdir xmppd")
        self.run_page("cp ca.crt xmpp1.crt")
        self.run_page("podman secret create xmpp.key")
        self.write("xmppd/xmppd.ini", self.inis[0])
        self.run_page("podman run --detach --name xmppd")
        wait_until("xmppd is healthy", lambda: self.health("xmppd"), explain=self.logs)
        printed = self.run_page("podman exec xmppd xmppctl callbridge add cb1")
        self.assert_confined("xmppd", 522)
        looking = "podman exec xmppd find /usr /etc /var -name callbridged 2>/dev/null"
        self.assertEqual(self.operator.run(looking, check=False), "")

        secret = re.search(r"^Secret: +(\S+)$", printed, re.MULTILINE)
        assert secret is not None, printed
        self.write("secret", secret[1] + "\n")
        self.run_page("mkdir callbridged")
        self.run_page("cp ca.crt cb1.crt")
        self.run_page("podman secret create callbridge.key")
        self.run_page("podman secret create callbridge.secret")
        domain = "domain = example.com\n"
        address = f"{domain}server_address = xmpp1.example.com\n"  # as the page says, without SRV
        self.write("callbridged/callbridged.ini", self.inis[1].replace(domain, address))
        self.run_page("podman run --detach --name callbridged")
        self.run_page("podman exec --interactive --tty callbridged", "wonderland\n")
        wait_until("the link is up", self.linked, explain=self.logs)
        self.assertIn("SUCCESS", self.run_page("podman exec callbridged callbridgectl check"))
        self.assert_confined("callbridged", 523)
        self.log_in()

        self.assertIn("registered", self.run_page("podman exec callbridged callbridgectl status"))
        self.run_page("podman healthcheck run callbridged")
        self.assertIn("alice", self.run_page("podman exec xmppd xmppctl logins"))
        self.run_page("podman kill --signal HUP xmppd")
        self.assertIn("ready", self.run_page("podman logs xmppd"))
        self.assertNotIn(secret[1], json.dumps([self.inspect(one) for one in DAEMONS]))

        self.assertEqual(self.commands.pop(0), "podman stop callbridged")
        self.stop("callbridged")
        self.stop("xmppd")
        self.operator.run("podman start xmppd")
        self.run_page("podman start callbridged")
        wait_until("the link is up again", self.linked, explain=self.logs)
        self.log_in()
        self.assertEqual(self.commands, [])

    def linked(self) -> bool:
        said = self.operator.run("podman exec callbridged callbridgectl status", check=False)
        return "service: registered" in " ".join(said.split())

    def logs(self) -> str:
        return self.operator.run("podman logs xmppd; podman logs callbridged", check=False)
