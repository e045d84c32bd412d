"""Joins the alarms to a running Call Bridge: what it knows, and when to look again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from twisted.internet.interfaces import IReactorTime

from callbridged.alarms.alarm import Condition
from callbridged.alarms.certificates import CertificateFile
from callbridged.alarms.conditions import Facts, conditions
from callbridged.alarms.service import Alarms
from callbridged.bridge import Bridge
from daemonkit.credentials import in_words


def make_alarms(clock: IReactorTime, bridge: Bridge) -> Alarms:
    """Answer the alarms of ``bridge``, which they follow through reloads."""

    def wrong(now: datetime) -> Iterator[Condition]:
        return conditions(gather(bridge, now), bridge.config.alarms, now)

    alarms = Alarms(clock, wrong, lambda kind: bridge.config.alarms.delays(kind))
    bridge.links.watcher = bridge.users.watcher = alarms.look
    bridge.followers.append(lambda _: alarms.look())
    return alarms


def gather(bridge: Bridge, now: datetime) -> Facts:
    """Answer what the Call Bridge knows."""
    callbridge = bridge.config.callbridge
    return Facts(
        callbridge.name,
        callbridge.domain,
        bool(bridge.links.registered),
        bridge.links.status(),
        bridge.users.status(),
        tuple(_files(bridge)),
        bridge.logins.records.rates.summary(now),
    )


def _files(bridge: Bridge) -> Iterator[CertificateFile]:
    callbridge, tls = bridge.config.callbridge, bridge.config.tls
    connections = bridge.links.settings.tls
    host = f"On the host of {callbridge.name}"
    reload = "Then run `callbridgectl reload`."
    identity = connections.identity
    yield CertificateFile(
        in_words(str(tls.certificate)),
        "This Call Bridge's certificate",
        identity.chain,
        f"{host}: renew it, and put it there with its intermediates. {reload}",
    )
    for section, port in bridge.ports.items():
        if port.identity.certificate_path != identity.certificate_path:
            yield CertificateFile(
                in_words(str(port.identity.certificate_path)),
                f"The certificate of [{section}]",
                port.identity.chain,
                f"{host}: renew it, and put it there with its intermediates. {reload}",
            )
    yield CertificateFile(
        in_words(str(tls.xmpp_ca)),
        "An authority of XMPP servers",
        connections.authorities,
        f"{host}: add the certificate that follows it, or take it out if no server needs it any "
        f"more. {reload}",
        authorities=True,
    )
    if tls.user_ca is not None and bridge.certificates is not None:
        yield CertificateFile(
            in_words(str(tls.user_ca)),
            "An authority of users",
            bridge.certificates.authorities,
            f"{host}: add the certificate that follows it, or take it out if nobody logs in with "
            f"its certificates any more. {reload}",
            authorities=True,
        )
