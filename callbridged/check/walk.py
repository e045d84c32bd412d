"""All steps of a check: what is set, what the DNS says, and then every XMPP server."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread

from bridgewire import naming
from bridgewire.certificates import (
    CertificateFault,
    check_callbridge_name,
    load_authorities,
    load_identity,
)
from bridgewire.steps import Reason, Step, StepFailure
from callbridged.bridge import find_servers
from callbridged.check.probe import Probe
from callbridged.check.report import Outcome, Report, Walk
from callbridged.check.running import Running, ask_running
from callbridged.check.trace import Trace
from callbridged.config import NO_GUESTS, Config
from callbridged.links.discovery import Found, Target
from callbridged.links.dns import Answer, Resolver, lookup
from callbridged.links.link_interface import LinkSettings
from callbridged.ports import wanted
from callbridged.reload import read_certificates
from daemonkit import room
from daemonkit.credentials import in_words
from daemonkit.reload import ReloadFault

#: Ports that a record for components cannot mean, and what they are for.
_OTHER_PORTS = {5222: "clients", 5269: "other XMPP servers", 5280: "HTTP", 5443: "browsers"}


async def check(
    reactor: Any, config: Config, trace: Trace, running: Running | None = None
) -> Report:
    """Walk steps 2 to 11 towards every XMPP server. Never raises for what is found wrong.

    ``running``: what the daemon of this host says; None: it is asked over its control socket.
    """
    callbridge = config.callbridge
    common: list[Outcome] = []
    report = Report(callbridge.name, callbridge.domain, Walk(callbridge.domain, common))
    report.warnings += map(in_words, config.warnings)
    socket = callbridge.control_socket
    said = await deferToThread(ask_running, socket) if running is None else running
    report.warnings += said.warnings()
    report.warnings += room.warnings(callbridge.state_directory)
    answered: dict[str, str] = {}
    aliases: dict[str, str] = {}

    def ask(nameservers: Sequence[tuple[str, int]], name: str, kind: str, within: float) -> Answer:
        answer = lookup(nameservers, name, kind, within)
        answered[name] = answer.server
        if answer.alias_of:
            aliases[name] = answer.alias_of
        return answer

    began = reactor.seconds()
    try:
        settings = _settings(config, report, common)
        resolver = Resolver(reactor, config.dns.nameservers, config.dns.timeout, ask)
        discovery = find_servers(reactor, config, resolver)
        began = reactor.seconds()
        found = await discovery.find()
    except StepFailure as failure:
        common.append(Outcome.failed(failure, reactor.seconds() - began))
        return report
    said_by = ", ".join(dict.fromkeys(answered.values()))
    common += [
        Outcome(step, f"{text}, says {said_by}", found.seconds)
        if step is Step.SRV
        else Outcome(step, text)
        for step, text in found.said
    ]

    def probe(target: Target) -> Probe:
        return Probe(reactor, resolver, settings, target, trace, said, answered)

    await _probe(probe, found, report)
    if callbridge.server_address is None:
        report.warnings += _odd_ports(found.targets)
        report.warnings += [
            f"The SRV record names {name}, which is an alias (CNAME) of {real}. Not everybody "
            f"follows one (RFC 2782): put {real} into the record."
            for name, real in aliases.items()
        ]
        report.warnings += await _clients_record(resolver, callbridge.domain)
    return report


def _settings(config: Config, report: Report, common: list[Outcome]) -> LinkSettings:
    """Step 2. Raises StepFailure."""
    try:
        settings, _, _, warnings = read_certificates(config, wanted(config))
        identity = load_identity(config.tls.certificate, config.tls.private_key)
    except (CertificateFault, ReloadFault) as fault:
        text = in_words(" ".join(fault.faults))
        raise StepFailure(Step.CONFIGURATION, Reason.TLS_FAILURE, text) from None
    report.warnings += [one for one in map(in_words, warnings) if one not in report.warnings]
    try:
        check_callbridge_name(identity.certificate, settings.component)
    except StepFailure as failure:  # some servers do not ask
        report.warnings.append(f"{failure.text} {failure.remedy}")
    if naming.days_left(identity.certificate, datetime.now(UTC)) >= 0:  # else it is said already
        remedy = f"Renew {config.tls.certificate}, and run callbridgectl reload, in time."
        _warn_of_end("Our certificate", identity.certificate, remedy, report)
    for authority in load_authorities(config.tls.xmpp_ca):
        remedy = f"Add its successor to {config.tls.xmpp_ca}, in time."
        whose = f"The authority {naming.subject(authority.subject)}"
        _warn_of_end(whose, authority, remedy, report)
    certificate = naming.describe(identity.certificate)
    days = naming.days_left(identity.certificate, datetime.now(UTC))
    text = f"{settings.component}; certificate {certificate} ({days} days)"
    overlaid = [one.key for one in config.settings if one.source is not None]
    if overlaid:
        text += f"; {', '.join(overlaid)}: not from callbridged.ini (see callbridgectl config)"
    if not config.guest.enabled:
        text += f"; guests: {NO_GUESTS}"
    common.append(Outcome(Step.CONFIGURATION, text))
    return settings


def _warn_of_end(whose: str, certificate: x509.Certificate, remedy: str, report: Report) -> None:
    days = naming.days_left(certificate, datetime.now(UTC))
    if days < naming.EXPIRES_SOON:
        said = f"expires in {days} days" if days >= 0 else "has expired"
        report.warnings.append(in_words(f"{whose} {said}. {remedy}"))


async def _probe(make_probe: Callable[[Target], Probe], found: Found, report: Report) -> None:
    """Steps 5 to 11, at all servers at the same time."""
    targets = sorted(found.targets, key=lambda one: (one.priority, one.host, one.port))
    probes = [make_probe(target) for target in targets]
    walking = [Deferred.fromCoroutine(probe.walk()) for probe in probes]
    walks = await gatherResults(walking, consumeErrors=True)
    shared: dict[str, list[int]] = defaultdict(list)
    for place, probe in enumerate(probes):
        for address in probe.addresses:
            shared[address].append(place)
    for address, places in shared.items():
        if len(places) < 2:
            continue
        names = " and ".join(str(targets[place]) for place in places)
        report.warnings.append(
            f"{names} are the same host, {address}: one failure takes both. Give each XMPP server "
            "an address of its own, or remove one record."
        )
        for place in places:  # their links are in each other's way
            walks[place] = walks[place].despite(Reason.CONFLICT, f"{names} are one server")
    for walk in walks:
        report.servers.append(walk)
        report.warnings += walk.warnings


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
