"""Steps 8 to 10: whom xmppd refuses, as both ends tell it, and who does not speak XMPP at all."""

from __future__ import annotations

import contextlib
import functools
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.integration.faults.crowd import Crowd, wait_failed
from tests.integration.faults.look import FaultCase, Seen, look
from tests.integration.faults.table import Row, provokes
from tests.support.ca import CertificateAuthority
from tests.support.impostors import TlsTalker
from tests.support.rawstream import RawStream, component_digest, component_header
from tests.support.site import CallBridge, XmppServer
from tests.support.waiting import wait_until
from xmppd.components.registry import Registry

DAY = timedelta(days=1)
#: As many connections of one address may be open that have not registered.
MOST = 64


@dataclass(frozen=True)
class Refusals:
    """``inside``: what the Call Bridges say, by name; ``edge``: the XMPP servers."""

    inside: dict[str, Seen]
    edge: dict[str, Seen]


def error(condition: str, text: str) -> bytes:
    """A header, and a stream error at once."""
    header = "<stream:stream xmlns='jabber:component:accept' id='1' from='cb1.example.com' "
    header += "xmlns:stream='http://etherx.jabber.org/streams'>"
    namespace = "urn:ietf:params:xml:ns:xmpp-streams"
    said = f"<{condition} xmlns='{namespace}'/><text xmlns='{namespace}'>{text}</text>"
    return f"{header}<stream:error>{said}</stream:error></stream:stream>".encode()


GREETINGS = {
    "mute": b"",
    "web": b"HTTP/1.1 400 Bad Request\r\nServer: web\r\n\r\n<html>",
    "flood": error("x", "y").partition(b"<stream:error>")[0] + b"<message>" + b"x" * 20_000,
    "policy": error("policy-violation", "not at this time of day"),
    "hasty": error("connection-timeout", "it did not register in time"),
    "full": error("resource-constraint", "too many links"),
}


@functools.cache
def refusals() -> Refusals:
    """Real servers that refuse, impostors, and Call Bridges that ought to be refused."""
    with Crowd() as crowd:
        site = crowd.site
        for name, greeting in GREETINGS.items():
            crowd.let_in(TlsTalker(*crowd.place(name), crowd.certificate(name), greeting))
        cut = TlsTalker(*crowd.place("cut"), crowd.certificate("cut"), hangs_up=True)
        crowd.let_in(cut)
        foreign = CertificateAuthority(site.directory / "foreign", "Foreign CA")
        well = site.server(
            "well", crowd.address(), settings={"component": {"registration_timeout": "3s"}}
        )
        trust = {"tls": {"callbridge_ca": foreign.certificate_path}}
        site.server("distrusts", crowd.address(), settings=trust)
        other = site.server("other", crowd.address())
        joined = site.server("joined", crowd.address())
        damaged = site.server("damaged", crowd.address())
        expired = site.server("expired", crowd.address(), prefix=["prlimit", "--nofile=512"])
        crowd.certificate("expired", not_after=datetime.now(UTC) - DAY)
        bridges = add_bridges(crowd, well)
        other.command("callbridge", "add-secret", "cb1", typed="another\n")
        secret = bridges["cb1"].secret_file.read_text().strip()
        Registry(joined.directory, site.domain).add_secret(site.domain, "cb1", secret, expires=1)
        (damaged.directory / "registry.sqlite").write_text("no registry")
        for name in (*list(bridges)[1:], "pretender", "rogue"):
            well.command("callbridge", "add-secret", name, typed=f"secret-of-{name}\n")
        site.nameserver.start()
        for daemon in site.servers:
            daemon.process.start()
        bridges["twin"].start()
        bridges["twin"].wait_registered(1)
        first, bridges["twin"] = bridges["twin"], copy_of(crowd, bridges["twin"])
        for bridge in bridges.values():
            bridge.process.start()
        for bridge in bridges.values():
            wait_failed(bridge)
        assert first.registered()
        bother(well, site.ca)
        with contextlib.suppress(ssl.SSLError):
            distrustful = RawStream(expired.address, expired.component_port)
            distrustful.secure(foreign.certificate_path, "example.com")
        records = f"--nameserver={site.nameserver.where}"
        servers = {one.name: one for one in (well, joined, damaged, expired)}
        with ThreadPoolExecutor(4) as pool:
            inside = dict(zip(bridges, pool.map(look, bridges.values()), strict=True))
            looks = pool.map(lambda one: look(one, records), servers.values())
            edge = dict(zip(servers, looks, strict=True))
        return Refusals(inside, edge)


def add_bridges(crowd: Crowd, server: XmppServer) -> dict[str, CallBridge]:
    """One that tries all servers, and some of which ``server`` is to take none."""
    quick = {"connect_timeout": "1s"}
    here = {"callbridge": {"server_address": f"{server.fqdn}:{server.component_port}"}}
    site = crowd.site
    bridges = {"cb1": site.bridge("cb1", settings={"link": quick})}
    for name in ("late", "misnamed", "usage", "twin"):
        bridges[name] = site.bridge(name, settings=here)
    site.ca.issue("late", dns=["late.example.com"], not_after=datetime.now(UTC) - DAY)
    site.ca.issue("misnamed", dns=["cb9.example.com"])
    site.ca.issue("usage", dns=["usage.example.com"], client=False)
    return bridges


def copy_of(crowd: Crowd, bridge: CallBridge) -> CallBridge:
    """The same name, secret and certificate, on what might be another host."""
    twin = CallBridge(bridge.name, crowd.site.directory / "copy")
    text = bridge.ini.read_text().replace(str(bridge.socket), str(twin.socket))
    twin.ini.write_text(text)
    crowd.site.bridges.append(twin)
    return twin


def bother(server: XmppServer, ca: CertificateAuthority) -> None:
    """Do to the port for components what should not be done to it."""
    where = (server.address, server.component_port)

    def connect(name: str) -> RawStream:
        stream = RawStream(*where)
        certificate = ca.issue(f"{name}-probe", dns=[f"{name}.example.com"])
        stream.secure(ca.certificate_path, "example.com", certificate)
        stream.send(component_header(f"{name}.example.com"))
        return stream

    plain = RawStream(*where)
    plain.send(component_header("nobody.example.com"))
    plain.read_to_end()
    bare = RawStream(*where)
    bare.secure(ca.certificate_path, "example.com")
    bare.read_to_end()
    connect("nobody").read_to_end()
    pretender = connect("pretender")
    pretender.read_until("<stream:stream[^>]*>")
    pretender.send(f"<handshake>{'0' * 40}</handshake>")
    pretender.read_to_end()
    rogue = connect("rogue")
    digest = component_digest(rogue.read_until("<stream:stream[^>]*>"), "secret-of-rogue")
    rogue.send(f"<handshake>{digest}</handshake>")
    rogue.read_until("<handshake[^>]*/>")
    rogue.send("<message from='alice@example.com' to='bob@example.com'/>")
    rogue.read_to_end()
    # From an address of their own: the Call Bridges are still to be let in.
    origin = ("127.0.0.77", 0)
    crowd = [socket.create_connection(where, source_address=origin) for _ in range(MOST + 1)]
    refused = {"resource-limit", "timeout"}
    wait_until(
        "it has had enough of them",
        lambda: refused <= {one["reason"] for one in server.status()["refused"]},
        explain=server.explain,
    )
    for one in crowd:
        one.close()


class InsideTests(FaultCase):
    """What Call Bridges say."""

    def of(self, row: Row, server: str) -> None:
        self.shows(row, refusals().inside["cb1"].of(f"{server}.example.com"))

    @provokes(
        "callbridgectl",
        "does not trust the issuer of the Call Bridge's",
    )
    def test_authority(self, row: Row) -> None:
        """The server trusts other authorities."""
        self.of(row, "distrusts")

    @provokes("callbridgectl", "The XMPP server does not know ...")
    def test_unknown(self, row: Row) -> None:
        """The server's registry does not have the name."""
        self.of(row, "well")

    @provokes("callbridgectl", "The XMPP server did not accept the secret of ...")
    def test_secret(self, row: Row) -> None:
        """The server has another secret."""
        self.of(row, "other")

    @provokes("callbridgectl", "The XMPP server did not hear from this Call Bridge in time")
    def test_join_file(self, row: Row) -> None:
        """The join file was used too late."""
        self.of(row, "joined")

    @provokes("callbridgectl", "The XMPP server did not confirm the registration in time.")
    def test_mute(self, row: Row) -> None:
        """TLS, and then nothing."""
        self.of(row, "mute")

    @provokes(
        "callbridgectl",
        "closed the connection before it confirmed",
    )
    def test_cut(self, row: Row) -> None:
        """TLS, and then the end."""
        self.of(row, "cut")

    @provokes("callbridgectl", "The XMPP server lost patience with this Call Bridge")
    def test_impatient(self, row: Row) -> None:
        """The server does not wait for us."""
        self.of(row, "hasty")

    @provokes("callbridgectl", "The XMPP server broke a rule of the stream (not-well-formed)")
    def test_web(self, row: Row) -> None:
        """A web server."""
        self.of(row, "web")

    @provokes("callbridgectl", "The XMPP server broke a rule of the stream (policy-violation)")
    def test_flood(self, row: Row) -> None:
        """A server that says too much."""
        self.of(row, "flood")

    @provokes("callbridgectl", "The XMPP server ended the stream (internal-server-error: ...)")
    def test_registry(self, row: Row) -> None:
        """The server cannot read its registry."""
        self.of(row, "damaged")

    @provokes("callbridgectl", "The XMPP server has no room for this link")
    def test_no_room(self, row: Row) -> None:
        """The server is full."""
        self.of(row, "full")

    @provokes("callbridgectl", "The XMPP server ended the link by its policy")
    def test_policy(self, row: Row) -> None:
        """The server has a rule of its own."""
        self.of(row, "policy")

    @provokes("callbridgectl", "The XMPP server's certificate expired on ...")
    def test_expired(self, row: Row) -> None:
        """The server's certificate has expired."""
        self.of(row, "expired")

    @provokes("callbridgectl", "The XMPP server refused the Call Bridge's certificate as expired.")
    def test_ours_expired(self, row: Row) -> None:
        """Ours has."""
        self.shows(row, refusals().inside["late"])

    @provokes("callbridgectl", "The XMPP server refused this Call Bridge's certificate (...)")
    def test_ours_of_another(self, row: Row) -> None:
        """Ours is for another Call Bridge."""
        self.shows(row, refusals().inside["misnamed"])

    @provokes("callbridgectl", "The XMPP server refused the Call Bridge's certificate (...)")
    def test_ours_for_servers(self, row: Row) -> None:
        """Ours is for servers."""
        self.shows(row, refusals().inside["usage"])

    @provokes("callbridgectl", "Another link is registered as ... at the XMPP server")
    def test_twin(self, row: Row) -> None:
        """Another Call Bridge has our name."""
        self.shows(row, refusals().inside["twin"])


class EdgeTests(FaultCase):
    """What XMPP servers say."""

    @provokes("xmppctl", "The Call Bridge does not speak TLS on this port")
    def test_plain_text(self, row: Row) -> None:
        """No TLS."""
        self.shows(row, refusals().edge["well"])

    @provokes("xmppctl", "The Call Bridge presented no certificate, and it must.")
    def test_no_certificate(self, row: Row) -> None:
        """TLS without a certificate."""
        self.shows(row, refusals().edge["well"])

    @provokes("xmppctl", "does not trust the issuer of the XMPP server's")
    def test_distrusted(self, row: Row) -> None:
        """A Call Bridge that trusts other authorities."""
        self.shows(row, refusals().edge["expired"])

    @provokes("xmppctl", "The Call Bridge's certificate lacks the component name ...")
    def test_misnamed(self, row: Row) -> None:
        """A certificate of another Call Bridge."""
        self.shows(row, refusals().edge["well"])

    @provokes("xmppctl", "no Call Bridge or component ... is known here.")
    def test_unknown(self, row: Row) -> None:
        """A name that nobody has added."""
        self.shows(row, refusals().edge["well"])

    @provokes("xmppctl", "it did not register in time")
    def test_silent(self, row: Row) -> None:
        """Connections that say nothing."""
        self.shows(row, refusals().edge["well"])

    @provokes("xmppctl", "are open that have not registered.")
    def test_too_many(self, row: Row) -> None:
        """And too many of them."""
        self.shows(row, refusals().edge["well"])

    @provokes("xmppctl", "the secret of ... is not the one known here.")
    def test_secret(self, row: Row) -> None:
        """A wrong secret."""
        self.shows(row, refusals().edge["well"])

    @provokes("xmppctl", "... is registered already, by a link that is alive.")
    def test_twin(self, row: Row) -> None:
        """Two Call Bridges with one name."""
        self.shows(row, refusals().edge["well"])

    @provokes("xmppctl", "it sent a stanza from ...")
    def test_rogue(self, row: Row) -> None:
        """A component that uses the address of another."""
        self.shows(row, refusals().edge["well"])

    @provokes("xmppctl", "the join file of ... was good until ...")
    def test_join_file(self, row: Row) -> None:
        """A Call Bridge comes too late with the secret out of its join file."""
        self.shows(row, refusals().edge["joined"])

    @provokes("xmppctl", "is damaged or no registry")
    def test_damaged(self, row: Row) -> None:
        """The registry is no database."""
        self.shows(row, refusals().edge["damaged"])

    @provokes("xmppctl", "The Call Bridge refused the XMPP server's certificate as expired.")
    def test_expired(self, row: Row) -> None:
        """The server's certificate has expired."""
        self.shows(row, refusals().edge["expired"])

    @provokes("xmppctl", "... of ... in xmppd. That is few")
    def test_few_files(self, row: Row) -> None:
        """Few files may be open."""
        self.shows(row, refusals().edge["expired"])
