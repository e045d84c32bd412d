"""Users and components by slixmpp, a client library that is not ours."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slixmpp import ClientXMPP, ComponentXMPP

# Its warnings about refused passwords and refused connections are what the tests provoke.
logging.getLogger("slixmpp").setLevel(logging.CRITICAL)

#: Seconds for one whole login.
_PATIENCE = 30.0


@dataclass
class Login:
    """How a login ended: ``jid`` is what was bound, ``failures`` the SASL conditions seen."""

    jid: str | None = None
    failures: list[str] = field(default_factory=list)
    tls: str | None = None
    mechanism: str | None = None
    error: str | None = None
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return self.jid is not None


async def log_in(
    address: str,
    port: int,
    jid: str,
    password: str,
    authority: Path,
    mechanism: str | None = "SCRAM-SHA-256",
    then: Callable[[ClientXMPP], Awaitable[Any]] | None = None,
    certificate: tuple[Path, Path] | None = None,
) -> Login:
    """Log in with STARTTLS, run ``then`` in the session, log out. ``mechanism`` None: its choice.

    ``certificate``: the client's own, and its key.

    Never raises for a refused login; ``Login.error`` says what else went wrong.
    """
    client = ClientXMPP(jid, password, sasl_mech=mechanism)
    for plugin in ("xep_0030", "xep_0199", "xep_0092", "xep_0202"):
        client.register_plugin(plugin)
    client.ca_certs = str(authority)
    if certificate is not None:
        client.certfile, client.keyfile = map(str, certificate)
    client.enable_direct_tls = False
    result = Login()
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def end(error: str | None = None) -> None:
        if not ended.done():
            result.error = error
            ended.set_result(None)

    def secured(_event: object) -> None:
        result.tls = client.socket.version()

    def refused(stanza: Any) -> None:
        result.failures.append(stanza["condition"])

    def bound(_event: object) -> None:
        result.jid = client.boundjid.full
        result.mechanism = client["feature_mechanisms"].mech.name
        result.seconds = time.monotonic() - began
        end()

    client.add_event_handler("tls_success", secured)
    client.add_event_handler("failed_auth", refused)
    client.add_event_handler("failed_all_auth", lambda _: end())
    client.add_event_handler("session_start", bound)
    client.add_event_handler("ssl_invalid_chain", lambda error: end(str(error)))
    client.add_event_handler("connection_failed", lambda error: end(str(error)))
    client.add_event_handler("stream_error", lambda error: end(error["condition"]))
    client.add_event_handler("disconnected", lambda reason: end(f"disconnected: {reason}"))
    began = time.monotonic()
    client.connect(address, port)
    try:
        await asyncio.wait_for(ended, _PATIENCE)
        if result.ok and then:
            await asyncio.wait_for(then(client), _PATIENCE)
    except TimeoutError:
        result.error = f"no answer within {_PATIENCE:g} s"
    finally:
        client.cancel_connection_attempt()
        await client.disconnect(wait=2.0)
    return result


async def be_component(
    address: str,
    port: int,
    jid: str,
    secret: str,
    server_name: str,
    authority: Path,
    certificate: tuple[Path, Path],
    then: Callable[[ComponentXMPP], Awaitable[Any]],
) -> None:
    """Register as a component over TLS with a client certificate, run ``then``, leave.

    Raises TimeoutError where the server does not let it in.
    """
    component = ComponentXMPP(jid, secret, address, port)
    for plugin in ("xep_0030", "xep_0199"):
        component.register_plugin(plugin)
    component.enable_plaintext = False
    component.tls_services = {"xmpps-component"}  # any name: it has none of its own
    component.default_domain = server_name  # what slixmpp looks for in the certificate
    component.ca_certs = str(authority)
    component.certfile, component.keyfile = map(str, certificate)
    started = asyncio.get_running_loop().create_future()
    component.add_event_handler("session_start", lambda _: started.set_result(None))
    component.connect()
    try:
        await asyncio.wait_for(started, _PATIENCE)
        await asyncio.wait_for(then(component), _PATIENCE)
    finally:
        component.cancel_connection_attempt()
        await component.disconnect(wait=2.0)
