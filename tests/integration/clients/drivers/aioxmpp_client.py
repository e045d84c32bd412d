"""aioxmpp as a driver (tests/integration/clients/driver.py says what that is).

Run by the system's Python, which has the older pyOpenSSL that it needs.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import aiosasl
import aioxmpp
import aioxmpp.connector
import aioxmpp.dispatcher
import aioxmpp.ping
import aioxmpp.version.xso
import OpenSSL.SSL
from aioxmpp.security_layer import PasswordSASLProvider, default_ssl_context

CONNECTORS = {
    "starttls": aioxmpp.connector.STARTTLSConnector,
    "direct-tls": aioxmpp.connector.XMPPOverTLSConnector,
}


def say(event: str, **more: object) -> None:
    print(json.dumps({"event": event, **more}), flush=True)


def security_layer(options: dict[str, Any]) -> aioxmpp.SecurityLayer:
    """aioxmpp's usual one, which trusts the test's CA, and tries a password once."""

    async def password(_jid: aioxmpp.JID, _attempt: int) -> str:
        return options["password"]

    def context() -> OpenSSL.SSL.Context:
        made = default_ssl_context()
        made.load_verify_locations(options["authority"])
        return made

    return aioxmpp.make_security_layer(password)._replace(
        ssl_context_factory=context,
        sasl_providers=(PasswordSASLProvider(password, max_auth_attempts=1),),
    )


async def play(client: aioxmpp.Client, component: aioxmpp.JID, number: int) -> None:
    """One round: a message to itself, and three questions to the component."""
    arrived = asyncio.get_running_loop().create_future()
    messages = client.summon(aioxmpp.dispatcher.SimpleMessageDispatcher)
    messages.register_callback(aioxmpp.MessageType.CHAT, None, arrived.set_result)
    message = aioxmpp.Message(type_=aioxmpp.MessageType.CHAT, to=client.local_jid)
    message.body[None] = f"round {number}"
    await client.send(message)
    received = await arrived
    messages.unregister_callback(aioxmpp.MessageType.CHAT, None)
    say("message", body=received.body.any(), **{"from": str(received.from_)})
    info = await client.summon(aioxmpp.DiscoClient).query_info(component, require_fresh=True)
    say("answer", name=info.identities[0].name, category=info.identities[0].category)
    await client.send(
        aioxmpp.IQ(type_=aioxmpp.IQType.GET, to=component, payload=aioxmpp.version.xso.Query())
    )
    await aioxmpp.ping.ping(client, component)
    say("done")


async def main() -> None:
    say("version", version=aioxmpp.__version__)
    options = json.loads(sys.argv[1])
    client = aioxmpp.PresenceManagedClient(
        aioxmpp.JID(options["user"], options["domain"], "aioxmpp"),
        security_layer(options),
        override_peer=[(options["address"], options["port"], CONNECTORS[options["transport"]]())],
    )
    component = aioxmpp.JID.fromstr(options["component"])
    lost = asyncio.Event()
    again = asyncio.Event()

    def resumed() -> None:
        say("online", jid=str(client.local_jid), resumed=True)
        again.set()

    def established() -> None:
        say("online", jid=str(client.local_jid))
        if lost.is_set():
            again.set()

    client.on_stream_established.connect(established)
    client.on_stream_resumed.connect(resumed)
    client.on_stream_suspended.connect(lambda _reason: lost.set())
    client.on_stream_destroyed.connect(lambda _reason=None: lost.set())
    try:
        async with client.connected():
            await play(client, component, 1)
            await again.wait()
            await play(client, component, 2)
        say("closed")
    except aiosasl.AuthenticationFailure as error:
        say("refused", condition=str(error.opaque_error))


asyncio.run(main())
