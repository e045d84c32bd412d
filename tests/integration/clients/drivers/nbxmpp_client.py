"""nbxmpp, Gajim's library, as a driver (tests/integration/clients/driver.py says what that is).

Run by the system's Python, whose PyGObject it needs.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import gi

gi.require_version("Soup", "3.0")

import nbxmpp  # noqa: E402  after the line above, which it needs
from gi.repository import Gio, GLib  # noqa: E402
from nbxmpp.client import Client  # noqa: E402
from nbxmpp.const import ConnectionProtocol, ConnectionType, StreamError  # noqa: E402
from nbxmpp.protocol import Message, Presence  # noqa: E402
from nbxmpp.structs import StanzaHandler  # noqa: E402

CONNECTIONS = {
    "starttls": (ConnectionProtocol.TCP, ConnectionType.START_TLS),
    "direct-tls": (ConnectionProtocol.TCP, ConnectionType.DIRECT_TLS),
    "websocket": (ConnectionProtocol.WEBSOCKET, ConnectionType.DIRECT_TLS),
}


def say(event: str, **more: object) -> None:
    print(json.dumps({"event": event, **more}), flush=True)


class Driver:
    """Two rounds, then the end. Connecting again is for nbxmpp's user to do, as Gajim does."""

    def __init__(self, options: dict[str, Any], loop: GLib.MainLoop) -> None:
        self.options = options
        self.loop = loop
        self.rounds = 0
        self.client = client = Client(log_context=options["user"])
        client.set_username(options["user"])
        client.set_domain(options["domain"])
        client.set_resource("nbxmpp")
        client.set_password(options["password"])
        protocol, kind = CONNECTIONS[options["transport"]]
        where = f"{options['address']}:{options['port']}"
        if protocol == ConnectionProtocol.WEBSOCKET:
            where = f"wss://{where}/xmpp-websocket"
        client.set_custom_host(where, protocol, kind)
        client.subscribe("connected", self.on_connected)
        client.subscribe("resume-successful", self.on_connected)
        client.subscribe("disconnected", self.on_disconnected)
        client.subscribe("connection-failed", lambda *_: loop.quit())
        client.register_handler(StanzaHandler(name="message", callback=self.on_message))

    def on_connected(self, _client: Client, signal: str) -> None:
        jid = self.client.get_bound_jid()
        say("online", jid=str(jid), resumed=signal == "resume-successful")
        self.rounds += 1
        self.client.send_stanza(Presence())
        self.client.send_stanza(Message(to=jid, body=f"round {self.rounds}", typ="chat"))

    def on_message(self, _client: Client, message: Message, _properties: object) -> None:
        say("message", body=message.getBody(), **{"from": str(message.getFrom())})
        discovery = self.client.get_module("Discovery")
        discovery.disco_info(self.options["component"], callback=self.on_info)

    def on_info(self, task: Any) -> None:
        identity = task.finish().identities[0]
        say("answer", name=identity.name, category=identity.category)
        versions = self.client.get_module("SoftwareVersion")
        versions.request_software_version(self.options["component"], callback=self.on_version)

    def on_version(self, task: Any) -> None:
        task.finish()
        pings = self.client.get_module("Ping")
        pings.ping(self.options["component"], callback=self.on_pong)

    def on_pong(self, task: Any) -> None:
        task.finish()
        say("done")
        if self.rounds == 2:
            self.client.disconnect()

    def on_disconnected(self, client: Client, _signal: str) -> None:
        domain, error, text = client.get_error()
        if domain == StreamError.SASL:
            say("refused", condition=error, text=text)
            self.loop.quit()
        elif self.rounds == 2:
            say("closed")
            self.loop.quit()
        else:
            client.connect()


def main() -> None:
    say("version", version=nbxmpp.__version__)
    options = json.loads(sys.argv[1])
    authorities = Gio.TlsFileDatabase.new(options["authority"])
    Gio.TlsBackend.get_default().set_default_database(authorities)
    loop = GLib.MainLoop()
    driver = Driver(options, loop)
    driver.client.connect()
    loop.run()


main()
