"""slixmpp as a driver (tests/integration/clients/driver.py says what that is)."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import slixmpp


def say(event: str, **more: object) -> None:
    print(json.dumps({"event": event, **more}), flush=True)


class Client(slixmpp.ClientXMPP):
    """Two rounds, then the end. A wrong password it tries with one mechanism after the other."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(f"{options['user']}@{options['domain']}/slixmpp", options["password"])
        for plugin in ("xep_0030", "xep_0092", "xep_0198", "xep_0199"):
            self.register_plugin(plugin)
        self.options = options
        self.rounds = 0
        self.over = asyncio.Event()
        self.ca_certs = options["authority"]
        self.enable_starttls = options["transport"] == "starttls"
        self.enable_direct_tls = options["transport"] == "direct-tls"
        self.enable_plaintext = self.enable_starttls
        self.add_event_handler("session_start", self.on_start)
        self.add_event_handler("session_resumed", self.on_resumed)
        self.add_event_handler("message", self.on_message)
        self.add_event_handler("failed_auth", lambda it: say("refused", condition=it["condition"]))
        self.add_event_handler("disconnected", self.on_disconnected)

    def begin(self) -> None:
        self.connect(self.options["address"], self.options["port"])

    async def on_start(self, _event: object) -> None:
        say("online", jid=self.boundjid.full)
        self.send_presence()
        await self.play()

    async def on_resumed(self, _event: object) -> None:
        say("online", jid=self.boundjid.full, resumed=True)
        await self.play()

    async def play(self) -> None:
        self.rounds += 1
        self.send_message(self.boundjid, f"round {self.rounds}", mtype="chat")

    async def on_message(self, message: Any) -> None:
        say("message", body=message["body"], **{"from": message["from"].full})
        component = self.options["component"]
        info = await self.plugin["xep_0030"].get_info(jid=component)
        category, _, _, name = next(iter(info["disco_info"]["identities"]))
        say("answer", name=name, category=category)
        await self.plugin["xep_0092"].get_version(component)
        await self.plugin["xep_0199"].ping(component, timeout=20)
        say("done")
        if self.rounds == 2:
            self.disconnect()

    def on_disconnected(self, _reason: object) -> None:
        if self.rounds == 1:
            self.begin()
            return
        if self.rounds == 2:
            say("closed")
        self.over.set()


async def main() -> None:
    say("version", version=slixmpp.__version__)
    client = Client(json.loads(sys.argv[1]))
    client.begin()
    await client.over.wait()


asyncio.run(main())
