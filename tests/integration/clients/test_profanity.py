"""profanity, in C on libstrophe, as a person uses it: typing on a terminal."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from tests.integration.clients.cable import Cable
from tests.integration.clients.meeting import (
    DIRECT_TLS,
    IDENTITY,
    NEW_SESSION,
    PASSWORD,
    RESUMED,
    STARTTLS,
    WRONG_PASSWORD,
    ClientTestCase,
    OverTcp,
)
from tests.integration.clients.terminal import Terminal
from tests.support.site import write_ini
from tests.support.waiting import wait_until

#: What it calls the transports.
TLS_POLICY = {STARTTLS: "force", DIRECT_TLS: "legacy"}


class ProfanityTests(OverTcp, ClientTestCase):
    """Debian's. It writes what it sends and receives into its log, which we read."""

    client = "profanity"
    from_debian = True

    def test_wrong_password(self) -> None:
        """It says that the login failed."""
        with self.plug_in(STARTTLS) as cable:
            self.begin(STARTTLS, cable, WRONG_PASSWORD)
            self.wait_for("RECV: <failure [^>]*><not-authorized/?>")
            self.wait_for("Login failed")
        self.assertEqual({outcome for _, outcome in self.logins()}, {"not-authorized"})

    def meet(self, transport: str) -> None:
        with self.plug_in(transport) as cable:
            self.begin(transport, cable, PASSWORD)
            for number in (1, 2):
                began = self.wait_for("Bind successful|Session resumed")
                comeback = RESUMED if began.startswith("Session resumed") else NEW_SESSION
                # What it asks every component that the server tells it of, so that all is ready.
                answer = self.wait_for('RECV: (<iq [^>]*from="cb1.*disco#info.*)')
                category, name = IDENTITY
                self.assertIn(f'category="{category}"', answer)
                self.assertIn(f'name="{name}"', answer)
                self.terminal.type(f"/msg {self.user}@example.com round {number}")
                self.wait_for(f"RECV: <message .*<body>round {number}</body>")
                if number == 1:
                    self.assertTrue(cable.cut())
            self.terminal.type("/quit")
            self.wait_for("RECV: </stream:stream>")
            self.assertEqual(self.terminal.wait(20), 0, self.explain())
        self.assert_row(_version(), transport, comeback)

    def begin(self, transport: str, cable: Cable, password: str) -> None:
        """Start it with a home of its own, and an account there that it connects to."""
        home = self.site.directory / self.id()
        settings = home / "profanity"
        settings.mkdir(parents=True)
        (settings / "profrc").write_text("[connection]\nreconnect=1\n")
        write_ini(
            settings / "accounts",
            {
                "work": {
                    "enabled": "true",
                    "jid": f"{self.user}@example.com",
                    "password": password,
                    "server": cable.address,
                    "port": cable.port,
                    "tls.policy": TLS_POLICY[transport],
                }
            },
        )
        self.log = home / "log"
        self.read = 0
        program = shutil.which("profanity")
        assert program, "profanity is missing: apt-get install profanity"
        self.terminal = Terminal(
            [program, "--log", "DEBUG", "--logfile", self.log, "--account", "work"],
            {
                "HOME": str(home),
                "XDG_CONFIG_HOME": str(home),
                "XDG_DATA_HOME": str(home),
                "SSL_CERT_FILE": str(self.site.ca.certificate_path),
            },
        )
        self.addCleanup(self.terminal.close)

    def wait_for(self, pattern: str) -> str:
        """The next line of its log with this pattern: the pattern's last group, or all of it."""

        def probe() -> re.Match[str] | None:
            text = _text(self.log)[self.read :]
            found = re.search(pattern + ".*\n", text)
            if found:
                self.read += found.end()
            return found

        found = wait_until(f"/{pattern}/ in its log", probe, explain=self.explain)
        return found[found.re.groups]

    def explain(self) -> str:
        log = "\n".join(_text(self.log).splitlines()[-25:])
        return f"{super().explain()}\n--- log\n{log}\n--- shown\n{self.terminal.shown}"


def _text(log: Path) -> str:
    return log.read_text(errors="replace") if log.exists() else ""


def _version() -> str:
    done = subprocess.run(["profanity", "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"version (\S+)", done.stdout)
    assert found, done.stdout
    return found[1]
