"""The operator's guide, typed line by line on two hosts that have nothing but systemd."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.booted import Host
from tests.support.console import Command, commands, told
from tests.support.debs import built, fresh, newer
from tests.support.markdown import Page
from tests.support.network import NetworkNamespace
from tests.support.processes import ROOT, Process
from tests.support.zones import Zone
from tests.systemd.hosts import EDGE, GATEWAYS, TwoHosts
from tests.systemd.terminal import Terminal

GUIDE = Page(ROOT / "docs" / "operating.md")
#: The parts that lead from nothing to a login, and how many commands they may take together.
START, MOST = ("The edge host", "The inside host", "A first login"), 10
PASSWORD = "wonderland"
PHONE, SERVER = "203.0.113.7", "xmpp1.example.com:5222"
#: What a person answers; apt asks whether what it will install besides is all right.
ANSWERS = {r"[Pp]assword[^\n]*: ?$": PASSWORD, r"\[Y/n\] $": "y"}
_SCP = re.compile(r"scp root@(?P<host>\w+)\.example\.com:(?P<file>\S+) (?P<to>\S+)")
_RECORD = re.compile(r"^(?P<name>\S+)\.\s+(?P<kind>A|SRV)\s+(?P<data>.*)$", re.MULTILINE)


def published() -> Zone:
    """The records that the guide lets its reader publish."""
    zone = Zone("example.com")
    [block] = [block.text for block in GUIDE.code if block.section == "DNS"]
    for record in _RECORD.finditer(block):
        if record["kind"] == "A":
            zone.hosts[record["name"]] = [record["data"]]
            continue
        priority, weight, port, target = record["data"].rstrip(".").split()
        known = zone.srv if record["name"] == zone.service else zone.clients
        known.append((int(priority), int(weight), int(port), target))
    return zone


class Reader:
    """Does on two hosts what the page says, and compares."""

    def __init__(self) -> None:
        self.hosts = TwoHosts(fresh(), published())
        self.terminals = {
            host.name: Terminal(host, ANSWERS) for host in (self.hosts.edge, self.hosts.inside)
        }
        self.bring(built())
        #: What has to have happened on the way, by the title that it is needed below.
        self.before = {
            "Logins as they pass": self.take_phone,
            "An upgrade": lambda: self.bring(newer()),
        }

    def close(self) -> None:
        self.hosts.close()

    def bring(self, packages: Path) -> None:
        """Into root's home directory, as the guide wants it, in the place of older ones."""
        for terminal in self.terminals.values():
            home = terminal.host.directory / "root"
            for old in home.glob("*.deb"):
                old.unlink()
            for package in packages.glob("*.deb"):
                shutil.copy(package, home)

    def take_phone(self) -> None:
        """alice logs in from outside, and stays."""
        directory, network = self.hosts.directory, NetworkNamespace()
        self.hosts.ends.callback(network.close)
        network.connect(PHONE, self.hosts.outside, "203.0.113.254")
        shutil.copy(self.hosts.edge.directory / "etc/xmppd/tls/ca.crt", directory)
        resolver = directory / "resolv.conf"
        resolver.write_text(f"nameserver {GATEWAYS[EDGE]}\n")
        enter = 'mount --bind "$0" /etc/resolv.conf; exec "$@"'
        phone = Process(
            "the phone",
            ["go-sendxmpp", "-l", "-u", "alice@example.com", "-p", PASSWORD, "-j", SERVER],
            directory / "phone.log",
            prefix=[*network.prefix, *("unshare", "--mount", "sh", "-c", enter, str(resolver))],
            environment={"SSL_CERT_FILE": str(directory / "ca.crt")},
        )
        phone.start()
        self.hosts.ends.callback(phone.kill)
        phone.wait_while_running(
            "alice is in", lambda: "alice" in self.hosts.edge.run("xmppctl sessions alice || true")
        )

    def follow(self, command: Command) -> str:
        """Type it; answer what is wrong with what it said, or nothing."""
        if copy := _SCP.fullmatch(command.line):
            self.copy(copy, self.terminals[command.host].host)
            return ""
        expected, interrupted, _ = command.expected.partition("^C")
        said = self.terminals[command.host].type(
            command.line, lambda text: bool(interrupted) and told(expected, text)
        )
        if said.status in ((130, -2) if interrupted else (0,)) and (
            interrupted or told(expected, said.text)
        ):
            return ""
        return (
            f"{command.section}: {command.host}# {command.line}\n"
            f"ended with {said.status} and said:\n{said.text}\n"
            f"The guide has:\n{command.expected}"
        )

    def copy(self, copy: re.Match[str], here: Host) -> None:
        """What scp does, for which the hosts would need keys of one another."""
        source = self.terminals[copy["host"]].host.directory / "root" / copy["file"]
        to = copy["file"] if copy["to"] == "." else copy["to"]
        target = here.directory / "root" / to if to[0] != "/" else here.directory / to[1:]
        if not target.exists():
            target.touch(0o600)
        target.write_bytes(source.read_bytes())


class GuideTests(SynchronousTestCase):
    """From nothing to a login, and through daily life, to the end."""

    def test_few_commands(self) -> None:
        """From nothing to a login it takes ten commands, on both hosts together."""
        start = [one for one in commands(GUIDE) if one.section in START]
        self.assertEqual(START, tuple(dict.fromkeys(one.section for one in start)))
        self.assertLessEqual(len(start), MOST)

    def test_nothing_is_left_out(self) -> None:
        """What looks like a command is one that is run here."""
        self.assertEqual([one.text for one in GUIDE.code if one.language in ("sh", "bash")], [])

    def test_every_command(self) -> None:
        """Each line does what the guide says, in the order in which it says so."""
        reader = Reader()
        self.addCleanup(reader.close)
        section = ""
        for command in commands(GUIDE):
            if command.section != section:
                section = command.section
                reader.before.get(section, lambda: None)()
            wrong = reader.follow(command)
            self.assertEqual(wrong, "", f"\n{wrong}")
