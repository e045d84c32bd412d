"""A network in memory: XMPP servers that tests type for, behind real TLS, at any address."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from twisted.internet import error
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.test import iosim

from bridgewire import tls
from bridgewire.certificates import load_authorities, load_identity
from bridgewire.steps import Reason, Step, StepFailure
from callbridged.links.discovery import Found, Target
from callbridged.links.link_interface import LinkSettings
from tests.support.ca import CertificateAuthority

STREAMS = "http://etherx.jabber.org/streams"
HOSTS = {f"xmpp{number}.example.com": f"192.0.2.{number}" for number in range(1, 10)}


class Certificates:
    """What both ends show each other, made once."""

    def __init__(self) -> None:
        directory = Path(tempfile.mkdtemp(prefix="links-"))
        try:
            authority = CertificateAuthority(directory)
            self.authorities = load_authorities(authority.certificate_path)
            self.server = load_identity(*authority.issue("s", dns=["example.com", *HOSTS]))
            self.misnamed = load_identity(*authority.issue("m", dns=["example.com"]))
            self.bridge = load_identity(*authority.issue("b", dns=["cb1.example.com"]))
        finally:
            shutil.rmtree(directory)


certificates = cache(Certificates)


def settings(**changes: Any) -> LinkSettings:
    """The settings of a Call Bridge cb1, with round durations."""
    ours = certificates()
    creator = tls.link_client(ours.bridge, ours.authorities, "example.com")
    return LinkSettings("cb1", "example.com", "s3cret", creator, **changes)


class Zone:
    """Discovery and addresses, as a test wants them at the moment."""

    def __init__(self, *targets: Target) -> None:
        self.targets = targets
        self.failure: StepFailure | None = None
        self.ttl: int | None = 300
        self.asked = 0
        self.held: Deferred[None] | None = None

    async def find(self) -> Found:
        self.asked += 1
        if self.held is not None:
            await self.held
        if self.failure is not None:
            raise self.failure
        text = ", ".join(map(str, self.targets))
        return Found(self.targets, ((Step.SRV, text),), ttl=self.ttl)

    async def addresses(self, host: str) -> list[str]:
        if host not in HOSTS:
            raise StepFailure(Step.ADDRESS, Reason.DNS_FAILURE, f"{host} has no address.")
        return [HOSTS[host]]


class Server(Protocol):
    """One accepted connection."""

    transport: Any

    def __init__(self, network: Network) -> None:
        self._network = network
        self._heard = b""
        #: The name that the header asks for.
        self.called = ""
        self.lost = False

    def dataReceived(self, data: bytes) -> None:
        self._heard += data
        asked = re.search(rb"\bto='(\w+)\.", self._heard) if not self.called else None
        if asked:
            self.called = asked[1].decode()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.lost = True

    def read(self) -> str:
        """Answer what came since the last time."""
        heard, self._heard = self._heard, b""
        return heard.decode(errors="replace")

    def type(self, text: str) -> str:
        """Send, and answer what came back."""
        self.read()
        self.transport.write(text.encode())
        self._network.settle()
        return self.read()

    def open(self) -> str:
        return self.type(
            f"<stream:stream xmlns='jabber:component:accept' xmlns:stream='{STREAMS}' id='abc'>"
        )

    def register(self) -> Server:
        """Accept the registration."""
        self.open()
        self.type("<handshake/>")
        return self

    def refuse(self, condition: str) -> None:
        """Say no."""
        self.open()
        self.type(
            f"<stream:error><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
            "</stream:error></stream:stream>"
        )
        self.close()

    def close(self) -> None:
        self.transport.loseConnection()
        self._network.settle()

    def vanish(self) -> None:
        """The process dies: the connection breaks without a word."""
        self.transport.abortConnection()
        self._network.settle()


class Network(MemoryReactorClock):
    """A reactor whose connections wait to be accepted or refused."""

    def __init__(self) -> None:
        super().__init__()
        self._pumps: list[iosim.IOPump] = []
        self._seen = 0

    def dialled(self) -> list[str]:
        """Answer the addresses dialled since the last time."""
        clients = self.tcpClients[self._seen :]
        self._seen = len(self.tcpClients)
        return [host for host, *_ in clients]

    def settle(self) -> None:
        """Let everything happen that takes no time."""
        self.advance(0)
        while sum(pump.flush() for pump in self._pumps):
            self.advance(0)

    def pass_time(self, seconds: float, step: float = 0.5) -> None:
        """Let time pass, with everything that happens meanwhile."""
        end = self.seconds() + seconds
        while self.seconds() < end - 1e-9:
            self.advance(min(step, end - self.seconds()))
            self.settle()

    def _dial(self, address: str, before: int = 0) -> Sequence[Any]:
        found = [
            (*client, connector)
            for client, connector in zip(self.tcpClients, self.connectors, strict=True)
            if client[0] == address
        ]
        assert len(found) > before, f"nobody dialled {address}"
        return found[-1 - before]

    def given_up(self, host: str, before: int = 0) -> bool:
        """True where nobody waits any more for the connection that `accept` would take."""
        stopped: bool = self._dial(HOSTS[host], before)[-1].stoppedConnecting
        return stopped

    def accept(
        self, host: str, identity: Any = None, plain: bool = False, before: int = 0
    ) -> Server:
        """Accept the last connection to ``host``, or the one so many ``before`` it.

        With TLS unless ``plain``.
        """
        address = HOSTS[host]
        client = self._dial(address, before)[2].buildProtocol(IPv4Address("TCP", address, 5223))
        server = Server(self)
        end: Any = server
        if not plain:
            ours = certificates()
            context = tls.link_server(identity or ours.server, ours.authorities, "required")
            factory = Factory.forProtocol(lambda: server)
            end = TLSMemoryBIOFactory(context, False, factory, clock=self).buildProtocol(
                IPv4Address("TCP", "192.0.2.100", 40000)
            )
        peer = IPv4Address("TCP", address, 5223)
        self._pumps.append(
            iosim.connect(
                end,
                iosim.FakeTransport(end, True),
                client,
                iosim.FakeTransport(client, False, peerAddress=peer),
                clock=self,
            )
        )
        self.settle()
        return server

    def refuse(self, host: str) -> None:
        """Refuse the last connection to ``host``."""
        *_, factory, _, _, connector = self._dial(HOSTS[host])
        factory.clientConnectionFailed(connector, Failure(error.ConnectionRefusedError()))
        self.pass_time(0.25, 0.25)
