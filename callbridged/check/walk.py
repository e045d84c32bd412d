"""All steps of a check: what is set, what the DNS says, and then every XMPP server."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from twisted.internet.defer import Deferred, gatherResults

from bridgewire import naming
from bridgewire.certificates import CertificateFault, check_callbridge_name, load_identity
from bridgewire.steps import Reason, Step, StepFailure
from callbridged.bridge import find_servers, link_settings
from callbridged.check.probe import Probe
from callbridged.check.report import Outcome, Report, Walk
from callbridged.check.trace import Trace
from callbridged.config import Config
from callbridged.discovery import Found, Target
from callbridged.dns import Resolver
from callbridged.link_interface import LinkSettings

#: Ports that a record for components cannot mean, and what they are for.
_OTHER_PORTS = {5222: "clients", 5269: "other XMPP servers", 5280: "HTTP", 5443: "browsers"}


async def check(reactor: Any, config: Config, trace: Trace) -> Report:
    """Walk steps 2 to 11 towards every XMPP server. Never raises for what is found wrong."""
    callbridge = config.callbridge
    common: list[Outcome] = []
    report = Report(callbridge.name, callbridge.domain, Walk(callbridge.domain, common))
    report.warnings += config.warnings
    began = reactor.seconds()
    try:
        settings = _settings(config, report, common)
        resolver = Resolver(reactor, config.dns.nameservers, config.dns.timeout)
        discovery = find_servers(reactor, config, resolver)
        began = reactor.seconds()
        found = await discovery.find()
    except StepFailure as failure:
        common.append(Outcome.failed(failure, reactor.seconds() - began))
        return report
    common += [
        Outcome(step, text, found.seconds if step is Step.SRV else None)
        for step, text in found.said
    ]
    await _probe(reactor, resolver, settings, found, trace, report)
    if callbridge.server_address is None:
        report.warnings += _odd_ports(found.targets)
        report.warnings += await _clients_record(resolver, callbridge.domain)
    return report


def _settings(config: Config, report: Report, common: list[Outcome]) -> LinkSettings:
    """Step 2. Raises StepFailure."""
    try:
        settings, warnings = link_settings(config)
        identity = load_identity(config.tls.certificate, config.tls.private_key)
    except CertificateFault as fault:
        text = " ".join(fault.faults)
        raise StepFailure(Step.CONFIGURATION, Reason.TLS_FAILURE, text) from None
    report.warnings += warnings
    try:
        check_callbridge_name(identity.certificate, settings.component)
    except StepFailure as failure:  # some servers do not ask
        report.warnings.append(f"{failure.text} {failure.remedy}")
    _warn_of_end(identity.certificate, report)
    certificate = naming.describe(identity.certificate)
    common.append(Outcome(Step.CONFIGURATION, f"{settings.component}; certificate {certificate}"))
    return settings


def _warn_of_end(certificate: x509.Certificate, report: Report) -> None:
    days = naming.days_left(certificate, datetime.now(UTC))
    if 0 <= days < naming.EXPIRES_SOON:
        report.warnings.append(
            f"Our certificate expires in {days} days. Renew the file of [tls] certificate in "
            "callbridged.ini in time."
        )


async def _probe(
    reactor: Any,
    resolver: Resolver,
    settings: LinkSettings,
    found: Found,
    trace: Trace,
    report: Report,
) -> None:
    """Steps 5 to 11, at all servers at the same time."""
    targets = sorted(found.targets, key=lambda one: (one.priority, one.host, one.port))
    probes = [Probe(reactor, resolver, settings, target, trace) for target in targets]
    walking = [Deferred.fromCoroutine(probe.walk()) for probe in probes]
    for walk in await gatherResults(walking, consumeErrors=True):
        report.servers.append(walk)
        report.warnings += walk.warnings
    shared: dict[str, list[Target]] = defaultdict(list)
    for probe, target in zip(probes, targets, strict=True):
        for address in probe.addresses:
            shared[address].append(target)
    report.warnings += [
        f"{' and '.join(map(str, same))} are the same host, {address}: one failure takes both. "
        "Give each XMPP server an address of its own, or remove one record."
        for address, same in shared.items()
        if len(same) > 1
    ]


def _odd_ports(targets: Sequence[Target]) -> list[str]:
    return [
        f"The SRV record for {target} names port {target.port}, which is mostly for "
        f"{_OTHER_PORTS[target.port]}. Call Bridges want the port of [component] listen in "
        "xmppd.ini, 5223."
        for target in targets
        if target.port in _OTHER_PORTS
    ]


async def _clients_record(resolver: Resolver, domain: str) -> list[str]:
    name = f"_xmpp-client._tcp.{domain}"
    try:
        await resolver.srv(name)
    except StepFailure as failure:
        if failure.reason is Reason.NO_SUCH_SERVICE:
            return [
                f"There is no SRV record {name}: XMPP clients will look for {domain} itself. Add "
                "one for each XMPP server, with its port for clients (5222)."
            ]
    return []
