"""xmppd.ini as frozen dataclasses: every setting, its default and its bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Literal, get_args

from daemonkit.hosts import parse_domain, parse_name
from daemonkit.ini import IniReader, Section, Setting, find_socket
from daemonkit.listen import parse_listen, refuse_twice
from daemonkit.logging.settings import LogSettings, read_log
from daemonkit.metrics.settings import MetricsSettings, read_metrics
from daemonkit.throttle_limits import ThrottleLimits, read_failed_logins
from xmppd.config_client import Client, check_client, read_client
from xmppd.config_domains import ServedDomain, check_domains, read_domains
from xmppd.config_limits import FAILED_LOGINS, Limits, read_limits
from xmppd.external_services import ExternalServices, read_external_services

DEFAULT_PATH = Path("/etc/xmppd/xmppd.ini")
#: Where the certificate of Call Bridges' authority is, unless another place is set.
AUTHORITY = Path("/etc/xmppd/tls/ca.crt")
_DEFAULT_SOCKET = Path("/run/xmppd/control.sock")

ClientCertificate = Literal["required", "optional", "none"]


@dataclass(frozen=True)
class Xmppd:
    """``[xmppd]``: who this server is, and where it keeps things.

    ``domain`` is in U-labels, as XMPP has it, ``hostname`` in A-labels, as DNS has it.
    """

    domain: str
    hostname: str
    state_directory: Path
    control_socket: Path


@dataclass(frozen=True)
class Tls:
    """``[tls]``: our certificate, and what we ask of Call Bridges' and clients'.

    ``client_ca``: who may issue the certificates of users; None: they are not asked for one.
    """

    certificate: Path
    private_key: Path
    callbridge_ca: Path
    callbridge_certificate: ClientCertificate
    client_ca: Path | None = None


@dataclass(frozen=True)
class Component:
    """``[component]``: where Call Bridges connect. Endpoint strings, and seconds."""

    listen: tuple[str, ...]
    registration_timeout: float
    ping_interval: float
    ping_timeout: float


@dataclass(frozen=True)
class Login:
    """``[login]``: how long a Call Bridge may take, in seconds, and for how many at once."""

    deadline: float
    max_waiting: int


@dataclass(frozen=True)
class Session:
    """``[session]``: how many a user may have, and how long one waits for its client (seconds)."""

    max_sessions_per_user: int
    resumption_timeout: float


@dataclass(frozen=True)
class Config:
    """The whole file. ``settings``: every value with where it comes from, for people.

    ``external_services``: those of each domain (``[turn]``).
    ``warnings`` are sentences about what the daemon can live with, for its log.
    """

    xmppd: Xmppd
    tls: Tls
    component: Component
    client: Client
    login: Login
    session: Session
    limits: Limits
    failed_logins: ThrottleLimits | None
    log: LogSettings
    metrics: MetricsSettings
    further_domains: tuple[ServedDomain, ...]
    external_services: Mapping[str, ExternalServices]
    settings: tuple[Setting, ...] = field(repr=False, compare=False)
    warnings: tuple[str, ...] = ()

    @property
    def domains(self) -> tuple[ServedDomain, ...]:
        """All domains that are served, the one of ``[xmppd]`` first."""
        tls = self.tls
        first = ServedDomain(self.xmppd.domain, tls.certificate, tls.private_key, tls.client_ca)
        return (first, *self.further_domains)

    @property
    def listening(self) -> Mapping[str, tuple[str, ...]]:
        """What is listened on, by the setting that says so."""
        return {
            "[component] listen": self.component.listen,
            "[client] listen": self.client.listen,
            "[client] direct_tls_listen": self.client.direct_tls_listen,
            "[client] websocket_listen": self.client.websocket_listen,
            "[metrics] listen": self.metrics.listen,
        }

    @property
    def endpoints(self) -> tuple[str, ...]:
        """All that is listened on."""
        return tuple(chain.from_iterable(self.listening.values()))

    @property
    def services(self) -> Mapping[str, tuple[str, ...]]:
        """What is listened on, by the service that SRV records announce."""
        return {
            "_xmpp-component._tcp": self.component.listen,
            "_xmpp-client._tcp": self.client.listen,
            "_xmpps-client._tcp": self.client.direct_tls_listen,
        }


def control_socket(path: Path) -> Path:
    """Answer where the daemon of a file is reached, also where the file has faults.

    Raises:
        ConfigurationFault: it cannot be read.
    """
    return find_socket(path, "xmppd", _DEFAULT_SOCKET)


def load(path: Path, *, check_files: bool = True, text: str | None = None) -> Config:
    """Read the file and check all of it.

    ``check_files`` False leaves alone the files that it names, for xmppctl. ``text``: what is to
    stand in the file, instead of what does.

    Raises:
        ConfigurationFault: with every fault of the file.
    """
    reader = IniReader(path, check_files=check_files, text=text)
    xmppd = reader.section("xmppd")
    tls = reader.section("tls")
    component = reader.section("component")
    client = reader.section("client")
    login = reader.section("login")
    session = reader.section("session")
    metrics = reader.section("metrics")
    ours = Xmppd(
        domain=xmppd.parsed("domain", parse_domain),
        hostname=xmppd.parsed("hostname", parse_name),
        state_directory=xmppd.directory("state_directory", Path("/var/lib/xmppd")),
        control_socket=xmppd.socket("control_socket", _DEFAULT_SOCKET),
    )
    further_domains = read_domains(reader)
    config = Config(
        ours,
        Tls(
            certificate=tls.readable_file("certificate", Path("/etc/xmppd/tls/xmpp.crt")),
            private_key=tls.readable_file("private_key", Path("/etc/xmppd/tls/xmpp.key")),
            callbridge_ca=tls.readable_file("callbridge_ca", AUTHORITY),
            callbridge_certificate=tls.choice(
                "callbridge_certificate", get_args(ClientCertificate), "required"
            ),
            client_ca=tls.optional_file("client_ca"),
        ),
        Component(
            listen=component.items("listen", parse_listen, ("tcp:5223",)),
            registration_timeout=component.duration(
                "registration_timeout", 5.0, minimum=0.1, maximum=300.0
            ),
            ping_interval=component.duration("ping_interval", 15.0, minimum=0.1, maximum=3600.0),
            ping_timeout=component.duration("ping_timeout", 5.0, minimum=0.1, maximum=300.0),
        ),
        read_client(client),
        Login(
            deadline=login.duration("deadline", 10.0, minimum=0.1, maximum=300.0),
            max_waiting=login.integer("max_waiting", 1000, minimum=1, maximum=100_000),
        ),
        Session(
            max_sessions_per_user=session.integer(
                "max_sessions_per_user", 10, minimum=1, maximum=10_000
            ),
            resumption_timeout=session.duration(
                "resumption_timeout", 300.0, minimum=0.0, maximum=86_400.0
            ),
        ),
        limits=read_limits(reader.section("limits")),
        failed_logins=read_failed_logins(
            reader.section("failed_logins"), FAILED_LOGINS, highest=100_000
        ),
        log=read_log(reader.section("log")),
        metrics=read_metrics(metrics),
        further_domains=further_domains,
        external_services=read_external_services(
            reader, [ours.domain, *(one.name for one in further_domains)]
        ),
        settings=tuple(reader.findings.settings),
        warnings=tuple(reader.findings.warnings),
    )
    _check_listeners(config, component, client, metrics)
    check_domains(reader, config.domains)
    check_client(client, config.client, ours.hostname)
    reader.finish()
    return config


def _check_listeners(config: Config, component: Section, client: Section, metrics: Section) -> None:
    """Each port once, and at least one for each kind of peer."""
    if not config.component.listen:
        component.fault(
            "listen", "there is nothing to listen on, and no Call Bridge could connect. Add one."
        )
    clients = [
        (client, "listen", config.client.listen),
        (client, "direct_tls_listen", config.client.direct_tls_listen),
        (client, "websocket_listen", config.client.websocket_listen),
    ]
    if not any(listen for _, _, listen in clients):
        client.fault(
            "listen", "there is nothing to listen on, and no client could connect. Add one."
        )
    first, last = config.component.listen, config.metrics.listen
    refuse_twice([(component, "listen", first), *clients, (metrics, "listen", last)])
