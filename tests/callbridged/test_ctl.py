"""Tests for `callbridged.ctl`: the status for people."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from callbridged import ctl
from callbridged.ctl import main, status_lines


def link(state: str, error: dict[str, str] | None = None) -> dict[str, Any]:
    up = state == "registered"
    return {
        "target": "xmpp1.example.com:5223",
        "address": "192.0.2.1:5223" if up else None,
        "state": state,
        "since": "2026-01-01T00:00:00+00:00",
        "tls": "TLSv1.3" if up else None,
        "last_error": error,
    }


def status(*links: dict[str, Any]) -> str:
    answer = {
        "callbridge": "cb1",
        "domain": "example.com",
        "authentication_service": "registered" if links[:1] == (link("registered"),) else "down",
        "links": list(links),
    }
    return "\n".join(status_lines(answer))


class Status(SynchronousTestCase):
    """``callbridgectl status``."""

    def test_registered(self) -> None:
        """A link that is up is one line: to whom, that it is secure, how, and since when."""
        text = status(link("registered"))
        said = " ".join(text.split())
        self.assertIn("XMPP connection: connected to xmpp1.example.com:5223 (secure)", said)
        self.assertIn("TLSv1.3, 192.0.2.1:5223, since 2026-01-01T00:00:00+00:00", said)
        self.assertIn("Authentication service: registered", said)

    def test_failed(self) -> None:
        """A link that is down says at which step, why, and what to do."""
        error = {"step": "connect", "reason": "connect-refused", "text": "Refused. Start xmppd."}
        text = " ".join(status(link("waiting", error)).split())
        self.assertIn("waiting, xmpp1.example.com:5223; connect, connect-refused: Refused.", text)
        self.assertIn("Authentication service: down", text)

    def test_former_secret(self) -> None:
        """A link that goes on with the former secret says so, and the warning what to do."""
        answer = {
            "callbridge": "cb1",
            "domain": "example.com",
            "authentication_service": "registered",
            "links": [{**link("registered"), "secret_in_use": "former"}],
            "warnings": ["Give that server the new secret."],
        }
        said = " ".join(" ".join(status_lines(answer)).split())
        self.assertIn("since 2026-01-01T00:00:00+00:00, with the former secret", said)
        self.assertIn("WARNING Give that server the new secret.", said)

    def test_former(self) -> None:
        """While links move, the former ones are shown, with whose they are."""
        error = {"step": "register", "reason": "host-unknown", "text": "It does not know cb2."}
        answer = {
            "callbridge": "cb2",
            "domain": "example.com",
            "authentication_service": "registered",
            "links": [link("waiting", error)],
            "former": [{**link("registered"), "callbridge": "cb1", "domain": "example.com"}],
        }
        said = " ".join(" ".join(status_lines(answer)).split())
        self.assertIn("XMPP connection: waiting, xmpp1.example.com:5223; register", said)
        self.assertIn(
            "Former connection: as cb1.example.com: connected to xmpp1.example.com:5223 (s", said
        )

    def test_guests(self) -> None:
        """The number of guests is shown, or that they are not let in, and why."""
        answer: dict[str, Any] = {
            "callbridge": "cb1",
            "domain": "example.com",
            "authentication_service": "down",
            "links": [],
        }
        for guests, shown in ((None, "not let in; set enabled"), (0, "0"), (3, "3")):
            text = " ".join(" ".join(status_lines({**answer, "guests": guests})).split())
            self.assertIn(f"Guests: {shown}", text)

    def test_none(self) -> None:
        """No link at all is said too."""
        self.assertIn("XMPP connection: none", " ".join(status().split()))

    def test_width(self) -> None:
        """It fits into 80 columns."""
        error = {"step": "dns", "reason": "dns-failure", "text": "words " * 40}
        for line in status(link("registered"), link("waiting", error)).splitlines():
            self.assertLessEqual(len(line), 80)


class ReconnectCommand(SynchronousTestCase):
    """``callbridgectl reconnect``."""

    def reconnect(self, links: list[dict[str, Any]]) -> tuple[int, str]:
        ini = Path(self.mktemp())
        ini.write_text("[callbridge]\nname = cb1\ndomain = example.com\n")
        self.patch(ctl, "call", lambda path, command, timeout: {"links": links})
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            return main(["--config", str(ini), "reconnect"]), out.getvalue()

    def test_renewed(self) -> None:
        """Each link is a line."""
        link = {"target": "xmpp1.example.com:5223", "renewed": True, "error": None}
        said = "xmpp1.example.com:5223: there is a newer link\n"
        self.assertEqual(self.reconnect([link]), (0, said))

    def test_failed(self) -> None:
        """A link that goes on as it was says why, and the exit status is 1."""
        error = {"step": "tls", "reason": "certificate-expired", "text": "It has expired."}
        link = {"target": "xmpp1.example.com:5223", "renewed": False, "error": error}
        status, said = self.reconnect([link])
        self.assertEqual(status, 1)
        self.assertIn("goes on as it was. tls, certificate-expired: It has expired.", said)

    def test_none(self) -> None:
        """Where no link is up, that is said."""
        self.assertIn("No link is up", self.reconnect([])[1])


class ConfigCommand(SynchronousTestCase):
    """``callbridgectl config``."""

    def test_settings(self) -> None:
        """Every setting, its value and where it comes from; no secret."""
        ini = Path(self.mktemp())
        ini.write_text("[callbridge]\nname = cb1\ndomain = example.com\nsecret = hush\n")
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            self.assertEqual(main(["--config", str(ini), "--json", "config"]), 0)
        found = {(one["section"], one["key"]): one for one in json.loads(out.getvalue())}
        self.assertEqual(found["callbridge", "name"]["value"], "cb1")
        self.assertEqual(found["callbridge", "name"]["origin"], "line 2")
        self.assertEqual(found["link", "retry_max"]["origin"], "default")
        self.assertNotIn("hush", out.getvalue())
