"""What xmppd needs on its own host: certificates, the registry, files that may be open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from bridgewire import naming
from bridgewire.certificates import check_server_names
from bridgewire.identity import CertificateFault, load_authorities, load_identity
from bridgewire.issuing import issued
from bridgewire.steps import StepFailure
from daemonkit import calling, open_files
from daemonkit.kernel_clock import is_synchronized
from daemonkit.room import describe_room
from xmppd.check.condition import Condition, failure, success, warning
from xmppd.components import first_use, rotation
from xmppd.components.registry import Registry, RegistryFault
from xmppd.config import Config
from xmppd.config_domains import ServedDomain
from xmppd.ctl_troubles import describe_trouble


def running(config: Config) -> tuple[Condition, Mapping[str, Any] | None]:
    """Does a daemon answer on the control socket? Its status, if it does."""
    path = config.xmppd.control_socket
    try:
        status: Mapping[str, Any] = calling.call(path, "status", 5.0)
    except calling.NotRunning as why:
        if why.down:
            return warning("daemon", why.why, "`systemctl start xmppd` starts it."), None
        return warning("daemon", str(why)), None
    except calling.CommandError as why:
        return warning("daemon", str(why)), None
    return success("daemon", f"xmppd runs, and answers on {path}."), status


def troubles(status: Mapping[str, Any]) -> Iterator[Condition]:
    """What the daemon that runs has met: its links, and what failed last."""
    for link in status["callbridges"]:
        about = f"link of {link['name']}.{link['domain']}"
        for said in rotation.describe(link):
            yield warning(f"secret of {link['name']}.{link['domain']}", f"{said}.")
        error = link["last_error"]
        if error:
            yield warning(about, f"{link['state']}; {describe_trouble(error)}.")
        elif link["peer"]:
            yield success(about, f"{link['state']}, from {link['peer']}.")
        else:
            remedy = "On its host, `callbridgectl check` says why."
            yield warning(about, "down, and it has not tried to connect.", remedy)
    for domain in status["domains"]:
        for trouble in domain["unanswered_logins"]:
            yield warning("unanswered login", f"{describe_trouble(trouble)}.")
    for trouble in status["refused"]:
        yield warning("refused", f"{describe_trouble(trouble)}.")


def certificates(config: Config) -> Iterator[Condition]:
    """Each domain's certificate: can it be used, does it have the names, is it in its time?"""
    for domain in config.domains:
        yield from _certificate(config, domain)
    for about, path in (
        ("callbridge_ca", config.tls.callbridge_ca),
        *((f"client_ca of {one.name}", one.client_ca) for one in config.domains if one.client_ca),
    ):
        try:
            found = load_authorities(path)
        except CertificateFault as fault:
            yield failure(about, str(fault))
            continue
        now = datetime.now(UTC)
        for one in found:
            name, days = naming.subject(one.subject), naming.days_left(one, now)
            late = naming.outside_validity(one, now)
            if late:
                yield failure(about, f"{path}: {name} {late}.", "Put its successor there.")
            elif days < naming.EXPIRES_SOON:
                text = f"{path}: {name} expires in {days} days."
                yield warning(about, text, "Add its successor there, in time.")
            else:
                yield success(about, f"{path} has {name}, for {days} days more.")


def _certificate(config: Config, domain: ServedDomain) -> Iterator[Condition]:
    about = f"certificate of {domain.name}"
    try:
        identity = load_identity(domain.certificate, domain.private_key)
    except CertificateFault as fault:
        for one in fault.faults:
            yield failure(about, one)
        return
    certificate = identity.certificate
    try:
        check_server_names(certificate, domain.name, config.xmppd.hostname, "domain+host")
    except StepFailure as missing:
        yield failure(about, missing.text, missing.remedy)
    else:
        days = naming.days_left(certificate, datetime.now(UTC))
        yield success(about, f"{naming.describe(certificate)} ({days} days); the key fits.")
    chain = [certificate, *identity.intermediates]
    for lower, upper in pairwise(chain):
        if not issued(upper, lower):
            order = (
                f"{naming.subject(upper.subject)} did not issue {naming.subject(lower.subject)}."
            )
            yield failure(
                about,
                f"{domain.certificate}: {order}",
                "Put each certificate behind the one that it issued, the server's own in front.",
            )
    now = datetime.now(UTC)
    problem = naming.outside_validity(certificate, now)
    days = naming.days_left(certificate, now)
    if problem:
        yield failure(about, f"It {problem}.", "Renew it, or correct this machine's clock.")
    elif days < naming.EXPIRES_SOON:
        yield warning(about, f"It expires in {days} days.", "Renew it in time.")
    for text in identity.warnings:
        if "expired" not in text:
            yield warning(about, text)


def registry(config: Config) -> Iterator[Condition]:
    """Who may connect: at least one Call Bridge for each domain."""
    store = Registry(config.xmppd.state_directory, config.xmppd.domain)
    try:
        for domain in config.domains:
            known = store.callbridges(domain.name)
            about = f"Call Bridges of {domain.name}"
            late = [name for name, one in known.items() if first_use.is_late(one)]
            for name in late:
                said = first_use.describe(name, known[name])
                yield warning(about, f"{name} may not connect: {said}.")
            if known:
                good = ", ".join(name for name in known if name not in late) or "no other one"
                yield success(about, f"{good} may connect.")
            else:
                more = "" if domain.name == config.xmppd.domain else f" --domain {domain.name}"
                yield failure(
                    about,
                    "none is known, and nobody could log in.",
                    f"Run `xmppctl callbridge add NAME{more}`.",
                )
    except RegistryFault as fault:
        yield failure("registry", f"{fault}")
    finally:
        store.close()


def room(config: Config) -> Iterator[Condition]:
    """The disk that the registry is on."""
    directory = config.xmppd.state_directory
    said = describe_room(directory)
    yield warning("disk", said) if said else success("disk", f"there is room in {directory}.")


def limits(status: Mapping[str, Any] | None) -> Iterator[Condition]:
    """Files that may be open at once, which are connections: those of xmppd, if it runs."""
    if status is None:
        number, most, whose = open_files.in_use(), open_files.limit(), "here"
    else:
        number, most, whose = status["open_files"], status["open_files_limit"], "in xmppd"
    text = f"{open_files.describe(number, most)} {whose}."
    if open_files.are_few(number, most):
        yield warning("open files", text, open_files.REMEDY)
    else:
        yield success("open files", text)


def clock() -> Iterator[Condition]:
    """Is the time taken from the network? The kernel knows, whichever program sees to it."""
    now = f"It is {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if is_synchronized():
        yield success("clock", f"{now}, from the network.")
    else:
        yield warning(
            "clock",
            f"{now}, and nothing seems to keep it right.",
            "Certificates count by the clock: run systemd-timesyncd or chrony.",
        )
