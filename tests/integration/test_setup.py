"""From empty directories to logins, by the setup commands alone, on real daemons."""

from __future__ import annotations

import asyncio
import re
import shutil
import time

from twisted.trial.unittest import SynchronousTestCase

from tests.support import people
from tests.support.processes import free_port
from tests.support.site import CallBridge, Site, XmppServer
from xmppd.components.registry import Registry

DOMAIN, PASSWORD = "example.com", "wonderland"


class SetupTests(SynchronousTestCase):
    """A name server that knows the hosts, and nothing else."""

    def setUp(self) -> None:
        self.site = site = Site()
        self.addCleanup(site.close)
        self.files = site.directory / "carried"
        self.files.mkdir()
        self.edge = self.server("xmpp1", "127.0.0.2")
        self.options = (
            f"--domain={DOMAIN}",
            f"--hostname={self.edge.fqdn}",
            *self.places(self.edge),
        )

    def server(self, name: str, address: str) -> XmppServer:
        """A server whose directory is empty, and whose name is in the DNS."""
        server = XmppServer(name, self.site.directory / name)
        server.fqdn, server.address = f"{name}.{DOMAIN}", address
        server.component_port, server.client_port = free_port(address), free_port(address)
        self.site.zone.hosts[server.fqdn] = [address]
        self.site.servers.append(server)
        return server

    def bridge(self, name: str = "cb1") -> CallBridge:
        """A Call Bridge whose directory is empty."""
        bridge = CallBridge(name, self.site.directory / name)
        self.site.bridges.append(bridge)
        return bridge

    def places(self, daemon: XmppServer | CallBridge) -> list[str]:
        """Where the daemon keeps and finds things, as it is not installed for the system."""
        directory = daemon.directory
        if isinstance(daemon, CallBridge):
            section, files = "callbridge", ("callbridge.crt", "callbridge.key", "xmpp_ca")
            more = {
                "callbridge.secret_file": directory / "secret",
                "users.backend": f"file:{directory / 'users'}",
                "dns.nameservers": self.site.nameserver.where,
                "link.retry_max": "1s",
            }
        else:
            section, files = "xmppd", ("xmpp.crt", "xmpp.key", "callbridge_ca")
            more = {
                "component.listen": f"tcp:{daemon.component_port}:interface={daemon.address}",
                "client.listen": f"tcp:{daemon.client_port}:interface={daemon.address}",
            }
        settings = {
            f"{section}.state_directory": directory / "state",
            f"{section}.control_socket": daemon.socket,
            "tls.certificate": directory / "tls" / files[0],
            "tls.private_key": directory / "tls" / files[1],
            f"tls.{files[2]}": directory / "tls" / "ca.crt",
            **more,
        }
        return [f"--set={key}={value}" for key, value in settings.items()]

    def setup_edge(self, *options: str) -> str:
        """``xmppctl setup`` on the first server; the DNS of the machine knows nothing of it."""
        return self.edge.command("setup", f"--join-directory={self.files}", *options).stdout

    def log_in(self, server: XmppServer) -> people.Login:
        authority = self.edge.directory / "tls" / "ca.crt"
        jid = f"alice@{DOMAIN}"
        return asyncio.run(
            people.log_in(server.address, server.client_port, jid, PASSWORD, authority)
        )

    def publish(self, said: str) -> None:
        """Put the SRV records that a command has printed into the DNS."""
        for service, port, target in re.findall(
            rf"_(xmpp-\w+)\._tcp\.{DOMAIN}\. +SRV +10 10 (\d+) (\S+)\.$", said, re.MULTILINE
        ):
            records = {"xmpp-component": self.site.zone.srv, "xmpp-client": self.site.zone.clients}
            records[service].append((10, 10, int(port), target))

    def test_from_nothing(self) -> None:
        """Two commands, a file carried over, and a client is in; then the same at two servers."""
        said = self.setup_edge(*self.options, "--callbridge=cb1")
        self.publish(said)
        self.site.nameserver.start()
        self.edge.start()
        bridge = self.bridge()
        done = bridge.command(
            "setup",
            f"--join={self.files / 'cb1.join'}",
            "--user=alice",
            *self.places(bridge),
            typed=f"{PASSWORD}\n",
        )
        self.assertIn("SUCCESS: all steps, at 1 XMPP server", done.stdout)
        self.assertIn("alice by SCRAM-SHA-256", " ".join(done.stdout.split()))
        self.assertEqual(list(self.files.iterdir()), [])
        bridge.start()
        self.edge.wait_serving("cb1")
        self.assertTrue(self.log_in(self.edge).ok)
        # A second server, with nothing to do on the Call Bridge.
        self.setup_edge("--server=xmpp2.example.com")
        second = self.server("xmpp2", "127.0.0.3")
        said = second.command(
            "setup", f"--join={self.files / 'xmpp2.example.com.join'}", *self.places(second)
        ).stdout
        known = "cb1 may connect, with the secret that the other server knows"
        self.assertIn(known, " ".join(said.split()))
        second.start()
        self.site.nameserver.stop()
        self.publish(said)
        self.site.nameserver.start()
        done = bridge.command("check")
        self.assertIn("SUCCESS: all steps, at 2 XMPP servers", done.stdout)
        bridge.stop()
        bridge.start()
        second.wait_serving("cb1")
        self.assertTrue(self.log_in(second).ok)

    def test_too_late(self) -> None:
        """A secret that comes after the end of its join file is refused, and both ends say why.

        A new join file is the remedy, as they say.
        """
        self.setup_edge(*self.options, "--callbridge=cb1")
        self.site.nameserver.start()
        registry = Registry(self.edge.directory / "state", DOMAIN)
        secret = registry.secret(DOMAIN, "cb1") or ""
        registry.add_secret(DOMAIN, "cb1", secret, expires=int(time.time()) - 1)
        registry.close()
        self.edge.start()
        bridge = self.bridge()
        file, places = self.files / "cb1.join", self.places(bridge)
        said = bridge.command("setup", f"--join={file}", *places, check=False).stdout
        self.assertIn("secret-expired", said)
        self.assertIn("xmppctl callbridge join cb1", said)
        bridge.start()
        bridge.wait_failure("register", "secret-expired")
        self.edge.process.wait_for("secret-expired.*xmppctl callbridge join cb1")
        self.edge.command("callbridge", "join", "cb1", f"--output={file}")
        bridge.command("setup", f"--join={file}", "--replace")
        bridge.command("reload")
        bridge.wait_registered()
        shutil.rmtree(self.files)
