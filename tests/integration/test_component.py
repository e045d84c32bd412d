"""Foreign XEP-0114 components use the same port as the Call Bridges."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

from slixmpp.exceptions import IqError
from twisted.trial import unittest

from tests.support import people
from tests.support.processes import Process
from tests.support.shared import shared_site
from tests.support.site import Site, started_small_site

NODE = Path(__file__).parent / "node"
SECRET = "echo-secret"


class ForeignComponentTests(unittest.SynchronousTestCase):
    """The component ``echo.example.com``, which never offers a login service."""

    def setUp(self) -> None:
        self.site = shared_site(type(self), self.make)
        self.certificate = self.site.ca.issue("echo", dns=["echo.example.com"])

    def make(self) -> Site:
        site = started_small_site()
        site.servers[0].command("callbridge", "add-secret", "echo", typed=SECRET + "\n")
        return site

    def ask_as_alice(self, then: Any) -> people.Login:
        server = self.site.servers[0]
        return asyncio.run(self._alice(server.address, server.client_port, then))

    async def _alice(self, address: str, port: int, then: Any) -> people.Login:
        return await people.log_in(
            address,
            port,
            "alice@example.com/test",
            "wonderland",
            self.site.ca.certificate_path,
            then=then,
        )

    def test_slixmpp(self) -> None:
        """slixmpp's component registers, pings the server, and answers disco and ping."""
        server = self.site.servers[0]
        seen: dict[str, Any] = {}

        async def ask(client: Any) -> None:
            seen["info"] = await client["xep_0030"].get_info(jid="echo.example.com")
            seen["ping"] = await client["xep_0199"].ping("echo.example.com", timeout=10)

        async def serve(component: Any) -> None:
            component["xep_0030"].add_identity(category="component", itype="generic", name="Echo")
            seen["server ping"] = await component["xep_0199"].ping(
                "example.com", ifrom="echo.example.com", timeout=10
            )
            seen["state"] = await asyncio.to_thread(server.callbridge, "echo")
            seen["login"] = await self._alice(server.address, server.client_port, ask)

        asyncio.run(
            people.be_component(
                server.address,
                server.component_port,
                "echo.example.com",
                SECRET,
                "example.com",
                self.site.ca.certificate_path,
                self.certificate,
                serve,
            )
        )
        self.assertTrue(seen["login"].ok, seen)
        self.assertIn("info", seen, server.explain())
        identities = seen["info"]["disco_info"]["identities"]
        self.assertIn("Echo", {one[3] for one in identities})
        self.assertEqual(seen["state"]["state"], "registered")
        self.assertFalse(seen["state"]["mechanisms"])
        server.wait_state("echo", "down")

    def test_xmpp_js(self) -> None:
        """@xmpp/component registers, pings the server, and answers a client's query."""
        server = self.site.servers[0]
        node = shutil.which("node")
        self.assertTrue(node, "node is missing: apt-get install nodejs npm")
        self.assertTrue(
            (NODE / "node_modules").is_dir(), "run: npm ci --prefix tests/integration/node"
        )
        certificate, key = self.certificate
        options = {
            "host": server.address,
            "port": server.component_port,
            "serverName": "example.com",
            "authority": str(self.site.ca.certificate_path),
            "certificate": str(certificate),
            "key": str(key),
            "domain": "echo.example.com",
            "server": "example.com",
            "secret": SECRET,
        }
        script = Process(
            "the node component",
            [str(node), NODE / "component.js", json.dumps(options)],
            self.site.directory / "node.log",
        )
        self.addCleanup(script.kill)
        script.start()
        script.wait_for(r"^online echo\.example\.com")
        script.wait_for(r"^pong")

        texts: list[str] = []

        async def ask(client: Any) -> None:
            query = client.make_iq_get(queryxmlns="urn:example:echo", ito="echo.example.com")
            query.xml[0].text = "curiouser"
            answer = await query.send(timeout=10)
            texts.append(answer.xml[0].text)

        login = self.ask_as_alice(ask)
        self.assertEqual(texts, ["curiouser"], f"{login}\n{script.tail()}\n{server.explain()}")
        script.wait_for(r"^asked by alice@example\.com/")
        script.kill()
        server.wait_state("echo", "down")

    def test_absent_component(self) -> None:
        """A stanza for a component that is down gets remote-server-timeout, type wait, at once."""
        conditions: list[tuple[str, str]] = []

        async def ask(client: Any) -> None:
            try:
                await client["xep_0030"].get_info(jid="echo.example.com")
            except IqError as error:
                conditions.append((error.condition, error.etype))

        login = self.ask_as_alice(ask)
        self.assertEqual(conditions, [("remote-server-timeout", "wait")], login)
