"""Tests of callbridged.backends.http.settings: the section ``[http NAME]``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from callbridged.backends import BackendFault
from callbridged.backends.http.factory import HttpBackendFactory
from callbridged.backends.http.settings import HookSettings, parse_url
from daemonkit.ini import ConfigurationFault, IniReader
from tests.support.ca import CertificateAuthority

SHIPPED = Path(__file__).resolve().parents[3] / "etc" / "callbridged" / "callbridged.ini"
HTTPS = "url = https://hook.example.com/login\n"


class Sections(SynchronousTestCase):
    """One section, in a directory with certificates."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.authority = CertificateAuthority(self.directory)
        self.authority.issue("cb1", dns=["cb1.example.com"])
        self.authority.issue("other", dns=["cb1.example.com"])
        self.warnings: list[str] = []

    def read(self, text: str, **more: Any) -> HookSettings:
        path = self.directory / "callbridged.ini"
        path.touch(mode=0o600)
        path.write_text("[http hook]\n" + text)
        ini = IniReader(path, **more)
        settings = HttpBackendFactory().read("hook", ini)
        self.warnings = ini.findings.warnings
        self.shown = {one.key: one.value for one in ini.findings.settings}
        ini.finish()
        return settings

    def faults(self, text: str) -> str:
        return str(self.assertRaises(ConfigurationFault, self.read, text))


class SettingsTests(Sections):
    """Values, defaults and faults."""

    def test_defaults(self) -> None:
        """The URL is enough."""
        settings = self.read(HTTPS)
        self.assertEqual(str(settings.url), "https://hook.example.com/login")
        self.assertEqual(settings.mechanisms, {"PLAIN"})
        self.assertEqual((settings.timeout, settings.connections), (5.0, 50))
        self.assertIs(settings.authorities, None)
        self.assertIs(settings.identity, None)
        self.assertFalse(settings.accounts)

    def test_everything(self) -> None:
        """All there is, with certificates and a token."""
        token = self.directory / "token"
        token.touch(mode=0o600)
        token.write_text("abc.def-123=\n")
        settings = self.read(
            HTTPS + "ca = test-ca.crt\ncertificate = cb1.crt\nprivate_key = cb1.key\n"
            "bearer_token_file = token\ntimeout = 800ms\nconnections = 8\naccounts = yes\n"
            "mechanisms = scram-sha-256, PLAIN\niterations = 4096\n"
        )
        assert settings.authorities is not None
        assert settings.identity is not None
        self.assertEqual(list(settings.authorities), [self.authority.certificate])
        self.assertIn("cb1.example.com", str(settings.identity.certificate.extensions))
        self.assertEqual(settings.bearer_token, "abc.def-123=")
        self.assertEqual(settings.mechanisms, {"PLAIN", "SCRAM-SHA-256"})
        self.assertEqual((settings.timeout, settings.connections), (0.8, 8))
        self.assertEqual((settings.accounts, settings.iterations), (True, 4096))
        self.assertEqual(self.warnings, [])

    def test_secrets_hidden(self) -> None:
        """Neither the token nor what may be one in the URL is shown."""
        settings = self.read(
            "url = https://hook.example.com/login?key=hunter2\nbearer_token = hunter2\n"
        )
        self.assertEqual(str(settings.url), "https://hook.example.com/login?key=hunter2")
        self.assertNotIn("hunter2", repr(settings.bearer_token and self.shown))
        self.assertEqual(self.shown["url"], "https://hook.example.com/login?(hidden)")
        self.assertEqual(self.shown["bearer_token"], "(hidden)")
        self.assertNotIn("hunter2", repr(settings))

    def test_all_faults(self) -> None:
        """Every fault is named at once."""
        faults = self.faults(
            "url = ftp://hook.example.com\ntimeout = 5\nconnections = 0\nmechanisms = LOGIN\n"
            "certificate = cb1.crt\nbearer_token = two words\nca = nowhere.crt\nurll = x\n"
        )
        self.assertIn("it has 8 faults", faults)
        for text in (
            "url: this is no URL of a web hook",
            "timeout: '5' is no duration",
            "connections: 0 is out of bounds",
            "mechanisms: 'LOGIN' is none of PLAIN, SCRAM-SHA-256",
            "certificate: it is of no use alone. Set private_key",
            "bearer_token: a bearer token has letters",
            "nowhere.crt is not there",
            "no key urll. Did you mean url?",
        ):
            self.assertIn(text, faults)
        self.assertNotIn("two words", faults)

    def test_no_section(self) -> None:
        """A name without a section, and no name, say what is missing."""
        path = self.directory / "callbridged.ini"
        path.write_text("")
        ini = IniReader(path)
        HttpBackendFactory().read("hook", ini)
        fault = str(self.assertRaises(ConfigurationFault, ini.finish))
        self.assertIn("[http hook] url: it is needed", fault)
        for name in ("", " "):
            fault = str(self.assertRaises(BackendFault, HttpBackendFactory().read, name, ini))
            self.assertIn("http:hook for [http hook]", fault)

    def test_certificates(self) -> None:
        """Files that are none, and a key of another certificate, are faults."""
        (self.directory / "text").write_text("hello")
        self.assertIn("ca: ", self.faults(HTTPS + "ca = text\n"))
        mixed = HTTPS + "certificate = cb1.crt\nprivate_key = other.key\n"
        self.assertIn("does not belong to the certificate", self.faults(mixed))

    def test_unseen_files(self) -> None:
        """Who may not read the files gets the settings all the same."""
        text = HTTPS + "ca = nowhere\ncertificate = nowhere\nprivate_key = nowhere\n"
        settings = self.read(text + "bearer_token_file = nowhere\n", check_files=False)
        self.assertIs(settings.identity, None)
        self.assertEqual((settings.bearer_token, self.warnings), ("", []))

    def test_two_tokens(self) -> None:
        """The token is in one place."""
        (self.directory / "token").write_text("abc\n")
        both = HTTPS + "bearer_token = abc\nbearer_token_file = token\n"
        self.assertIn("Keep one of the two", self.faults(both))


class ShippedTests(SynchronousTestCase):
    """The example in etc/callbridged/callbridged.ini."""

    def test_example(self) -> None:
        """With the # taken away it is right, and shows nothing but defaults."""
        lines = re.findall(r"^#(\[http hook\]|[a-z_]+ ?=.*)$", SHIPPED.read_text(), re.MULTILINE)
        start = lines.index("[http hook]")
        path = Path(self.mktemp())
        shown = []
        for text in ("\n".join(lines[start : start + 12]), f"[http hook]\n{HTTPS}"):
            path.write_text(text)
            ini = IniReader(path)
            HttpBackendFactory().read("hook", ini)
            ini.finish()
            shown.append([(one.key, one.value) for one in ini.findings.settings])
        self.assertEqual(*shown)
        missing = {key for key, _ in shown[0]} - {line.split()[0] for line in lines}
        self.assertEqual(missing, {"bearer_token"})


class WayTests(Sections):
    """Passwords go over TLS."""

    def test_plain_http(self) -> None:
        """Without TLS a hook is asked on this machine, or where that is written down."""
        for host in ("127.0.0.1", "127.9.9.9:8080", "[::1]", "localhost"):
            self.assertEqual(self.read(f"url = http://{host}/\n").url.scheme, "http")
            self.assertEqual(self.warnings, [])
        url = "url = http://hook.example.com/\n"
        self.assertIn("allow_plain_http = yes", self.faults(url))
        self.read(url + "allow_plain_http = yes\nbearer_token = abc\n")
        self.assertIn("in plain text", self.warnings[0])

    def test_tls_settings(self) -> None:
        """What is for TLS alone is a fault without it."""
        text = "url = http://localhost/\nca = test-ca.crt\ncertificate = cb1.crt\n"
        faults = self.faults(text + "private_key = cb1.key\n")
        for key in ("ca", "certificate", "private_key"):
            self.assertIn(f"{key}: it is for https", faults)

    def test_unknown_caller(self) -> None:
        """A hook that cannot know who asks is worth a warning."""
        self.read(HTTPS)
        self.assertIn("cannot see who asks", self.warnings[0])
        self.read(HTTPS + "bearer_token = abc\n")
        self.assertEqual(self.warnings, [])


class UrlTests(SynchronousTestCase):
    """`parse_url`."""

    def test_urls(self) -> None:
        """Ports, addresses, international names and queries."""
        for text, host, port, path in (
            ("https://hook.example.com", "hook.example.com", 443, "/"),
            ("HTTPS://Hook.Example.COM:8443/a/b?c=%20d", "hook.example.com", 8443, "/a/b?c=%20d"),
            ("http://127.0.0.1?x", "127.0.0.1", 80, "/?x"),
            ("https://[2001:db8::1]:8443/", "2001:db8::1", 8443, "/"),
            ("https://bücher.example/", "xn--bcher-kva.example", 443, "/"),
        ):
            url = parse_url(text)
            self.assertEqual((url.host, url.port, url.path), (host, port, path))
        self.assertEqual(str(parse_url("https://[2001:db8::1]/")), "https://[2001:db8::1]/")

    def test_refused(self) -> None:
        """What is no URL of a hook is told so, and a password in it is not shown."""
        for text in (
            "",
            "hook.example.com",
            "//hook",
            "https://",
            "https:///login",
            "https://alice:hunter2@hook.example.com/",
            "https://hook.example.com/#top",
            "https://hook.example.com/a b",
            "https://hook.example.com/ä",
            "https://hook.example.com:0/",
            "https://hook.example.com:99999/",
            "https://hook_/",
            "https://a/" + "b" * 2048,
        ):
            fault = self.assertRaises(ValueError, parse_url, text)
            self.assertTrue(str(fault).endswith("."), fault)
            self.assertNotIn("hunter2", str(fault))

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """Any text is a URL that can be sent, or a ValueError."""
        for prefix in ("", "https://", "https://hook.example.com"):
            try:
                url = parse_url(prefix + text)
            except ValueError:
                continue
            self.assertTrue(str(url).isascii())
            self.assertFalse(any(letter.isspace() for letter in str(url)))
