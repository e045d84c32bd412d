"""Tests of callbridged.config, and of etc/callbridged/callbridged.ini as shipped."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from callbridged import config_admin
from callbridged.config import Config, Dns, Guest, Link, Tokens, load
from callbridged.config_admin import AdminSettings
from daemonkit.ini import ConfigurationFault
from daemonkit.metrics.settings import MetricsSettings
from daemonkit.throttle_limits import ThrottleLimits

SHIPPED = Path(__file__).resolve().parents[2] / "etc" / "callbridged" / "callbridged.ini"


class ConfigTestCase(SynchronousTestCase):
    """A directory with the files that a configuration names."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        for name in ("callbridge.crt", "callbridge.key", "ca.crt", "secret"):
            (self.directory / name).touch(0o600)
        (self.directory / "secret").write_text("hunter2\n")
        self.path = self.directory / "callbridged.ini"
        self.secret = "secret_file = secret\n"

    def load(self, **sections: str) -> Config:
        """Load the smallest configuration, with more lines in some of its sections."""
        smallest = {
            "callbridge": "name = cb1\ndomain = example.com\nstate_directory = .\n" + self.secret,
            "tls": "certificate = callbridge.crt\nprivate_key = callbridge.key\nxmpp_ca = ca.crt\n",
        }
        text = "".join(
            f"[{name}]\n{smallest.get(name, '')}{sections.get(name, '')}\n"
            for name in [*smallest, *(sections.keys() - smallest)]
        )
        self.path.touch(0o600)
        self.path.write_text(text)
        return load(self.path)

    def faults(self, **sections: str) -> str:
        return str(self.assertRaises(ConfigurationFault, self.load, **sections))


class ShippedTests(ConfigTestCase):
    """The file that comes with the program."""

    def test_shipped_file(self) -> None:
        """The shipped file is right once its files are there, and shows nothing but defaults."""
        text = SHIPPED.read_text()
        text = text.replace("/etc/callbridged/tls/", f"{self.directory}/")
        text = text.replace("/etc/callbridged/secret", f"{self.directory}/secret")
        text = text.replace("/var/lib/callbridged", str(self.directory))
        path = self.directory / "shipped.ini"
        path.write_text(text)
        self.assertEqual(load(path), self.load())

    def test_every_key_is_shown(self) -> None:
        """The shipped file has a line for every key, except for the secret, which has a file."""
        config = load(SHIPPED, check_files=False)
        self.assertEqual([one.key for one in config.settings if one.line is None], ["secret"])

    def test_width(self) -> None:
        """The shipped file can be read on a plain terminal."""
        self.assertEqual([line for line in SHIPPED.read_text().splitlines() if len(line) > 80], [])


class ConfigTests(ConfigTestCase):
    """Values, defaults and faults."""

    def test_defaults(self) -> None:
        """Name, domain, secret and files are enough."""
        config = self.load()
        self.assertEqual(config.callbridge.name, "cb1")
        self.assertEqual(config.callbridge.domain, "example.com")
        self.assertEqual(config.callbridge.secret, "hunter2")
        self.assertIs(config.callbridge.server_address, None)
        self.assertIs(config.callbridge.links, None)
        self.assertEqual(config.callbridge.control_socket, Path("/run/callbridged/control.sock"))
        self.assertEqual(config.tls.verify, "domain+host")
        self.assertEqual(config.dns, Dns((), 5.0))
        self.assertEqual(config.link, Link(10.0, 1.0, 60.0, 15.0, 5.0))
        self.assertEqual(
            [one.name for one in config.users.backends], ["file:/etc/callbridged/users"]
        )
        self.assertIs(config.guest.enabled, False)

    def test_secret_is_not_shown(self) -> None:
        """The secret is in no representation, and in no list of settings."""
        self.secret = ""
        for config in (
            self.load(callbridge="secret = hunter2\n"),
            self.load(callbridge="secret_file = secret\n"),
        ):
            self.assertEqual(config.callbridge.secret, "hunter2")
            self.assertNotIn("hunter2", repr(config) + repr(config.settings))

    def test_two_secrets(self) -> None:
        """A secret and a secret_file together are a fault."""
        found = self.faults(callbridge="secret = hunter2\n")
        self.assertIn("[callbridge] secret: there is a secret_file as well", found)
        self.assertNotIn("hunter2", found)

    def test_no_secret(self) -> None:
        """Without any secret the default file is missed."""
        self.secret = ""
        self.assertIn("secret_file: its default /etc/callbridged/secret", self.faults())

    def test_exposed_secret(self) -> None:
        """A secret file that everybody may read is a warning for the log."""
        (self.directory / "secret").chmod(0o644)
        self.assertIn("chmod o=", self.load().warnings[0])

    def test_exposed_inline_secret(self) -> None:
        """A secret in a configuration that everybody may read is a warning for the log."""
        self.secret = "secret = hunter2\n"
        self.assertEqual(self.load().warnings, ())
        self.path.chmod(0o644)
        self.assertIn("chmod o=", load(self.path).warnings[0])

    def test_name_with_domain(self) -> None:
        """The name has no domain part."""
        self.secret = ""
        self.path.write_text("[callbridge]\nname = cb1.example.com\ndomain = example.com\n")
        message = str(self.assertRaises(ConfigurationFault, load, self.path, check_files=False))
        self.assertIn("line 2: [callbridge] name: 'cb1.example.com' has a dot in it", message)

    def test_server_address(self) -> None:
        """A server address may have a port; without one, discovery knows the default."""
        for text, expected in {
            "xmpp1.example.com": ("xmpp1.example.com", None),
            "192.0.2.1:5224": ("192.0.2.1", 5224),
            "[2001:db8::1]": ("2001:db8::1", None),
            "[2001:db8::1]:5224": ("2001:db8::1", 5224),
        }.items():
            config = self.load(callbridge=f"server_address = {text}\n")
            self.assertEqual(config.callbridge.server_address, expected)
        found = self.faults(callbridge="server_address = 2001:db8::1\n")
        self.assertIn("written in brackets: [2001:db8::1]", found)

    def test_admin(self) -> None:
        """The page is off, or for this machine; what it needs has defaults and bounds."""
        off = AdminSettings((), None, None, Path("/etc/callbridged/admins"), 1800.0, 43200.0)
        self.assertEqual(self.load().admin, off)
        self.patch(config_admin, "_LIBRARIES", (("json", "json"),))
        admin = self.load(admin="listen = tcp:8443\nusers_file = admins\n").admin
        self.assertEqual(admin.listen, ("tcp:8443:interface=127.0.0.1",))
        self.assertEqual(admin.users_file, self.directory / "admins")
        (self.directory / "admins").touch(0o644)
        (warning,) = self.load(admin="listen = tcp:8443\nusers_file = admins\n").warnings
        self.assertIn("everybody may read", warning)
        (self.directory / "admins").unlink()
        found = self.faults(
            admin="listen = 8443\nprivate_key = callbridge.key\nsession_idle = 30s\n"
        )
        for words in (
            "[admin] listen: '8443' is only a port. Write tcp:8443",
            "[admin] private_key: it is of no use alone. Set certificate, too",
            "[admin] session_idle: 30s is out of bounds. Choose from 1m to 24h",
        ):
            self.assertIn(words, found)
        found = self.faults(admin="session_idle = 2h\nsession_lifetime = 1h\n")
        self.assertIn("[admin] session_idle: it is longer than session_lifetime", found)

    def test_admin_libraries(self) -> None:
        """A page whose libraries are not there is a fault that says what to install."""
        self.patch(config_admin, "_LIBRARIES", (("no_such", "No-Such"), ("json", "json")))
        self.load()
        found = self.faults(admin="listen = tcp:8443\n")
        self.assertIn("need No-Such. Run pip install 'callbridge-xmpp[admin]'", found)

    def test_metrics(self) -> None:
        """Metrics are off, or for this machine; beyond it they want TLS."""
        self.assertEqual(self.load().metrics, MetricsSettings())
        config = self.load(metrics="listen = tcp:9523\n")
        self.assertEqual(config.metrics.listen, ("tcp:9523:interface=127.0.0.1",))
        self.assertEqual(config.warnings, ())
        config = self.load(metrics="listen = tcp:9523:interface=0.0.0.0\n")
        self.assertIn("[metrics] listen: tcp:9523:interface=0.0.0.0 is open", config.warnings[0])

    def test_same_port_twice(self) -> None:
        """The page and the metrics do not listen at the same place."""
        self.patch(config_admin, "_LIBRARIES", ())
        found = self.faults(admin="listen = tcp:8443\n", metrics="listen = tcp:8443\n")
        self.assertIn("[metrics] listen: tcp:8443:interface=127.0.0.1 is there twice", found)

    def test_links(self) -> None:
        """Links are all or a number from 1 on."""
        for text, expected in {"all": None, "ALL": None, "1": 1, "100": 100}.items():
            self.assertEqual(self.load(callbridge=f"links = {text}\n").callbridge.links, expected)
        for text in ("0", "-1", "101", "some", "1.5"):
            self.assertIn("neither all nor a number", self.faults(callbridge=f"links = {text}\n"))

    def test_user_ca(self) -> None:
        """Users have certificates only where a file says who may issue them; it has to be there."""
        self.assertIsNone(self.load().tls.user_ca)
        self.assertEqual(self.load(tls="user_ca = ca.crt\n").tls.user_ca, self.directory / "ca.crt")
        self.assertIn("[tls] user_ca:", self.faults(tls="user_ca = nope.crt\n"))

    def test_guests(self) -> None:
        """Guests need no code; one may stand here or in a file, and is not shown."""
        self.assertEqual(self.load().guest, Guest(False, "", 100, 50, 8 * 3600.0))
        (self.directory / "code").touch(0o600)
        (self.directory / "code").write_text("open sesame\n")
        for line in ("access_code = open sesame\n", "access_code_file = code\n"):
            more = "enabled = yes\nmax_guests = 5\nlifetime = 10m\n" + line
            config = self.load(guest=more)
            self.assertEqual(config.guest, Guest(True, "open sesame", 5, 50, 600.0))
            self.assertNotIn("sesame", repr(config) + repr(config.settings))
        self.assertEqual(config.warnings, ())

    def test_guest_faults(self) -> None:
        """Two codes, one that nobody could send, a file that is not there, and bad bounds."""
        both = "access_code = hunter2\naccess_code_file = secret\n"
        self.assertIn("an access_code_file as well", self.faults(guest=both))
        found = self.faults(guest="access_code = \U0001f600\nmax_guests = 0\nlifetime = 11111h\n")
        for words in ("clients could not send this code", "from 1 to 100000", "from 1m to 240h"):
            self.assertIn(words, found)
        found = self.faults(guest="access_code_file = nope\n")
        self.assertIn("[guest] access_code_file:", found)
        self.assertIn("it has one fault", found)

    def test_tokens(self) -> None:
        """Tokens are for two weeks, unless it says otherwise."""
        self.assertEqual(self.load().tokens, Tokens(True, 14 * 86400.0))
        config = self.load(tokens="enabled = no\nlifetime = 24h\n")
        self.assertEqual(config.tokens, Tokens(False, 86400.0))
        self.assertIn("from 1m to 8760h", self.faults(tokens="lifetime = 1s\n"))

    def test_failed_logins(self) -> None:
        """They count, unless it says otherwise; those that are free are fewer than too many."""
        self.assertEqual(self.load().failed_logins, ThrottleLimits(5, 20, 600.0, 600.0))
        self.assertIsNone(self.load(failed_logins="enabled = no\n").failed_logins)
        self.assertIn("less than most", self.faults(failed_logins="free = 9\nmost = 9\n"))

    def test_nameservers(self) -> None:
        """Name servers stand between commas, on port 53 unless they have another."""
        config = self.load(dns="nameservers = 192.0.2.1, [2001:db8::1]:5353, ns.example.com:54\n")
        self.assertEqual(
            config.dns.nameservers,
            (("192.0.2.1", 53), ("2001:db8::1", 5353), ("ns.example.com", 54)),
        )
        shown = next(one.value for one in config.settings if one.key == "nameservers")
        self.assertEqual(shown, "192.0.2.1:53, [2001:db8::1]:5353, ns.example.com:54")
        self.assertIn("line 13: [dns] nameservers:", self.faults(dns="nameservers = a:b, c d\n"))

    def test_retries_in_order(self) -> None:
        """The first retry cannot come later than the last."""
        self.assertIn(
            "retry_initial: it is longer than retry_max", self.faults(link="retry_initial = 2m\n")
        )

    def test_backends(self) -> None:
        """Users may come from several places, one a line."""
        backends = self.load(
            users="backend =\n    file:/a/users\n    file:/b/users\n"
        ).users.backends
        self.assertEqual([str(one.argument) for one in backends], ["/a/users", "/b/users"])
        self.assertIn("a whole path", self.faults(users="backend = file:users\n"))

    def test_backend_faults(self) -> None:
        """A backend that there is not, none at all, and one that is there twice."""
        for text in ("/etc/callbridged/users", "flie:/x", ": x", "a b:c"):
            found = self.faults(users=f"backend = {text}\n")
            self.assertIn("There is no user backend", found)
            self.assertIn("file: (the path of a file", found)
        self.assertIn("nobody could log in", self.faults(users="backend =\n"))
        self.assertIn("twice", self.faults(users="backend =\n    file:/a\n    file:/a\n"))

    def test_every_fault_at_once(self) -> None:
        """All faults of a file are in one message."""
        self.secret = "secret_file = nope\n"
        found = self.faults(
            callbridge="links = 0\nserver_adress = x\n",
            tls="verify = host\n",
            link="ping_interval = 2h\n",
            guest="enabled = perhaps\n",
        )
        for words in (
            *("it has 6 faults", "secret_file", "links", "Did you mean server_address?"),
            *("domain+host, domain", "from 100ms to 1h", "yes nor no"),
        ):
            self.assertIn(words, found)
