"""Tests of bridgewire.sni: real handshakes with a server that has several certificates."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from OpenSSL import SSL
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates

from bridgewire import tls
from bridgewire.certificates import load_identity
from bridgewire.identity import Identity
from bridgewire.sni import choose_by_name
from bridgewire.steps import Reason, Step
from bridgewire.tls_failures import Untrusted
from tests.bridgewire.tls_case import TlsCase


class SniTests(TlsCase):
    """One server for example.com, bücher.example and example.net, with a certificate for each."""

    def setUp(self) -> None:
        super().setUp()
        self.com = self.identity("com", "example.com", "xmpp.example.com")
        self.books = self.identity("books", "xn--bcher-kva.example", "example.com")
        self.net = self.identity("net", "example.net", "*.wild.example.net", "XMPP.example.com")

    def identity(self, file_name: str, *names: str) -> Identity:
        return load_identity(*self.ca.issue(file_name, dns=names))

    def clients(self, **authorities: Any) -> dict[str, tls.Connections]:
        """The client ports' end of all three, with the authorities of some of them."""
        servers = {
            "example.com": tls.client_server(self.com, authorities.get("com", ())),
            "bücher.example": tls.client_server(self.books, authorities.get("books", ())),
            "example.net": tls.client_server(self.net, authorities.get("net", ())),
        }
        choose_by_name(servers)
        return servers

    def shown(self, server: Any, name: str | None) -> Any:
        """The certificate that a client sees which asks for ``name``."""
        client = tls.link_client(self.client_identity, self.authorities, name)
        return self.connect(server, client)[1].certificate

    def test_domain(self) -> None:
        """A client sees the certificate of the domain that it names, whatever its case."""
        first = self.clients()["example.com"]
        for name, identity in (
            ("example.com", self.com),
            ("EXAMPLE.net", self.net),
            ("bücher.example", self.books),
        ):
            self.assertEqual(self.shown(first, name), identity.certificate, name)

    def test_host(self) -> None:
        """Other names in a certificate count too; of two that have the same, the first one's."""
        first = self.clients()["example.com"]
        self.assertEqual(self.shown(first, "xmpp.example.com"), self.com.certificate)
        self.assertEqual(self.shown(first, "a.wild.example.net"), self.net.certificate)
        self.assertEqual(self.shown(first, "a.b.wild.example.net"), self.com.certificate)

    def test_no_name(self) -> None:
        """Without a name, or with one of nobody, it is the certificate that was chosen before."""
        servers = self.clients()
        for name in (None, "example.org", "x" * 200):
            self.assertEqual(self.shown(servers["example.com"], name), self.com.certificate)
            self.assertEqual(self.shown(servers["example.net"], name), self.net.certificate)

    def test_channel_binding(self) -> None:
        """The binding to the server's certificate is to the one that the client saw."""
        client = tls.link_client(self.client_identity, self.authorities, "example.net")
        server, _ = self.connect(self.clients()["example.com"], client)
        bindings = tls.channel_bindings(server.transport)
        self.assertEqual(
            bindings["tls-server-end-point"], self.net.certificate.fingerprint(hashes.SHA256())
        )

    def test_alpn(self) -> None:
        """ALPN is settled after a switch too: XMPP or nothing."""
        for offered, agreed in ((b"xmpp-client", b"xmpp-client"), (b"http/1.1", b"")):
            client = optionsForClientTLS(
                "example.net", self.ca_root(), acceptableProtocols=[offered]
            )
            server, _ = self.connect(self.clients()["example.com"], client)
            handle = server.transport.getHandle()
            self.assertEqual(handle.get_alpn_proto_negotiated(), agreed)

    def test_other_alpn(self) -> None:
        """A port for another protocol agrees to that one."""
        client = optionsForClientTLS(
            "example.com", self.ca_root(), acceptableProtocols=[b"h2", b"http/1.1"]
        )
        server, _ = self.connect(tls.client_server(self.com, alpn=b"http/1.1"), client)
        self.assertEqual(server.transport.getHandle().get_alpn_proto_negotiated(), b"http/1.1")

    def test_client_certificate(self) -> None:
        """A client is asked for a certificate where its domain has authorities for clients."""
        servers = self.clients(net=self.authorities)
        client = tls.link_client(self.client_identity, self.authorities, "example.net")
        server, _ = self.connect(servers["example.com"], client)
        self.assertEqual(server.certificate, self.client_identity.certificate)
        without = optionsForClientTLS("example.net", self.ca_root())
        server, _ = self.connect(servers["example.com"], without)
        self.assertTrue(server.secured)
        self.assertIs(server.certificate, None)
        elsewhere = tls.link_client(self.client_identity, self.authorities, "example.com")
        server, _ = self.connect(servers["example.net"], elsewhere)
        self.assertTrue(server.secured)
        self.assertIs(server.certificate, None)

    def test_untrusted_client_certificate(self) -> None:
        """A certificate is held against the authorities of the domain that the client names.

        Nobody else hears of it: another client of the same server gets in afterwards.
        """
        servers = self.clients(com=(self.foreign.certificate,), net=self.authorities)
        stranger = load_identity(*self.foreign.issue("alice"))
        for client, name, good in (
            (stranger, "example.net", False),
            (stranger, "example.com", True),
            (self.client_identity, "example.net", True),
            (self.client_identity, "example.com", False),
        ):
            for server in servers.values():
                settings = tls.link_client(client, self.authorities, name)
                ours, _ = self.connect(server, settings)
                self.assertEqual(ours.secured, good)
                if not good:
                    failure = ours.failure(tls.CLIENT_PORT)
                    self.assertEqual(failure.step, Step.CERTIFICATE)
                    self.assertEqual(failure.reason, Reason.CERTIFICATE_UNTRUSTED)
                    after, _ = self.connect(server, optionsForClientTLS("x", self.ca_root()))
                    self.assertFalse(after.reason and after.reason.check(Untrusted))

    def test_certificate_proves_nothing_to_others(self) -> None:
        """A certificate that one domain's authorities verified is none for the other domains."""
        servers = self.clients(com=(self.foreign.certificate,), net=self.authorities)
        client = tls.link_client(self.client_identity, self.authorities, "example.net")
        server, _ = self.connect(servers["example.com"], client)
        seen = {
            name: tls.peer_certificate(server.transport, verified_by=one)
            for name, one in servers.items()
        }
        self.assertEqual(seen.pop("example.net"), self.client_identity.certificate)
        self.assertEqual(set(seen.values()), {None})

    def test_links(self) -> None:
        """A link too sees the domain's certificate, and still must show its own."""
        servers = {
            "example.com": tls.link_server(self.com, self.authorities, "required"),
            "example.net": tls.link_server(self.net, self.authorities, "required"),
        }
        choose_by_name(servers)
        first = servers["example.com"]
        self.assertEqual(self.shown(first, "example.net"), self.net.certificate)
        server, _ = self.connect(first, optionsForClientTLS("example.net", self.ca_root()))
        failure = server.failure(tls.XMPPD)
        self.assertEqual(failure.reason, Reason.CERTIFICATE_REQUIRED)

    def test_shared_contexts(self) -> None:
        """However many connect, there is one context for each domain: it is most of the memory."""
        servers = self.clients()
        made: set[SSL.Context] = set()
        for _ in range(3):
            for name in servers:
                client = tls.link_client(self.client_identity, self.authorities, name)
                server, _ = self.connect(servers["example.com"], client)
                made.add(server.transport.getHandle().get_context())
        self.assertEqual(made, {server.context for server in servers.values()})

    def ca_root(self) -> Any:
        pem = Path(self.ca.certificate_path).read_bytes()
        return trustRootFromCertificates([Certificate.loadPEM(pem)])

    def test_replaced(self) -> None:
        """With other certificates a new client sees the new one, whatever it names; a connection
        that is up has the one that it began with."""
        servers = self.clients()
        first = servers["example.com"]
        old, _ = self.connect(first, tls.link_client(self.client_identity, self.authorities))
        com, net = self.com, self.net
        self.com, self.net = (
            self.identity("com", "example.com"),
            self.identity("net", "example.net"),
        )
        for name, fresh in self.clients().items():
            servers[name].replace(fresh)
        for name, identity in (
            ("example.com", self.com),
            ("example.net", self.net),
            (None, self.com),
        ):
            self.assertEqual(self.shown(first, name), identity.certificate, name)
        self.assertNotIn(com.certificate, (self.com.certificate, net.certificate))
        self.assertEqual(
            old.transport.getHandle().get_certificate(as_cryptography=True), com.certificate
        )

    def test_replaced_authorities(self) -> None:
        """What was held against the same authorities still counts, and else no more."""
        servers = self.clients(com=self.authorities)
        first = servers["example.com"]
        client = tls.link_client(self.client_identity, self.authorities, "example.com")
        server, _ = self.connect(first, client)

        def known() -> bool:
            return tls.peer_certificate(server.transport, first) is not None

        self.assertTrue(known())
        for _ in range(2):
            first.replace(self.clients(com=self.authorities)["example.com"])
            self.assertTrue(known())
        first.replace(self.clients()["example.com"])
        self.assertFalse(known())
        first.replace(self.clients(com=self.authorities)["example.com"])
        self.assertFalse(known())

    def test_former_contexts_go(self) -> None:
        """The contexts of before are gone with their last connection."""
        servers = self.clients()
        former = [weakref.ref(one.context) for one in servers.values()]
        for name, fresh in self.clients().items():
            servers[name].replace(fresh)
        del fresh
        gc.collect()
        self.assertEqual([one() for one in former], [None] * 3)
