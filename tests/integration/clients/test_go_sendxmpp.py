"""go-sendxmpp, in Go, from the command line: one run sends one message, another listens."""

from __future__ import annotations

import re
import shutil
import subprocess

from tests.integration.clients.cable import Cable
from tests.integration.clients.meeting import (
    DIRECT_TLS,
    IDENTITY,
    NEW_SESSION,
    PASSWORD,
    STARTTLS,
    WRONG_PASSWORD,
    ClientTestCase,
    OverTcp,
)
from tests.support.processes import Process

#: What it is told that it is, by SASL and binding or, as newer ones have it, by SASL2.
BOUND = "<(?:jid|authorization-identifier)>([^<]+/[^<]+)"


class GoSendxmppTests(OverTcp, ClientTestCase):
    """Debian's. It does not come back by itself: it ends, and is started again."""

    client = "go-sendxmpp"
    from_debian = True

    def test_wrong_password(self) -> None:
        """It says why it was not let in."""
        with self.plug_in(STARTTLS) as cable:
            run = self.execute(STARTTLS, cable, WRONG_PASSWORD, "alice@example.com", typed="hi")
        self.assertEqual(run.returncode, 1)
        self.assertIn("not-authorized", run.stdout)
        self.assertEqual({outcome for _, outcome in self.logins()}, {"not-authorized"})

    def meet(self, transport: str) -> None:
        with self.plug_in(transport) as cable:
            listener = Process(
                "the listening go-sendxmpp",
                [*self.command_line(transport, cable, PASSWORD), "--listen"],
                self.site.directory / f"{self.id()}.log",
                environment=self.environment(),
            )
            self.addCleanup(listener.kill)
            for number in (1, 2):
                mark = listener.mark()
                listener.start()
                jid = listener.wait_for(BOUND, mark)[1]
                # It keeps its token before this; the one that writes to it has the same file.
                listener.wait_for(rf"<presence[^>]*from=['\"]{re.escape(jid)}", mark)
                run = self.execute(transport, cable, PASSWORD, jid, typed=f"round {number}")
                self.assertEqual(run.returncode, 0, run.stdout)
                listener.wait_for(rf"Z {self.user}@example\.com: round {number}", mark)
                self.assertTrue(cable.cut())
                listener.kill()
            self.ask_the_component(transport, cable)
        self.assert_row(self.version(), transport, NEW_SESSION)

    def ask_the_component(self, transport: str, cable: Cable) -> None:
        """Somewhere to upload a file to is looked for by disco at every component."""
        file = self.site.directory / "file"
        file.write_text("curiouser")
        run = self.execute(
            transport, cable, PASSWORD, "--http-upload", str(file), "alice@example.com"
        )
        category, name = IDENTITY
        self.assertRegex(run.stdout, f"<identity category='{category}' [^>]*name='{name}'")

    def command_line(self, transport: str, cable: Cable, password: str) -> list[str]:
        program = shutil.which("go-sendxmpp")
        assert program, "go-sendxmpp is missing: apt-get install go-sendxmpp"
        return [
            program,
            "--debug",
            f"--username={self.user}@example.com",
            f"--password={password}",
            f"--jserver={cable.address}:{cable.port}",
            *(["--tls"] if transport == DIRECT_TLS else []),
        ]

    def environment(self) -> dict[str, str]:
        home = str(self.site.directory / self.id())  # newer ones keep tokens there
        return {"SSL_CERT_FILE": str(self.site.ca.certificate_path), "HOME": home}

    def execute(
        self, transport: str, cable: Cable, password: str, *arguments: str, typed: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """One run to its end."""
        return subprocess.run(
            [*self.command_line(transport, cable, password), *arguments],
            input=typed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment(),
            timeout=30,
            check=False,
        )

    def version(self) -> str:
        done = subprocess.run(
            ["go-sendxmpp", "--version"], capture_output=True, text=True, check=True
        )
        found = re.search(r"[Gg]o-sendxmpp v?(\S+)", done.stdout)
        assert found, done.stdout
        return found[1]
