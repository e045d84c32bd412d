"""Real daemons: a Call Bridge moves to other settings, and nobody who logs in notices."""

from __future__ import annotations

import base64

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.api.case import XMPP, ApiSite
from tests.integration.test_reload import Client, change
from tests.integration.test_rotation import LoggingIn
from tests.support.processes import free_port
from tests.support.rawstream import RawStream
from tests.support.shared import shared_site
from tests.support.site import CallBridge, Site, XmppServer, making
from tests.support.waiting import wait_until

ORG = "example.org"
ALIAS = "other.example.com"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"


def started_site() -> ApiSite:
    """Two XMPP servers, both in the SRV records; the first has two names, and two domains."""
    with making(ApiSite(servers=2)) as site:
        first, bridge = site.servers[0], site.callbridge
        names = ["example.com", first.fqdn, ALIAS]
        site.zone.hosts[ALIAS] = [first.address]
        site.ca.issue("xmpp1", dns=names)
        certificate, key = site.ca.issue("org", dns=[ORG, *names])
        change(first, {f"domain {ORG}": {"certificate": certificate, "private_key": key}})
        names = ["cb1.example.com", "cb2.example.com", f"cb1.{ORG}"]
        site.ca.issue("cb1", dns=names, ip=["127.0.0.1"])
        secret = bridge.secret_file.read_text()
        first.command("callbridge", "add-secret", "cb1", "--domain", ORG, typed=secret)
        site.start()
    return site


class HalfLogin:
    """Alice's login, of which the Call Bridge has answered the first message."""

    def __init__(self, site: Site, server: XmppServer, domain: str = "example.com") -> None:
        self.stream = RawStream(server.address, server.client_port)
        self.stream.start_tls(site.ca.certificate_path, domain)
        self.stream.read_until("</stream:features>")
        self.stream.send(f"<auth xmlns='{SASL}' mechanism='PLAIN'/>")
        self.stream.read_until("<challenge[^>]*/>")

    def finish(self) -> str:
        """Give the password; ``success``, or what was answered instead."""
        password = base64.b64encode(b"\0alice\0wonderland").decode()
        self.stream.send(f"<response xmlns='{SASL}'>{password}</response>")
        answer = self.stream.read_until("<success[^>]*>|</failure>").decode()
        self.stream.close()
        return "success" if "<success" in answer else answer


class MovingCase(SynchronousTestCase):
    """The same site for all tests; each begins with a link to the first server alone."""

    bridge: CallBridge
    people: LoggingIn
    site: ApiSite

    def setUp(self) -> None:
        site = shared_site(MovingCase, started_site)
        assert isinstance(site, ApiSite)
        self.site = site
        (self.bridge,) = self.site.bridges
        self.first, self.second = self.site.servers
        self.secret = "secret-of-cb1"
        self.set(name="cb1", domain="example.com", server_address=self.address(self.first))
        self.wait_moved()
        self.first.wait_serving("cb1")

    def address(self, server: XmppServer, host: str = "") -> str:
        return f"{host or server.fqdn}:{server.component_port}"

    def set(self, **callbridge: object) -> None:
        """Change the file, and reload as an operator does."""
        self.bridge.secret_file.write_text(f"{self.secret}\n")
        change(self.bridge, {"callbridge": callbridge})
        self.bridge.command("reload")

    def wait_moved(self) -> None:
        """Until links by the settings of today are up, and there are no others."""
        wait_until(
            "the links have moved",
            lambda: (
                {one["state"] for one in self.bridge.links()} == {"registered"}
                and not self.bridge.status()["former"]
            ),
            explain=self.bridge.explain,
        )

    def log_in(self, server: XmppServer) -> str:
        client = Client(self.site, server=server)
        self.addCleanup(client.stream.close)
        return client.result()

    def logging_in(self) -> None:
        """Somebody logs in at the first server all the time, and somebody has a session there."""
        self.people = LoggingIn(self.site, self.first)
        self.addCleanup(self.people.stop)
        self.session = Client(self.site).bind()
        self.addCleanup(self.session.stream.close)
        self.wait_for_logins()

    def wait_for_logins(self, count: int = 5) -> None:
        """Until there were so many more."""
        least = self.people.results.total() + count
        wait_until("people log in", lambda: self.people.results.total() >= least)

    def assert_nobody_noticed(self) -> None:
        """All logins succeeded, and the session is there."""
        self.wait_for_logins()
        self.people.stop()
        self.assertEqual(set(self.people.results), {"success"}, self.people.results)
        self.session.ping()

    def wait_failing(self, step: str, reason: str) -> None:
        """Until the new links fail like this; the former one is up."""
        self.bridge.wait_failure(step, reason)
        (former,) = self.bridge.status()["former"]
        self.assertEqual((former["callbridge"], former["state"]), ("cb1", "registered"))
        self.assertEqual(self.bridge.status()["authentication_service"], "registered")


class WorkingTests(MovingCase):
    """Settings that work."""

    def test_another_server(self) -> None:
        """As long as the other server takes, this one is served, and a login that has begun there
        comes to its end."""
        self.logging_in()
        self.second.freeze()
        self.addCleanup(self.second.thaw)
        self.set(server_address=self.address(self.second))
        self.wait_for_logins()
        self.assertEqual(set(self.people.results), {"success"})
        self.people.stop()
        half = HalfLogin(self.site, self.first)
        self.second.thaw()
        self.second.wait_serving("cb1")
        self.first.wait_state("cb1", "draining")
        self.assertEqual(half.finish(), "success")
        self.assertEqual(self.log_in(self.second), "success")
        self.wait_moved()
        self.first.wait_state("cb1", "down")
        self.session.ping()

    def test_same_server(self) -> None:
        """To another name of the server, to SRV records and back: there is no gap, and nobody is
        told of a conflict."""
        since = self.first.process.mark(), self.bridge.process.mark()
        self.logging_in()
        for where in (self.address(self.first, ALIAS), "", self.address(self.first)):
            half = HalfLogin(self.site, self.first)
            self.set(server_address=where)
            self.wait_for_logins()
            self.assertEqual(half.finish(), "success")
            self.wait_moved()
        self.assert_nobody_noticed()
        for daemon, mark in zip((self.first, self.bridge), since, strict=True):
            self.assertNotIn("conflict", daemon.process.text(mark))
        self.bridge.process.wait_for("the links have moved to cb1.example.com by SRV", since[1])

    def test_frozen_server(self) -> None:
        """It is no obstacle that the server which is left does not answer."""
        self.first.freeze()
        self.addCleanup(self.first.thaw)
        self.set(server_address=self.address(self.second))
        self.second.wait_serving("cb1")
        self.assertEqual(self.log_in(self.second), "success")

    def test_domain(self) -> None:
        """A login that has begun in the former domain ends there, and the next are in the new."""
        self.logging_in()
        half = HalfLogin(self.site, self.first)
        since = self.bridge.process.mark()
        self.set(domain=ORG)
        self.bridge.process.wait_for(f"the links have moved to cb1.{ORG} at", since)
        self.assertEqual(half.finish(), "success")
        self.assertEqual(HalfLogin(self.site, self.first, ORG).finish(), "success")
        self.wait_moved()
        self.session.ping()
        logins = self.bridge.command("--json", "logins").stdout
        self.assertIn(f'"domain": "{ORG}"', logins)


class FailingTests(MovingCase):
    """Settings that do not, or not yet."""

    def test_unknown_name(self) -> None:
        """A name that the server does not know changes nothing, until it does."""
        self.logging_in()
        self.set(name="cb2")
        self.wait_failing("register", "host-unknown")
        self.wait_for_logins()
        shown = " ".join(str(self.bridge.command("status").stdout).split())
        self.assertIn("Call Bridge: cb2 of example.com", shown)
        self.assertIn("register, host-unknown: The XMPP server does not know cb2", shown)
        self.assertIn("Former connection: as cb1.example.com: connected to", shown)
        self.assertIn("The links have not moved to cb2.example.com at", shown)
        self.first.command("callbridge", "add-secret", "cb2", typed=self.secret + "\n")
        self.wait_moved()
        self.first.wait_serving("cb2")
        self.assert_nobody_noticed()

    def test_secret(self) -> None:
        """Another address with a wrong secret; back to what was, and the link is the same."""
        since = self.bridge.links()[0]["since"]
        self.logging_in()
        self.secret = "wrong"
        self.set(server_address=self.address(self.second))
        self.wait_failing("register", "authentication-failure")
        self.wait_for_logins()
        self.secret = "secret-of-cb1"
        self.set(server_address=self.address(self.first))
        self.wait_moved()
        self.assertEqual(self.bridge.links()[0]["since"], since)
        self.assert_nobody_noticed()

    def test_at_once(self) -> None:
        """Who asks for that has the former links end before there are others; also then another
        change, or taking it back, brings them where they ought to be."""
        nowhere = f"{self.second.fqdn}:{free_port(self.second.address)}"
        self.addCleanup(self.bridge.command, "config", "reset")
        body = {"serverAddressOverride": nowhere, "replaceImmediately": "true"}
        self.assertEqual(self.site.ask(XMPP, "PUT", body).status, 200)
        self.first.wait_state("cb1", "down")
        self.bridge.wait_failure("connect", "connect-refused")
        status = self.bridge.status()
        self.assertEqual((status["former"], status["authentication_service"]), ([], "down"))
        body = {"serverAddressOverride": self.address(self.second)}
        self.assertEqual(self.site.ask(XMPP, "PUT", body).status, 200)
        self.second.wait_serving("cb1")
        self.bridge.command("config", "reset")
        self.first.wait_serving("cb1")
        self.wait_moved()
        self.second.wait_state("cb1", "down")

    def test_restart(self) -> None:
        """After a restart there are the new settings alone; the next ones then count at once."""
        self.set(name="cb3")
        self.wait_failing("register", "host-unknown")
        self.bridge.stop()
        self.bridge.start()
        self.bridge.wait_failure("register", "host-unknown")
        status = self.bridge.status()
        self.assertEqual((status["former"], status["authentication_service"]), ([], "down"))
        self.set(name="cb1")
        self.first.wait_serving("cb1")

    def test_server_dies(self) -> None:
        """While they wait to move, the server of the former links dies and comes back, and they
        with it."""
        self.second.stop()
        self.set(server_address=self.address(self.second))
        self.wait_failing("connect", "connect-refused")
        self.first.kill()
        wait_until(
            "nothing is up",
            lambda: self.bridge.status()["authentication_service"] == "down",
            explain=self.bridge.explain,
        )
        self.first.start()
        self.first.wait_serving("cb1")
        self.assertEqual(self.log_in(self.first), "success")
        self.second.start()
        self.wait_moved()
        self.assertEqual(self.log_in(self.second), "success")
