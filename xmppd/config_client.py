"""``[client]`` of xmppd.ini: where clients connect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast, get_args

from daemonkit.ini import Section
from daemonkit.listen import parse_listen
from xmppd.networks import Network, parse_network
from xmppd.web.urls import default_websocket_url, parse_origin, parse_websocket_url

#: The settings that say where clients connect.
ClientPort = Literal["listen", "direct_tls_listen", "websocket_listen"]


@dataclass(frozen=True)
class Client:
    """``[client]``: where clients connect. Endpoint strings, and seconds.

    No ``websocket_origins``: those of our own names. ``sign_in_page``: it is served to browsers.
    ``proxy_protocol``: the ports where connections from ``trusted_proxies`` begin with a PROXY
    header.
    """

    listen: tuple[str, ...]
    direct_tls_listen: tuple[str, ...]
    websocket_listen: tuple[str, ...]
    login_timeout: float
    websocket_origins: tuple[str, ...] = ()
    websocket_url: str = ""
    sign_in_page: bool = False
    trusted_proxies: tuple[Network, ...] = ()
    proxy_protocol: tuple[ClientPort, ...] = ()


def read_client(client: Section) -> Client:
    """Answer what the section says."""
    return Client(
        listen=client.items("listen", parse_listen, ("tcp:5222",)),
        direct_tls_listen=client.items("direct_tls_listen", parse_listen, ()),
        websocket_listen=client.items("websocket_listen", parse_listen, ()),
        login_timeout=client.duration("login_timeout", 30.0, minimum=1.0, maximum=600.0),
        websocket_origins=client.items("websocket_origins", parse_origin, (), separator=","),
        websocket_url=client.parsed("websocket_url", parse_websocket_url, ""),
        sign_in_page=client.boolean("sign_in_page", default=False),
        trusted_proxies=client.items("trusted_proxies", parse_network, (), separator=","),
        proxy_protocol=client.items("proxy_protocol", _parse_port, (), separator=","),
    )


def check_client(client: Section, wanted: Client, hostname: str) -> None:
    """What is said about WebSocket and proxies must be of some use. ``hostname``: the server's."""
    if wanted.websocket_listen and not client.has("websocket_url"):
        first = wanted.websocket_listen[0]
        if default_websocket_url(hostname, first) is None:
            client.fault(
                "websocket_listen",
                f"{first} does not say its port, which browsers have to be told. "
                "Set websocket_url.",
            )
    if wanted.sign_in_page and not wanted.websocket_listen:
        client.fault(
            "sign_in_page", "there is no port where it could be seen. Set websocket_listen, too."
        )
    if wanted.proxy_protocol and not wanted.trusted_proxies:
        client.fault(
            "proxy_protocol", "nobody's header would be believed. Set trusted_proxies, too."
        )
    for port in wanted.proxy_protocol:
        if not getattr(wanted, port):
            client.fault("proxy_protocol", f"{port} is empty. Leave it out here.")


def _parse_port(text: str) -> ClientPort:
    for port in get_args(ClientPort):
        if text == port:
            return cast(ClientPort, port)
    raise ValueError(f"{text[:80]!r} is not one of {', '.join(get_args(ClientPort))}.")
