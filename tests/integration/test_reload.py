"""Reloading real daemons: what is up stays, what comes is by the new files, and faults change
nothing."""

from __future__ import annotations

import json
import os
import signal
from configparser import ConfigParser
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.ca import CertificateAuthority
from tests.support.rawstream import RawStream, client_header, component_header, plain
from tests.support.site import Daemon, Settings, Site, XmppServer, small_site
from tests.support.waiting import wait_until
from tests.support.web_hook import WebHook, user

BIND = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
PING = "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>"


class Client:
    """A client of alice's, or another user's, with a session."""

    def __init__(
        self,
        site: Site,
        name: str = "alice",
        password: str = "wonderland",
        server: XmppServer | None = None,
    ) -> None:
        server = server or site.servers[0]
        self.stream = RawStream(server.address, server.client_port)
        #: The certificate of the server, in DER.
        self.shown = self.stream.start_tls(site.ca.certificate_path, site.domain)
        self.stream.read_until("</stream:features>")
        self.stream.send(plain(name, password))
        self._domain = site.domain

    def result(self) -> str:
        """``success``, or the SASL condition that the login failed with."""
        answer = self.stream.read_until("<success[^>]*>|</failure>").decode()
        return "success" if "<success" in answer else answer.split("<failure")[1].split("<")[1]

    def bind(self) -> Client:
        """Get a session."""
        assert "success" in self.result()
        self.stream.send(client_header(self._domain))
        self.stream.read_until("</stream:features>")
        self.stream.send(BIND)
        self.stream.read_until("</iq>")
        return self

    def ping(self) -> bytes:
        """Ask the server whether the session is there."""
        self.stream.send(PING)
        return self.stream.read_until("<iq[^>]*type=['\"]result['\"][^>]*>")


def change(daemon: Daemon, settings: Settings) -> None:
    """Set these keys in its file; None removes one."""
    ini = ConfigParser(interpolation=None, delimiters=("=",))
    ini.read(daemon.ini)
    for section, values in settings.items():
        if not ini.has_section(section):
            ini.add_section(section)
        for key, value in values.items():
            if value is None:
                ini.remove_option(section, key)
            else:
                ini.set(section, key, str(value))
    with daemon.ini.open("w") as file:
        ini.write(file)


class ReloadCase(SynchronousTestCase):
    """A site with alice's session."""

    settings: Settings | None = None

    def setUp(self) -> None:
        self.site = small_site(settings=self.settings)
        self.addCleanup(self.site.close)
        self.server, self.bridge = self.site.servers[0], self.site.bridges[0]
        self.site.start()
        self.alice = self.client().bind()
        self.link = self.since()

    def client(self, name: str = "alice", password: str = "wonderland") -> Client:
        made = Client(self.site, name, password)
        self.addCleanup(made.stream.close)
        return made

    def component_stream(self, identity: tuple[Path, Path]) -> tuple[RawStream, bytes]:
        """A connection to the component port, and the server's certificate."""
        stream = RawStream(self.server.address, self.server.component_port)
        self.addCleanup(stream.close)
        return stream, stream.secure(self.site.ca.certificate_path, self.site.domain, identity)

    def since(self) -> tuple[object, ...]:
        """Which connection the link has, and since when it is up, at both ends."""
        entry = self.server.callbridge("cb1")
        assert entry is not None
        return entry["peer"], entry["since"], self.bridge.registered()[0]["since"]

    def assert_all_stays(self) -> None:
        """Link and session are the same as ever."""
        self.alice.ping()
        self.assertEqual(self.since(), self.link)
        self.assertEqual(self.server.status()["sessions"], 1)

    def reload(self, daemon: Daemon) -> str:
        """Reload as an operator does; what is printed."""
        return str(daemon.command("reload").stdout)


class CertificateTests(ReloadCase):
    """Certificates, keys and authorities."""

    def test_server(self) -> None:
        """A new connection sees the new certificate of the server, what is up stays up."""
        names = [self.site.domain, self.server.fqdn]
        identity = self.site.ca.issue("probe", dns=["cb1.example.com"])
        before = self.component_stream(identity)[1]
        self.assertEqual(before, self.alice.shown)
        self.site.ca.issue("xmpp1", dns=names)
        self.assertEqual(self.component_stream(identity)[1], before)
        self.assertEqual(
            self.reload(self.server), "Reloaded: [tls] certificate, [tls] private_key.\n"
        )
        after = self.component_stream(identity)[1]
        self.assertNotEqual(after, before)
        self.assertEqual(self.client().shown, after)
        self.assert_all_stays()
        self.assertEqual(self.reload(self.server), "Reloaded: nothing is new.\n")

    def test_callbridge(self) -> None:
        """A Call Bridge shows its new certificate when it connects the next time."""
        self.site.ca.issue("cb1", dns=["cb1.example.com"], common_name="renewed")
        self.assertIn("[tls] certificate", self.reload(self.bridge))
        self.assert_all_stays()
        self.server.stop()
        self.server.start()
        self.server.wait_serving("cb1")
        entry = self.server.callbridge("cb1")
        assert entry is not None
        self.assertIn("renewed", entry["certificate"])

    def test_authority(self) -> None:
        """Certificates of the new authority are good from now on, those of the old one no more."""
        other = CertificateAuthority(self.site.directory / "other", "Other CA")
        change(self.server, {"tls": {"callbridge_ca": other.certificate_path}})
        self.assertEqual(self.reload(self.server), "Reloaded: [tls] callbridge_ca.\n")
        self.assert_all_stays()
        stream, _ = self.component_stream(self.site.ca.issue("old", dns=["cb1.example.com"]))
        stream.send(component_header("cb1.example.com"))
        self.assertEqual(stream.read_to_end(), b"")
        stream, _ = self.component_stream(other.issue("new", dns=["cb1.example.com"]))
        stream.send(component_header("cb1.example.com"))
        stream.read_until("<stream:stream[^>]*>")

    def test_authority_of_servers(self) -> None:
        """A Call Bridge asks its new authority from now on; the link that is up is not asked."""
        other = CertificateAuthority(self.site.directory / "others", "Other CA")
        change(self.bridge, {"tls": {"xmpp_ca": other.certificate_path}})
        self.assertEqual(self.reload(self.bridge), "Reloaded: [tls] xmpp_ca.\n")
        self.assert_all_stays()
        done = self.bridge.command("reconnect", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("the link there goes on as it was. certificate", done.stdout)
        self.assertIn("WARNING", self.bridge.command("status").stdout)
        self.assert_all_stays()
        self.assertEqual(self.client().result(), "success")
        change(self.bridge, {"tls": {"xmpp_ca": self.site.ca.certificate_path}})
        self.reload(self.bridge)
        self.assertIn("there is a newer link", self.bridge.command("reconnect").stdout)
        self.alice.ping()
        self.assertNotEqual(self.since(), self.link)
        self.assertEqual(self.client().result(), "success")


class FaultTests(ReloadCase):
    """Files that cannot be used."""

    def assert_refused(self, daemon: Daemon, *said: str) -> None:
        """It is said in the ctl command, in the log and in the status, and all is as before."""
        since = daemon.process.mark()
        done = daemon.command("reload", check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        status = daemon.status()["reload"]
        self.assertIs(status["ok"], False)
        shown = " ".join(str(daemon.command("status").stdout).split())
        self.assertIn("failed; what was in use before still is", shown)
        daemon.process.wait_for("not reloaded, and all that was in use before still is:", since)
        for one in said:
            self.assertIn(one, done.stderr)
            self.assertIn(one, daemon.process.text(since))
            self.assertIn(one, " ".join(status["faults"]))
            self.assertIn(one, shown)
        as_json = daemon.command("--json", "reload", check=False)
        self.assertEqual(as_json.returncode, 1)
        self.assertEqual(json.loads(as_json.stdout)["faults"], status["faults"])
        self.assert_all_stays()

    def assert_mended(self, daemon: Daemon) -> None:
        self.reload(daemon)
        self.assertIs(daemon.status()["reload"]["ok"], True)
        self.assertNotIn("failed", str(daemon.command("status").stdout))
        self.assert_all_stays()

    def test_configuration(self) -> None:
        """Every fault of the file is named, and nothing of it counts, whichever daemon it is."""
        before = self.server.ini.read_text()
        change(
            self.server,
            {
                "client": {"login_timeout": "soon", "websocket": "yes"},
                "limits": {"max_connections": 1},
            },
        )
        self.assert_refused(self.server, "[client] login_timeout", "[client] has no key websocket")
        self.client().bind().stream.close()
        self.server.ini.write_text(before)
        wait_until("one session is left", lambda: self.server.status()["sessions"] == 1)
        self.assert_mended(self.server)
        before = self.bridge.ini.read_text()
        change(self.bridge, {"users": {"backend": "fiel:/users"}, "link": {"ping_interval": "-1"}})
        self.assert_refused(self.bridge, "no user backend 'fiel'", "[link] ping_interval")
        self.bridge.ini.write_text(before)
        self.assert_mended(self.bridge)

    def test_certificate(self) -> None:
        """A certificate with the key of another changes nothing."""
        for daemon, name in ((self.server, "xmpp1"), (self.bridge, "cb1")):
            key = self.site.ca.directory / f"{name}.key"
            before = key.read_bytes()
            _, other = self.site.ca.issue("other", dns=["other.example.com"])
            key.write_bytes(other.read_bytes())
            self.assert_refused(daemon, "this private key does not belong to the certificate")
            self.assertEqual(self.client().shown, self.alice.shown)
            key.write_bytes(before)
            self.assert_mended(daemon)

    def test_authority(self) -> None:
        """An authority that is none changes nothing."""
        good = self.site.ca.certificate_path.read_bytes()
        for daemon, key in ((self.server, "callbridge_ca"), (self.bridge, "xmpp_ca")):
            self.site.ca.certificate_path.write_text("nonsense\n")
            self.assert_refused(daemon, str(self.site.ca.certificate_path))
            self.site.ca.certificate_path.write_bytes(good)
            change(daemon, {"tls": {key: "/nowhere/ca.crt"}})
            self.assert_refused(daemon, "/nowhere/ca.crt")
            change(daemon, {"tls": {key: self.site.ca.certificate_path}})
            self.assert_mended(daemon)

    def test_secret(self) -> None:
        """A file that has no secret in it leaves the one that is in use."""
        secret = self.bridge.secret_file.read_text()
        for content in ("", "two\nlines\n"):
            self.bridge.secret_file.write_text(content)
            self.assert_refused(self.bridge, str(self.bridge.secret_file))
        self.bridge.secret_file.write_text(secret)
        self.assert_mended(self.bridge)


class SettingsTests(ReloadCase):
    """What changes at once, and what needs a restart."""

    settings = {"limits": {"max_connections": 1}}

    def test_limit(self) -> None:
        """A limit that is gone lets others in."""
        refused = RawStream(self.server.address, self.server.client_port)
        self.addCleanup(refused.close)
        self.assertEqual(refused.read_to_end(), b"")
        change(self.server, {"limits": {"max_connections": None}})
        self.assertEqual(self.reload(self.server), "Reloaded: [limits] max_connections.\n")
        self.assert_all_stays()
        self.client().bind()
        self.assertEqual(self.server.status()["sessions"], 2)

    def test_restart(self) -> None:
        """What needs a restart is said, and the rest counts."""
        port = self.server.client_port
        change(
            self.server,
            {
                "client": {"listen": f"tcp:{port + 1}:interface={self.server.address}"},
                "limits": {"max_connections": 2},
            },
        )
        self.assertEqual(
            self.reload(self.server),
            "Reloaded: [limits] max_connections.\nNeeds a restart: [client] listen.\n",
        )
        self.assertIn("Needs a restart: [client] listen", self.server.command("status").stdout)
        self.client().bind()
        metrics = {"listen": "tcp:9523"}
        change(self.bridge, {"metrics": metrics, "guest": {"enabled": "yes"}})
        self.assertEqual(
            self.reload(self.bridge),
            "Reloaded: [guest] enabled.\nNeeds a restart: [metrics] listen.\n",
        )
        self.assertEqual(self.bridge.status()["guests"], 0)
        self.server.wait_serving("cb1")
        wait_until(
            "guests are offered",
            lambda: "ANONYMOUS" in (self.server.callbridge("cb1") or {})["mechanisms"],
        )


class SignalTests(ReloadCase):
    """SIGHUP."""

    def test_storm(self) -> None:
        """A hundred at once do no harm, and what the file says in the end is what counts."""
        for daemon in (self.server, self.bridge):
            since = daemon.process.mark()
            for number in range(100):
                if number == 50:
                    change(daemon, {"failed_logins": {"enabled": "no"}})
                os.kill(daemon.process.pid, signal.SIGHUP)
            daemon.process.wait_for(r"reloaded: \[failed_logins\] enabled", since)
            self.assertEqual(self.reload(daemon), "Reloaded: nothing is new.\n")
            self.assertLessEqual(daemon.process.text(since).count(" reloaded: "), 101)
            self.assert_all_stays()
        self.client().bind()

    def test_while_stopping(self) -> None:
        """One that comes while the daemon stops does not cut it short."""
        self.server.process.signal(signal.SIGTERM)
        for _ in range(10):
            os.kill(self.server.process.pid, signal.SIGHUP)
        self.assertEqual(self.alice.stream.stream_error(), "system-shutdown")
        self.assertEqual(self.server.process.wait(), -signal.SIGTERM)


class BackendTests(ReloadCase):
    """User backends that change."""

    def setUp(self) -> None:
        super().setUp()
        self.hook = WebHook(self.site.directory / "hook", self.site.ca, {"bob": user("builder")})
        self.addCleanup(self.hook.process.kill)
        self.hook.start()
        backends = f"http:hook\n file:{self.site.users}"
        change(self.bridge, {"users": {"backend": backends}, "http hook": self.hook.settings()})
        self.assertIn("[users] backend, [http hook].", self.reload(self.bridge))

    def test_login_under_way(self) -> None:
        """A login under way is answered by the backend that it began with; others go on without."""
        bob = self.client("bob", "builder")
        self.assertEqual(bob.result(), "success")
        self.hook.pause()
        late = self.client("bob", "builder")
        wait_until(
            "the login is under way", lambda: self.bridge.status()["outstanding_logins"] == 1
        )
        change(self.bridge, {"users": {"backend": f"file:{self.site.users}"}})
        ini = self.bridge.ini.read_text()
        self.bridge.ini.write_text(ini[: ini.index("[http hook]")])
        since = self.bridge.process.mark()
        self.assertIn("[users] backend", self.reload(self.bridge))
        self.assertEqual(self.client().result(), "success")
        self.assertNotIn("used no more", self.bridge.process.text(since))
        self.hook.resume()
        self.assertEqual(late.result(), "success")
        self.bridge.process.wait_for("the user backend http:hook is used no more", since)
        self.assertEqual(self.client("bob", "builder").result(), "not-authorized/>")
        self.alice.ping()

    def test_settings(self) -> None:
        """A backend with another secret is opened anew; one that cannot be read changes nothing."""
        token = self.hook.directory / "token"
        token.write_text("another\n")
        self.assertEqual(self.reload(self.bridge), "Reloaded: [http hook] bearer_token_file.\n")
        self.assertEqual(self.client("bob", "builder").result(), "temporary-auth-failure/>")
        token.write_text(self.hook.token + "\n")
        self.reload(self.bridge)
        self.assertEqual(self.client("bob", "builder").result(), "success")
        token.unlink()
        done = self.bridge.command("reload", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("[http hook] bearer_token_file", done.stderr)
        self.assertEqual(self.client("bob", "builder").result(), "success")
