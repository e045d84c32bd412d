"""Sessions that outlive their connection (XEP-0198), with slixmpp's own stream management."""

from __future__ import annotations

import asyncio
from typing import Any

from slixmpp import ClientXMPP
from twisted.trial import unittest

from tests.support.rawstream import RawStream, client_header, plain
from tests.support.shared import shared_site
from tests.support.site import Site, small_site, started_small_site

PATIENCE = 30.0


def client(site: Site, resource: str) -> ClientXMPP:
    """Alice's client, with stream management; not connected yet."""
    made = ClientXMPP(f"alice@{site.domain}/{resource}", "wonderland", sasl_mech="PLAIN")
    made.register_plugin("xep_0198")
    made.ca_certs = str(site.ca.certificate_path)
    made.enable_direct_tls = False
    return made


class Events:
    """The events of a client that a test waits for, in order."""

    def __init__(self, made: ClientXMPP, *names: str) -> None:
        self._queues: dict[str, asyncio.Queue[Any]] = {name: asyncio.Queue() for name in names}
        for name, queue in self._queues.items():
            made.add_event_handler(name, queue.put_nowait)

    async def next(self, name: str) -> Any:
        return await asyncio.wait_for(self._queues[name].get(), PATIENCE)


class ResumptionTests(unittest.SynchronousTestCase):
    """A phone that changes networks."""

    def setUp(self) -> None:
        self.site = shared_site(type(self), started_small_site)
        self.server = self.site.servers[0]

    def test_resumed(self) -> None:
        """It keeps its session, and gets what was sent to it in between, once."""
        bodies = asyncio.run(self._change_networks())
        self.assertEqual(bodies, ["before", "between", "after"])

    async def _change_networks(self) -> list[str]:
        where = (self.server.address, self.server.client_port)
        phone, sofa = client(self.site, "phone"), client(self.site, "sofa")
        on_phone = Events(phone, "session_start", "session_resumed", "disconnected", "message")
        on_sofa = Events(sofa, "session_start")
        bodies = []

        async def hear() -> None:
            bodies.append((await on_phone.next("message"))["body"])

        phone.connect(*where)
        sofa.connect(*where)
        try:
            await on_phone.next("session_start")
            await on_sofa.next("session_start")
            to = phone.boundjid
            sofa.send_message(mto=to, mbody="before", mtype="chat")
            await hear()
            phone.abort()
            await on_phone.next("disconnected")
            sofa.send_message(mto=to, mbody="between", mtype="chat")
            phone.connect(*where)
            await on_phone.next("session_resumed")
            await hear()
            self.assertEqual(phone.boundjid, to)
            sofa.send_message(mto=to, mbody="after", mtype="chat")
            await hear()
        finally:
            await asyncio.gather(phone.disconnect(), sofa.disconnect())
        return bodies


class LimitTests(unittest.SynchronousTestCase):
    """``[session]`` of xmppd.ini."""

    def test_too_many(self) -> None:
        """A user has as many sessions as are allowed, and not one more."""
        site = small_site(settings={"session": {"max_sessions_per_user": 2}})
        self.addCleanup(site.close)
        site.start()
        answers = [self._bind(site) for _ in range(3)]
        self.assertIn(b"<jid>alice@example.com/", answers[1])
        self.assertIn(b"<resource-constraint", answers[2])
        self.assertEqual(site.servers[0].status()["sessions"], 2)

    def _bind(self, site: Site) -> bytes:
        server = site.servers[0]
        stream = RawStream(server.address, server.client_port)
        self.addCleanup(stream.close)
        stream.start_tls(site.ca.certificate_path, site.domain)
        stream.read_until("</stream:features>")
        stream.send(plain("alice", "wonderland"))
        stream.read_until("<success[^>]*/>")
        stream.send(client_header())
        stream.read_until("</stream:features>")
        stream.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
        return stream.read_until("</iq>")
