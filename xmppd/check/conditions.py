"""What xmppd needs on its own host: certificates, the registry, ports, files that may be open."""

from __future__ import annotations

import errno
import os
import re
import resource
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from bridgewire import naming
from bridgewire.certificates import check_server_names
from bridgewire.identity import CertificateFault, load_authorities, load_identity
from bridgewire.steps import StepFailure
from daemonkit import calling
from xmppd.check.condition import Condition, failure, success, warning
from xmppd.components.registry import Registry, RegistryFault
from xmppd.config import Config, ServedDomain

#: Open files with which a busy server runs out of them.
FEW_FILES = 4096
_TCP = re.compile(r"tcp(?P<six>6?):(?:port=)?(?P<port>\d+)(?::.*?interface=(?P<host>[^:]*))?")


def running(config: Config) -> tuple[Condition, bool]:
    """Does a daemon answer on the control socket? It then holds the ports."""
    path = config.xmppd.control_socket
    try:
        calling.call(path, "status", 5.0)
    except calling.NotRunning as why:
        if why.down:
            return success("daemon", "xmppd does not run, so all can be looked at."), False
        return warning("daemon", str(why)), False
    except calling.CommandError as why:
        return warning("daemon", str(why)), True
    return success("daemon", f"xmppd runs, and answers on {path}."), True


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
        names = ", ".join(naming.subject(one.subject) for one in found)
        late = [naming.outside_validity(one, datetime.now(UTC)) for one in found]
        if any(late):
            yield failure(about, f"{path}: {names}: {next(filter(None, late))}.", "Renew it.")
        else:
            yield success(about, f"{path} has {names}.")


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
        yield success(about, f"{naming.describe(certificate)}; the key fits.")
    chain = [certificate, *identity.intermediates]
    for lower, upper in pairwise(chain):
        if lower.issuer != upper.subject:
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
            names = store.names(domain.name)
            about = f"Call Bridges of {domain.name}"
            if names:
                yield success(about, f"{', '.join(names)} may connect.")
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


def ports(config: Config, held: bool) -> Iterator[Condition]:
    """Can each port be had? ``held``: the daemon runs, and ought to have them."""
    client = config.client
    for key, endpoints in (
        ("[component] listen", config.component.listen),
        ("[client] listen", client.listen),
        ("[client] direct_tls_listen", client.direct_tls_listen),
        ("[client] websocket_listen", client.websocket_listen),
    ):
        for endpoint in endpoints:
            match = _TCP.match(endpoint)
            if match is None:
                yield success(key, f"{endpoint} is opened by systemd.")
                continue
            host = match["host"] or ("::" if match["six"] else "0.0.0.0")  # noqa: S104
            yield _port(key, endpoint, host.replace("\\", ""), int(match["port"]), held)


def _port(key: str, endpoint: str, host: str, port: int, held: bool) -> Condition:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
            trial.listen(1)
        except PermissionError:
            return warning(key, f"{endpoint}: this user may not try it; the daemon's may.")
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            if taken and held:
                return success(key, f"{endpoint} is in use, as it should be.")
            remedy = f"`ss -ltnp 'sport = :{port}'` says who has it." if taken else ""
            said = os.strerror(error.errno or 0).lower()
            return failure(key, f"{endpoint} cannot be had: {said}.", remedy)
    if held:
        remedy = "Restart it: it was started with other settings."
        return failure(key, f"{endpoint} is free, though xmppd runs.", remedy)
    return success(key, f"{endpoint} is free.")


def limits() -> Iterator[Condition]:
    """Files that may be open at once, which are connections."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < FEW_FILES:
        yield warning(
            "open files",
            f"{most} at most here, and each connection is one.",
            "The unit sets LimitNOFILE=65536; without systemd, raise `ulimit -n`.",
        )
    else:
        shown = "any number" if most == resource.RLIM_INFINITY else str(most)
        yield success("open files", f"{shown} at most here.")


def clock() -> Iterator[Condition]:
    """Is the time taken from the network? systemd-timesyncd and chrony leave a trace."""
    now = f"It is {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if Path("/run/systemd/timesync/synchronized").exists() or Path("/run/chrony").exists():
        yield success("clock", f"{now}, from the network.")
    else:
        yield warning(
            "clock",
            f"{now}, and nothing seems to keep it right.",
            "Certificates count by the clock: run systemd-timesyncd or chrony.",
        )
