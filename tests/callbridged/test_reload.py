"""Tests of callbridged.reload: a Call Bridge whose file changes, with real certificates."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from callbridged import backends, reload
from callbridged.backends import BackendFault, IUserBackend
from callbridged.bridge import Bridge
from callbridged.config import load
from callbridged.links.discovery import FixedAddress
from callbridged.links.dns import Resolver
from callbridged.links.generation import Plan
from callbridged.ports import port_tls
from daemonkit.ini import ConfigurationFault
from daemonkit.reload import Differences, ReloadFault
from tests.callbridged.people import MemoryBackend, Threads
from tests.support.ca import CertificateAuthority

Sections = dict[str, dict[str, object]]


class Reactor(Threads):
    """As much of a reactor as a Call Bridge needs that is not started."""

    def callWhenRunning(self, *_: object) -> None: ...

    def addSystemEventTrigger(self, *_: object) -> None: ...


class Reconfigured:
    """Stands for the links: notes what they are told."""

    def __init__(self) -> None:
        self.told: list[Plan] = []
        self.at_once = False

    def reconfigure(self, plan: Plan, *, at_once: bool) -> None:
        self.told.append(plan)
        self.at_once = at_once

    def hurry(self) -> None: ...


class ReloadCase(SynchronousTestCase):
    """A Call Bridge with users in a file."""

    def setUp(self) -> None:
        # Not below the test runner's directory: a UNIX socket path has at most 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="reload-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.ca = CertificateAuthority(self.directory)
        self.ca.issue("cb1", dns=["cb1.example.com"])
        for name in ("secret", "users", "code"):
            (self.directory / name).touch(0o600)
            (self.directory / name).write_text(f"{name}\n")
        self.path = self.directory / "callbridged.ini"
        self.sections: Sections = {
            "callbridge": {
                "name": "cb1",
                "domain": "example.com",
                "secret_file": "secret",
                "state_directory": ".",
                "control_socket": "control.sock",
            },
            "tls": {
                "certificate": "cb1.crt",
                "private_key": "cb1.key",
                "xmpp_ca": self.ca.certificate_path,
            },
            "users": {"backend": f"file:{self.directory}/users"},
        }
        self.write({})
        self.reactor = Reactor()
        self.bridge = Bridge(self.reactor, load(self.path))
        self.links = Reconfigured()
        links: Any = self.links
        self.bridge.links = links
        self.offered = 0
        self.patch(self.bridge.relay, "offer_again", self.offer)

    def offer(self) -> None:
        self.offered += 1

    def write(self, changes: Sections) -> None:
        merged: dict[str, dict[str, object]] = {}
        for layer in (self.sections, changes):
            for name, values in layer.items():
                merged.setdefault(name, {}).update(values)
        self.path.write_text(
            "\n".join(
                f"[{name}]\n" + "".join(f"{key} = {one}\n" for key, one in values.items())
                for name, values in merged.items()
            )
        )

    def reload(self, changes: Sections | None = None) -> Differences:
        self.write(changes or {})
        fresh = reload.read(lambda: load(self.path), self.bridge)
        return reload.apply(fresh, self.bridge, self.reactor)

    @property
    def mechanisms(self) -> set[str]:
        return set(self.bridge.logins.mechanisms)


class LinkTests(ReloadCase):
    """Names, certificates, and what links are made with."""

    def test_nothing_new(self) -> None:
        """With the same files nothing is touched."""
        backend = self.bridge.users.backend(f"file:{self.directory}/users")
        differences = self.reload()
        self.assertEqual((differences.changed, differences.fixed), ((), ()))
        self.assertEqual((self.links.told, self.offered), ([], 0))
        self.assertIs(self.bridge.users.backend(f"file:{self.directory}/users"), backend)

    def test_fixed(self) -> None:
        """What needs a restart is said, each time, and the rest is taken."""
        for expected in (("[guest] enabled",), ()):
            differences = self.reload(
                {
                    "callbridge": {"control_socket": "other.sock"},
                    "guest": {"enabled": "yes"},
                    "metrics": {"listen": "tcp:9523"},
                }
            )
            fixed = ("[callbridge] control_socket", "[metrics] listen")
            self.assertEqual((differences.fixed, differences.changed), (fixed, expected))
        self.assertEqual(self.bridge.config.callbridge.control_socket.name, "control.sock")
        self.assertEqual(self.bridge.config.metrics.listen, ())
        self.assertEqual(self.links.told, [])

    def test_link(self) -> None:
        """Secret, certificate, address, resolver and times are for the next links."""
        (self.directory / "secret").write_text("another\n")
        self.ca.issue("cb1", dns=["cb1.example.com"])
        changed = self.reload(
            {
                "callbridge": {"server_address": "192.0.2.7:6000", "links": "2"},
                "dns": {"timeout": "1s"},
                "link": {"connect_timeout": "3s"},
            }
        ).changed
        for name in ("[callbridge] secret_file", "[tls] certificate", "[dns] timeout"):
            self.assertIn(name, changed)
        (plan,) = self.links.told
        self.assertEqual((plan.settings.secret, plan.settings.connect_timeout), ("another", 3.0))
        self.assertIsInstance(plan.discovery, FixedAddress)
        self.assertIsInstance(plan.resolver, Resolver)
        self.assertEqual((plan.limit, plan.server_address), (2, ("192.0.2.7", 6000)))
        self.assertNotIn("another", repr(self.bridge.config) + repr(plan))
        self.assertFalse(self.links.at_once)

    def test_names(self) -> None:
        """Another name and domain are for the next links, and for the status, at once."""
        changes: Sections = {"callbridge": {"name": "cb2", "domain": "example.org"}}
        self.write(changes)
        fresh = reload.read(lambda: load(self.path), self.bridge)
        differences = reload.apply(fresh, self.bridge, self.reactor, at_once=True)
        names = ("[callbridge] name", "[callbridge] domain")
        self.assertEqual((differences.fixed, differences.changed), ((), names))
        (plan,) = self.links.told
        self.assertEqual(str(plan), "cb2.example.org by SRV")
        self.assertTrue(self.links.at_once)
        self.assertEqual(self.bridge.config.callbridge.name, "cb2")
        self.assertEqual(self.offered, 0)

    def test_faults(self) -> None:
        """All faults are named, and nothing changes."""
        config = self.bridge.config
        (self.directory / "cb1.key").write_text("x")
        (self.directory / "wrong.crt").write_text("x")
        changes: Sections = {"tls": {"user_ca": "wrong.crt"}, "guest": {"enabled": "yes"}}
        fault = self.assertRaises(ReloadFault, self.reload, changes)
        self.assertEqual(len(fault.faults), 2)
        changes = {"guest": {"enabled": "yes", "lifetime": "long"}}
        self.assertRaises(ConfigurationFault, self.reload, changes)
        self.assertIs(self.bridge.config, config)
        self.assertNotIn("ANONYMOUS", self.mechanisms)


class LoginTests(ReloadCase):
    """Who may log in."""

    def test_guests(self) -> None:
        """Guests are let in, and no more; who is there stays until the server says otherwise."""
        self.reload({"guest": {"enabled": "yes"}})
        self.assertIn("ANONYMOUS", self.mechanisms)
        self.assertEqual(self.offered, 1)
        guests = self.bridge.guests
        assert guests is not None
        one = guests.admit("s1", "192.0.2.1")
        self.reload({"guest": {"enabled": "yes", "max_guests": 1, "lifetime": "1h"}})
        self.assertEqual((self.offered, guests.lifetime), (1, 3600.0))
        self.reload({})
        self.assertNotIn("ANONYMOUS", self.mechanisms)
        self.assertEqual([each["name"] for each in guests.status()], [one.name])
        self.reload({"guest": {"enabled": "yes"}})
        self.assertIs(self.bridge.guests, guests)
        assert self.bridge.relay.guests is not None
        self.bridge.relay.guests.ended(one.name, "s1")
        self.assertEqual(guests.status(), [])

    def test_access_code(self) -> None:
        """Another code counts at once, and the log has neither."""
        settings: Sections = {"guest": {"enabled": "yes", "access_code_file": "code"}}
        self.reload(settings)
        guests = self.bridge.guests
        assert guests is not None
        self.assertTrue(guests.check_password("guest", "code"))
        (self.directory / "code").write_text("sesame\n")
        with capturedLogs() as logged:
            self.assertEqual(self.reload(settings).changed, ("[guest] access_code_file",))
        self.assertFalse(guests.check_password("guest", "code"))
        self.assertTrue(guests.check_password("guest", "sesame"))
        self.assertNotIn("sesame", " ".join(formatEvent(event) for event in logged))

    def test_tokens(self) -> None:
        """Tokens are taken as long as they are enabled, and live as long as is set then."""
        self.assertTrue([name for name in self.mechanisms if name.startswith("HT-")])
        tokens = self.bridge.tokens
        assert tokens is not None
        self.reload({"tokens": {"lifetime": "2h"}})
        self.assertEqual(tokens.lifetime, 7200.0)
        self.reload({"tokens": {"enabled": "no"}})
        self.assertEqual([name for name in self.mechanisms if name.startswith("HT-")], [])
        self.reload({})
        self.assertIs(self.bridge.tokens, tokens)
        self.assertTrue([name for name in self.mechanisms if name.startswith("HT-")])

    def test_certificates(self) -> None:
        """Users may have certificates, or no more."""
        self.reload({"tls": {"user_ca": self.ca.certificate_path}})
        self.assertIn("EXTERNAL", self.mechanisms)
        self.reload({})
        self.assertNotIn("EXTERNAL", self.mechanisms)

    def test_failed_logins(self) -> None:
        """Failures count by the new limits, and not where nothing is counted."""
        guessing = self.bridge.guessing
        assert guessing is not None
        self.reload({"failed_logins": {"free": 1, "most": 2}})
        self.assertIs(self.bridge.guessing, guessing)
        for _ in range(2):
            guess = guessing.begin("192.0.2.1")
            coroutine = guess.enter("alice")
            self.assertRaises(StopIteration, coroutine.send, None)
            guess.ended("not-authorized")
            self.reactor.advance(10)
        self.assertEqual([user for user, _, _ in guessing.paused()], ["alice"])
        self.reload({"failed_logins": {"enabled": "no"}})
        self.assertIsNone(self.bridge.guessing)


class BackendTests(ReloadCase):
    """User backends that are opened anew."""

    def setUp(self) -> None:
        super().setUp()
        self.opened: list[str] = []
        self.patch(backends, "find_factory", lambda name, _: (self, name))

    # A factory

    def open(self, argument: str, reactor: object) -> IUserBackend:
        self.opened.append(argument)
        if argument == "m:fault":
            raise BackendFault("It cannot be opened.")
        backend: Any = MemoryBackend()
        return backend

    def users(self, *names: str) -> Sections:
        return {"users": {"backend": "".join(f"\n  {name}" for name in names)}}

    def test_opened(self) -> None:
        """One that is new is opened, one that was there already is not, and one is let go."""
        self.reload(self.users("m:1", "m:2"))
        first, second = (self.bridge.users.backend(name) for name in ("m:1", "m:2"))
        self.reload(self.users("m:2", "m:3"))
        self.assertEqual(self.opened, ["m:1", "m:2", "m:3"])
        self.assertIs(self.bridge.users.backend("m:2"), second)
        self.assertRaises(LookupError, self.bridge.users.backend, "m:1")
        self.assertIsNot(self.bridge.users.backend("m:3"), first)

    def test_fault(self) -> None:
        """One that cannot be opened changes nothing, of the other settings either."""
        changes = {**self.users("m:1", "m:fault"), "guest": {"enabled": "yes"}}
        fault = self.assertRaises(ReloadFault, self.reload, changes)
        self.assertEqual(fault.faults, ("It cannot be opened.",))
        self.assertRaises(LookupError, self.bridge.users.backend, "m:1")
        self.assertIsNone(self.bridge.guests)

    def test_no_accounts(self) -> None:
        """Where nobody knows accounts there are no tokens, and certificates have no effect."""
        changes = {**self.users("m:1"), "tls": {"user_ca": self.ca.certificate_path}}
        with capturedLogs() as logged:
            self.reload(changes)
        self.assertEqual(self.mechanisms & {"PLAIN", "EXTERNAL"}, {"PLAIN"})
        self.assertEqual(self.offered, 1)
        self.assertEqual([name for name in self.mechanisms if name.startswith("HT-")], [])
        self.assertIn("[tls] user_ca has no effect", " ".join(map(str, map(formatEvent, logged))))


class SectionTests(ReloadCase):
    """Backends with a section of their own."""

    def test_settings(self) -> None:
        """One is opened anew where its section is another, or what is in a file that it names."""
        token = self.directory / "token"
        token.touch(0o600)
        token.write_text("one\n")
        hook: dict[str, object] = {
            "url": "http://localhost:1/", "bearer_token_file": "token", "timeout": "1s"
        }  # fmt: skip
        sections: Sections = {"users": {"backend": "http:hook"}, "http hook": hook}
        self.assertEqual(self.reload(sections).changed, ("[users] backend", "[http hook]"))
        backend = self.bridge.users.backend("http:hook")
        self.reload({**sections, "guest": {"enabled": "yes"}})
        self.assertIs(self.bridge.users.backend("http:hook"), backend)
        token.write_text("two\n")
        self.assertEqual(
            self.reload(sections).changed, ("[http hook] bearer_token_file", "[guest] enabled")
        )
        renewed = self.bridge.users.backend("http:hook")
        self.assertIsNot(renewed, backend)
        hook["timeout"] = "2s"
        self.reload(sections)
        self.assertIsNot(self.bridge.users.backend("http:hook"), renewed)


class PortTests(ReloadCase):
    """The ports of our own: web page and metrics."""

    def setUp(self) -> None:
        super().setUp()
        self.port = self.bridge.ports["admin"] = port_tls("admin", self.bridge.config)
        assert self.port is not None

    def test_certificate(self) -> None:
        """A port goes on with the new certificate, of [tls], or of its own once it has one."""
        before = self.port.identity.certificate
        self.reload()
        self.assertEqual(self.port.identity.certificate, before)
        self.ca.issue("cb1", dns=["cb1.example.com"])
        self.reload()
        renewed = self.port.identity.certificate
        self.assertNotEqual(renewed, before)
        certificate, key = self.ca.issue("web", dns=["web.example.com"])
        self.reload({"admin": {"certificate": certificate, "private_key": key}})
        self.assertNotEqual(self.port.identity.certificate, renewed)
        self.assertIs(self.bridge.ports["admin"], self.port)

    def test_fault(self) -> None:
        """One that cannot be used is named, and the port goes on as it was."""
        before = self.port.identity
        certificate, _ = self.ca.issue("web", dns=["web.example.com"])
        _, other = self.ca.issue("other", dns=["web.example.com"])
        changes = {"admin": {"certificate": certificate, "private_key": other}}
        fault = self.assertRaises(ReloadFault, self.reload, changes)
        self.assertIn("does not belong to the certificate", str(fault))
        self.assertIs(self.port.identity, before)

    def test_no_tls(self) -> None:
        """A port without TLS stays so."""
        self.assertIsNone(port_tls("metrics", self.bridge.config))

    def test_warning(self) -> None:
        """A key that everybody may read is in the log."""
        certificate, key = self.ca.issue("web", dns=["web.example.com"])
        key.chmod(0o644)
        with capturedLogs() as logged:
            self.reload({"admin": {"certificate": certificate, "private_key": key}})
        self.assertIn("web.key", " ".join(map(str, map(formatEvent, logged))))

    def test_followers(self) -> None:
        """Whoever follows the configuration gets each new one."""
        told: list[object] = []
        self.bridge.followers.append(told.append)
        self.reload({"admin": {"session_idle": "5m"}})
        self.assertEqual([one.admin.session_idle for one in told], [300.0])
