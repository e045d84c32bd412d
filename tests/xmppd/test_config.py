"""Tests of xmppd.config, and of etc/xmppd/xmppd.ini as shipped."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from daemonkit.ini import ConfigurationFault
from daemonkit.metrics.settings import MetricsSettings
from xmppd.config import Component, Config, Login, load
from xmppd.config_client import Client
from xmppd.config_domains import MAX_DOMAINS

SHIPPED = Path(__file__).resolve().parents[2] / "etc" / "xmppd" / "xmppd.ini"


class ConfigTestCase(SynchronousTestCase):
    """A directory with the files that a configuration names."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        for name in ("xmpp.crt", "xmpp.key", "ca.crt"):
            (self.directory / name).touch(0o600)
        self.path = self.directory / "xmppd.ini"
        self.sections = {
            "xmppd": "domain = example.com\nhostname = xmpp1.example.com\nstate_directory = .\n",
            "tls": "certificate = xmpp.crt\nprivate_key = xmpp.key\ncallbridge_ca = ca.crt\n",
        }

    def load(self, **sections: str) -> Config:
        """Load the smallest configuration, with more lines in some of its sections."""
        text = "".join(
            f"[{name}]\n{self.sections.get(name, '')}{sections.get(name, '')}\n"
            for name in dict.fromkeys((*self.sections, *sections))
        )
        self.path.write_text(text)
        return load(self.path)

    def faults(self, **sections: str) -> str:
        return str(self.assertRaises(ConfigurationFault, self.load, **sections))


class ShippedTests(ConfigTestCase):
    """The file that comes with the program."""

    def test_shipped_file(self) -> None:
        """The shipped file is right once its files are there, and shows nothing but defaults."""
        text = SHIPPED.read_text()
        text = text.replace("/etc/xmppd/tls/", f"{self.directory}/")
        text = text.replace("/var/lib/xmppd", str(self.directory))
        path = self.directory / "shipped.ini"
        path.write_text(text)
        shipped, smallest = load(path), self.load()
        for section in ("component", "client", "login", "limits", "failed_logins", "log"):
            self.assertEqual(getattr(shipped, section), getattr(smallest, section))
        self.assertEqual(shipped.external_services, smallest.external_services)
        self.assertEqual(shipped.xmppd, smallest.xmppd)
        self.assertEqual(shipped.tls, smallest.tls)

    def test_every_key_is_shown(self) -> None:
        """The shipped file has a line for every key that there is."""
        config = load(SHIPPED, check_files=False)
        self.assertEqual([one.key for one in config.settings if one.line is None], [])

    def test_width(self) -> None:
        """The shipped file can be read on a plain terminal."""
        self.assertEqual([line for line in SHIPPED.read_text().splitlines() if len(line) > 80], [])


class ConfigTests(ConfigTestCase):
    """Values, defaults and faults."""

    def test_defaults(self) -> None:
        """Domain, hostname and files are enough."""
        config = self.load()
        self.assertEqual(config.xmppd.domain, "example.com")
        self.assertEqual(config.xmppd.hostname, "xmpp1.example.com")
        self.assertEqual(config.xmppd.control_socket, Path("/run/xmppd/control.sock"))
        self.assertEqual(config.tls.certificate, self.directory / "xmpp.crt")
        self.assertEqual(config.tls.callbridge_certificate, "required")
        self.assertEqual(config.component, Component(("tcp:5223",), 5.0, 15.0, 5.0))
        self.assertEqual(config.client, Client(("tcp:5222",), (), (), 30.0))
        self.assertEqual(config.login, Login(10.0, 1000))

    def test_frozen(self) -> None:
        """Nobody can change a setting afterwards."""
        config = self.load()
        with self.assertRaises(FrozenInstanceError):
            config.login.deadline = 1.0  # type: ignore[misc]

    def test_listeners(self) -> None:
        """Listeners stand on lines of their own, and clients may have other ones only."""
        config = self.load(
            component="listen =\n  tcp:5223:interface=127.0.0.1\n  tcp6:5223\n",
            client="listen =\ndirect_tls_listen = tcp:5270\n",
        )
        self.assertEqual(config.component.listen, ("tcp:5223:interface=127.0.0.1", "tcp6:5223"))
        self.assertEqual(config.client.listen, ())
        self.assertEqual(config.client.direct_tls_listen, ("tcp:5270",))

    def test_no_listener(self) -> None:
        """A server that nobody could connect to is refused."""
        found = self.faults(component="listen =\n", client="listen =\n")
        self.assertIn("[component] listen: there is nothing to listen on", found)
        self.assertIn("[client] listen: there is nothing to listen on", found)

    def test_same_port_twice(self) -> None:
        """The same listener in two places is a fault where it stands the second time."""
        found = self.faults(component="listen = tcp:5222\n")
        self.assertIn("[client] listen: tcp:5222 is there twice", found)

    def test_metrics(self) -> None:
        """Metrics are off, or for this machine; beyond it they want TLS, which needs both files."""
        self.assertEqual(self.load().metrics, MetricsSettings())
        config = self.load(metrics="listen = tcp:9522\n")
        self.assertEqual(config.metrics.listen, ("tcp:9522:interface=127.0.0.1",))
        self.assertIn(*config.metrics.listen, config.endpoints)
        self.assertEqual(config.warnings, ())
        beyond = "listen = tcp:9522:interface=192.0.2.1\n"
        self.assertIn("without TLS", self.load(metrics=beyond).warnings[0])
        files = "certificate = xmpp.crt\nprivate_key = xmpp.key\n"
        self.assertEqual(self.load(metrics=beyond + files).warnings, ())
        found = self.faults(
            metrics="listen =\n tcp:1:interface=127.0.0.1\n tcp:1\ncertificate = xmpp.crt\n"
        )
        self.assertIn("[metrics] listen: tcp:1:interface=127.0.0.1 is there twice", found)
        self.assertIn("[metrics] certificate: it is of no use alone. Set private_key", found)

    def test_websocket(self) -> None:
        """Origins, proxies and the public URL of WebSocket."""
        client = self.load(
            client="websocket_listen = tcp:5443\nwebsocket_url = wss://meet.example.com/ws\n"
            "websocket_origins = https://meet.example.com, https://Example.com:443\n"
            "trusted_proxies = 192.0.2.7, 2001:db8::/64\n"
            "proxy_protocol = listen, websocket_listen\n"
        ).client
        self.assertEqual(
            client.websocket_origins, ("https://meet.example.com", "https://example.com")
        )
        self.assertEqual(list(map(str, client.trusted_proxies)), ["192.0.2.7/32", "2001:db8::/64"])
        self.assertEqual(client.proxy_protocol, ("listen", "websocket_listen"))

    def test_websocket_faults(self) -> None:
        """What would be of no use, or is written wrongly, is a fault with a remedy."""
        found = self.faults(
            client="websocket_listen = systemd:domain=INET:index=0\n"
            "websocket_origins = meet.example.com\nproxy_protocol = listen, direct_tls_listen\n"
        )
        for words in (
            "[client] websocket_origins: 'meet.example.com' is no origin. Write scheme and host",
            "[client] websocket_listen: systemd:domain=INET:index=0 does not say its port",
            "[client] proxy_protocol: nobody's header would be believed. Set trusted_proxies",
            "[client] proxy_protocol: direct_tls_listen is empty",
        ):
            self.assertIn(words, found)
        found = self.faults(
            client="trusted_proxies = 0.0.0.0/0\nproxy_protocol = all\nwebsocket_url = ws://x\n"
        )
        for words in (
            "[client] trusted_proxies: 0.0.0.0/0 is everybody",
            "[client] proxy_protocol: 'all' is not one of listen, direct_tls_listen",
            "[client] websocket_url: 'ws://x' is no URL of a WebSocket with TLS",
        ):
            self.assertIn(words, found)

    def test_sign_in_page(self) -> None:
        """The sign-in page is off, unless it is wanted, and has a port to be seen at."""
        self.assertFalse(self.load(client="websocket_listen = tcp:5443\n").client.sign_in_page)
        on = "sign_in_page = yes\n"
        self.assertTrue(self.load(client="websocket_listen = tcp:5443\n" + on).client.sign_in_page)
        found = self.faults(client=on)
        self.assertIn("[client] sign_in_page: there is no port where it could be seen.", found)

    def test_limits(self) -> None:
        """Limits can be switched off, and there are networks that have none of their own."""
        networks = "198.51.100.0/24, 2001:db8::/32"
        config = self.load(
            limits=f"max_connections = 0\nunlimited_networks = {networks}\n",
            failed_logins="enabled = no\n",
        )
        self.assertEqual((config.limits.max_connections, config.failed_logins), (0, None))
        self.assertEqual(", ".join(map(str, config.limits.unlimited_networks)), networks)

    def test_limits_faults(self) -> None:
        """Limits that make no sense together are a fault, and so is everybody."""
        found = self.faults(
            limits="unlimited_networks = ::/0\nmax_connections = -1\n",
            failed_logins="free = 30\nmost = 30\nwindow = 0s\n",
        )
        for words in (
            "[limits] unlimited_networks: ::/0 is everybody",
            "[limits] max_connections: '-1' is no whole number",
            "[failed_logins] free: it must be less than most",
            "[failed_logins] window: 0s is out of bounds",
        ):
            self.assertIn(words, found)

    def test_international_domain(self) -> None:
        """The domain is kept as XMPP spells it, the hostname as DNS does."""
        self.sections["xmppd"] = "domain = Bücher.example\nhostname = X.Bücher.example\n"
        config = self.load(xmppd="state_directory = .\n")
        self.assertEqual(config.xmppd.domain, "bücher.example")
        self.assertEqual(config.xmppd.hostname, "x.xn--bcher-kva.example")

    def test_every_fault_at_once(self) -> None:
        """All faults of a file are in one message, with keys and, where there are, lines."""
        self.path.write_text(
            "[xmppd]\nhostname = 192.0.2.1\nstate_directory = xmpp.crt\n"
            "[tls]\ncertificate = missing.crt\nprivate_key = xmpp.key\ncallbridge_ca = ca.crt\n"
            "callbridge_certificate = perhaps\ncallbridge_certificate = none\n"
            "[component]\nlisten = ssl:5223\nping_interval = 0s\nping_timout = 5s\n"
            "[client]\nlogin_timeout = 30\n[client]\n"
            "[login]\ndeadline = 1h\nmax_waiting = 0\nwhat is this\n[guests]\n"
        )
        (self.directory / "xmpp.crt").touch()
        message = str(self.assertRaises(ConfigurationFault, load, self.path))
        for words in (
            "it has 15 faults",
            "[xmppd] domain: it is needed",
            "line 2: [xmppd] hostname: 192.0.2.1 is an address",
            "line 3: [xmppd] state_directory:",
            "line 5: [tls] certificate:",
            "line 8: [tls] callbridge_certificate: 'perhaps' is not one of required",
            "line 9: callbridge_certificate was already set in line 8",
            "line 11: [component] listen: 'ssl:5223': TLS is added by the daemon",
            "line 12: [component] ping_interval: 0s is out of bounds",
            "line 13: [component] has no key ping_timout. Did you mean ping_timeout?",
            "line 15: [client] login_timeout: '30' is no duration",
            "line 16: [client] was already there in line 14",
            "line 18: [login] deadline: 1h is out of bounds",
            "line 19: [login] max_waiting: 0 is out of bounds",
            "line 20: this is neither",
            "line 21: there is no section [guests]",
        ):
            self.assertIn(words, message)

    def test_without_files(self) -> None:
        """xmppctl can read the settings before the certificates are there."""
        self.path.write_text("[xmppd]\ndomain = example.com\nhostname = xmpp1.example.com\n")
        config = load(self.path, check_files=False)
        self.assertEqual(config.tls.certificate, Path("/etc/xmppd/tls/xmpp.crt"))
        self.assertRaises(ConfigurationFault, load, self.path)

    def test_origin(self) -> None:
        """Every setting tells where it comes from."""
        config = self.load(login="deadline = 5000ms\n")
        origins = {one.key: (one.value, one.origin) for one in config.settings}
        self.assertEqual(origins["domain"], ("example.com", "line 2"))
        self.assertEqual(origins["deadline"], ("5s", "line 12"))
        self.assertEqual(origins["max_waiting"], ("1000", "default"))


class DomainTests(ConfigTestCase):
    """Several domains."""

    FILES = "certificate = xmpp.crt\nprivate_key = xmpp.key\n"

    def test_one(self) -> None:
        """Without further sections there is the first domain, with the certificate of [tls]."""
        (only,) = self.load(tls="client_ca = ca.crt\n").domains
        self.assertEqual(only.name, "example.com")
        self.assertEqual(only.certificate, self.directory / "xmpp.crt")
        self.assertEqual(only.client_ca, self.directory / "ca.crt")

    def test_further(self) -> None:
        """Further domains have sections, in their order, and do not inherit client_ca."""
        more = {"domain Example.ORG": self.FILES, "domain bücher.example": self.FILES}
        more["domain xn--strae-oqa.example"] = self.FILES + "client_ca = ca.crt\n"
        domains = self.load(tls="client_ca = ca.crt\n", **more).domains
        self.assertEqual(
            [(one.name, one.client_ca is None) for one in domains],
            [
                ("example.com", False),
                ("example.org", True),
                ("bücher.example", True),
                ("straße.example", False),
            ],
        )

    def test_faults(self) -> None:
        """Every fault of every domain is named, with its line where it has one."""
        found = self.faults(
            **{
                "domain example.com": self.FILES,
                "domain EXAMPLE.org": self.FILES,
                "domain example.org": self.FILES,
                "domain 192.0.2.1": self.FILES,
                "domain": self.FILES,
                "domain example.net": "certificate = missing.crt\nclient_ca = none.crt\nkey = x\n",
            }
        )
        for words in (
            "it has 8 faults",
            "line 11: [domain example.com]: example.com is there twice",
            "line 19: [domain example.org]: example.org is there twice",
            "[domain 192.0.2.1]: 192.0.2.1 is an address",
            "[domain]: the name is missing. Write it like [domain example.org].",
            "[domain example.net] certificate:",
            "[domain example.net] private_key: it is needed",
            "[domain example.net] client_ca:",
            "[domain example.net] has no key key",
        ):
            self.assertIn(words, found)

    def test_too_many(self) -> None:
        """There is an end to them."""
        more = {f"domain d{number}.example": self.FILES for number in range(MAX_DOMAINS)}
        found = self.faults(**more)
        self.assertIn("[domain d99.example]: there are 101 domains, and 100 are allowed", found)
        del more["domain d99.example"]
        self.assertEqual(len(self.load(**more).domains), MAX_DOMAINS)
