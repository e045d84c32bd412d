"""Tests of xmppd.proxies and xmppd.proxy_protocol: who a proxy says that its client is."""

from __future__ import annotations

import contextlib
import socket
import struct
from ipaddress import ip_network
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from daemonkit.listener import Acceptor
from daemonkit.networks import plain_address
from tests.support.memory import MemoryTransport
from xmppd.proxies import TrustedProxies
from xmppd.proxy_protocol import HEADER_TIMEOUT, MAX_HEADER, Header, HeaderFault, ProxiedFactory

PROXIES = TrustedProxies((ip_network("198.51.100.0/28"), ip_network("2001:db8:1::/64")))
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def version2(family: int, addresses: bytes, command: int = 1, more: bytes = b"") -> bytes:
    length = struct.pack("!H", len(addresses + more))
    return SIGNATURE + bytes([0x20 | command, family]) + length + addresses + more


IPV4 = socket.inet_aton("203.0.113.9") + socket.inet_aton("192.0.2.1") + struct.pack("!HH", 9, 5222)
IPV6 = (
    socket.inet_pton(socket.AF_INET6, "2001:db8::9")
    + socket.inet_pton(socket.AF_INET6, "2001:db8::1")
    + struct.pack("!HH", 9, 5222)
)
GOOD: dict[bytes, Any] = {
    version2(0x11, IPV4): IPv4Address("TCP", "203.0.113.9", 9),
    version2(0x11, IPV4, more=b"\x04\0\x01\0"): IPv4Address("TCP", "203.0.113.9", 9),
    version2(0x21, IPV6): IPv6Address("TCP", "2001:db8::9", 9),
    version2(0x00, b"", command=0): None,
    version2(0x11, IPV4, command=0): None,
    version2(0x00, b""): None,
    version2(0x31, b"/tmp/x".ljust(216, b"\0")): None,
    b"PROXY TCP4 203.0.113.9 192.0.2.1 9 5222\r\n": IPv4Address("TCP", "203.0.113.9", 9),
    b"PROXY TCP6 2001:db8::9 2001:db8::1 9 5222\r\n": IPv6Address("TCP", "2001:db8::9", 9),
    b"PROXY UNKNOWN\r\n": None,
}
BAD = (
    b"<?xml version='1.0'?><stream:stream>",
    b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
    SIGNATURE + b"\x11\x11\0\x0c" + IPV4,
    version2(0x11, IPV4[:5]),
    version2(0x11, IPV4, command=7),
    version2(0x11, IPV4, more=b"x" * MAX_HEADER),
    b"PROXY TCP4 203.0.113.9 192.0.2.1 9\r\n",
    b"PROXY TCP4 x 192.0.2.1 9 5222\r\n",
    b"PROXY TCP4 203.0.113.9 192.0.2.1 99999 5222\r\n",
    b"PROXY " + b"x" * MAX_HEADER,
)


class AddressTests(SynchronousTestCase):
    """Addresses as they are compared."""

    def test_mapped(self) -> None:
        """An IPv4 address that came over IPv6 is an IPv4 address."""
        self.assertEqual(plain_address("::ffff:192.0.2.7"), "192.0.2.7")
        self.assertEqual(plain_address("2001:DB8::7"), "2001:db8::7")
        self.assertEqual(plain_address(""), "")

    def test_trusted(self) -> None:
        """Networks are looked into, however the address is written."""
        for host in ("198.51.100.3", "::ffff:198.51.100.3", "2001:db8:1::5"):
            self.assertIn(host, PROXIES)
        for host in ("198.51.100.16", "2001:db8:2::5", "", "proxy.example.com"):
            self.assertNotIn(host, PROXIES)
        self.assertNotIn("198.51.100.3", TrustedProxies())


class HeaderTests(SynchronousTestCase):
    """The header's bytes."""

    def test_good(self) -> None:
        """Both versions, with what comes behind them in the same packet, in any two pieces."""
        for data, address in GOOD.items():
            for rest in (b"", b"<stream>\n"):
                whole = data + rest
                for cut in range(len(whole) + 1):
                    header = Header()
                    found = header.feed(whole[:cut])
                    if found is None:
                        found = header.feed(whole[cut:])
                    else:
                        found = found[0], found[1] + whole[cut:]
                    self.assertEqual(found, (address, rest), (data, cut))

    def test_bad(self) -> None:
        """Anything else is a fault, and never waited for beyond 2 KiB."""
        for data in BAD:
            header = Header()

            def feed(header: Header = header, data: bytes = data) -> None:
                for byte in data:
                    header.feed(bytes([byte]))

            self.assertRaises(HeaderFault, feed)

    @given(st.binary(max_size=300), st.booleans())
    def test_any_bytes(self, data: bytes, signed: bool) -> None:
        """Nothing else is raised."""
        with contextlib.suppress(HeaderFault):
            Header().feed(SIGNATURE * signed + data)


class Echo(Protocol):
    """Remembers what it was given."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.data = b""

    def dataReceived(self, data: bytes) -> None:
        self.data += data


class FactoryTests(SynchronousTestCase):
    """Which connections begin with a header."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.full = False
        accept = Acceptor(lambda host: None if self.full else Echo(host))
        self.factory = ProxiedFactory(accept, PROXIES, "tcp:5222", self.clock)

    def connect(self, host: str) -> MemoryTransport:
        transport = MemoryTransport()
        transport.protocol = self.factory.buildProtocol(IPv4Address("TCP", host, 1))
        transport.protocol.makeConnection(transport)
        return transport

    def test_trusted(self) -> None:
        """A trusted proxy's: the next protocol gets the client's address and all that follows."""
        transport = self.connect("198.51.100.1")
        for byte in version2(0x11, IPV4) + b"hel":
            transport.protocol.dataReceived(bytes([byte]))
        transport.protocol.dataReceived(b"lo")
        self.assertEqual(
            (transport.protocol.host, transport.protocol.data), ("203.0.113.9", b"hello")
        )
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_health_check(self) -> None:
        """Where the proxy speaks for itself, its own address counts."""
        transport = self.connect("198.51.100.1")
        transport.protocol.dataReceived(version2(0, b"", command=0))
        self.assertEqual(transport.protocol.host, "198.51.100.1")

    def test_untrusted(self) -> None:
        """Nobody else's header is read."""
        transport = self.connect("192.0.2.7")
        transport.protocol.dataReceived(version2(0x11, IPV4))
        self.assertEqual(transport.protocol.host, "192.0.2.7")
        self.assertEqual(transport.protocol.data, version2(0x11, IPV4))

    def test_no_header(self) -> None:
        """A trusted proxy that sends none is cut off."""
        transport = self.connect("198.51.100.1")
        transport.protocol.dataReceived(b"<?xml version='1.0'?>")
        self.assertTrue(transport.aborted)

    def test_silence(self) -> None:
        """And so is one that says nothing, or goes away."""
        transport = self.connect("198.51.100.1")
        transport.protocol.dataReceived(SIGNATURE)
        self.clock.advance(HEADER_TIMEOUT)
        self.assertTrue(transport.aborted)
        gone = self.connect("198.51.100.1")
        gone.protocol.connectionLost()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_full(self) -> None:
        """A client that is not let in is cut off."""
        self.full = True
        transport = self.connect("198.51.100.1")
        transport.protocol.dataReceived(version2(0x11, IPV4))
        self.assertTrue(transport.aborted)
