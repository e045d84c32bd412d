"""callbridged.ini as frozen dataclasses: every setting, its default and its bounds."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from callbridged.alarms.settings import AlarmSettings, read_alarms
from callbridged.backends import BackendFault, ConfiguredBackend, configured
from callbridged.config_admin import AdminSettings, read_admin
from callbridged.config_callbridge import DEFAULT_SOCKET, CallBridge, lay_over, read_callbridge
from callbridged.logins.guessing import FAILED_LOGINS
from callbridged.overlay import Overlay
from callbridged.scram_keys import normal_password
from daemonkit.hosts import HostPort, parse_host_port
from daemonkit.ini import IniReader, Section, Setting, find_socket
from daemonkit.listen import refuse_twice
from daemonkit.logging.settings import LogSettings, read_log
from daemonkit.metrics.settings import MetricsSettings, read_metrics
from daemonkit.throttle_limits import ThrottleLimits, read_failed_logins

DEFAULT_PATH = Path("/etc/callbridged/callbridged.ini")
#: What operators read where ``[guest] enabled`` is no.
NO_GUESTS = "not let in; set enabled = yes under [guest] in callbridged.ini if they should be"

Verify = Literal["domain+host", "domain"]


@dataclass(frozen=True)
class Tls:
    """``[tls]``: our certificate, and what we ask of the XMPP server's.

    ``user_ca``: who may issue users' certificates; None: users have none.
    """

    certificate: Path
    private_key: Path
    xmpp_ca: Path
    verify: Verify
    user_ca: Path | None


@dataclass(frozen=True)
class Dns:
    """``[dns]``: whom to ask (nobody: the system's resolver), and for how many seconds."""

    nameservers: tuple[tuple[str, int], ...]
    timeout: float


@dataclass(frozen=True)
class Link:
    """``[link]``: all in seconds."""

    connect_timeout: float
    retry_initial: float
    retry_max: float
    ping_interval: float
    ping_timeout: float


@dataclass(frozen=True)
class Users:
    """``[users]``: who may log in. At least one backend, in the order in which they are asked."""

    backends: tuple[ConfiguredBackend, ...]


@dataclass(frozen=True)
class Guest:
    """``[guest]``: who is let in without an account.

    ``access_code`` empty: anybody. ``lifetime`` in seconds.
    """

    enabled: bool
    access_code: str = field(repr=False)
    max_guests: int
    max_guests_per_network: int
    lifetime: float


@dataclass(frozen=True)
class Tokens:
    """``[tokens]``: what is used in the place of a password; ``lifetime`` in seconds."""

    enabled: bool
    lifetime: float


@dataclass(frozen=True)
class Config:
    """The whole file. ``settings``: every value with where it comes from, for people.

    ``warnings`` are sentences about what the daemon can live with, for its log.
    """

    callbridge: CallBridge
    tls: Tls
    dns: Dns
    link: Link
    users: Users
    guest: Guest
    tokens: Tokens
    failed_logins: ThrottleLimits | None
    alarms: AlarmSettings
    log: LogSettings
    admin: AdminSettings
    metrics: MetricsSettings
    settings: tuple[Setting, ...] = field(repr=False, compare=False)
    warnings: tuple[str, ...] = ()


def control_socket(path: Path) -> Path:
    """Answer where the daemon of a file is reached, also where the file has faults.

    Raises:
        ConfigurationFault: it cannot be read.
    """
    return find_socket(path, "callbridge", DEFAULT_SOCKET)


def load(
    path: Path,
    *,
    check_files: bool = True,
    text: str | None = None,
    overlay: Overlay | None = None,
) -> Config:
    """Read the file, and the overlay in the state directory that it names, and check all of it.

    ``check_files`` False leaves alone the files that it names, for callbridgectl; the secret is
    then empty unless it stands in the ini file itself, and an overlay that this user may not read
    is a warning. ``text``: what is to stand in the file, instead of what does; ``overlay``: the
    same of the overlay.

    Raises:
        ConfigurationFault: with every fault of both files.
    """
    reader = IniReader(path, check_files=check_files, text=text)
    lay_over(reader, overlay)
    tls, admin, metrics = (reader.section(name) for name in ("tls", "admin", "metrics"))
    config = Config(
        read_callbridge(reader.section("callbridge")),
        Tls(
            certificate=tls.readable_file(
                "certificate", Path("/etc/callbridged/tls/callbridge.crt")
            ),
            private_key=tls.readable_file(
                "private_key", Path("/etc/callbridged/tls/callbridge.key")
            ),
            xmpp_ca=tls.readable_file("xmpp_ca", Path("/etc/callbridged/tls/ca.crt")),
            verify=tls.choice("verify", get_args(Verify), "domain+host"),
            user_ca=tls.optional_file("user_ca"),
        ),
        _dns(reader.section("dns")),
        _link(reader.section("link")),
        _users(reader),
        _guest(reader.section("guest")),
        _tokens(reader.section("tokens")),
        read_failed_logins(reader.section("failed_logins"), FAILED_LOGINS, highest=10_000),
        read_alarms(reader.section("alarms")),
        read_log(reader.section("log")),
        read_admin(admin),
        read_metrics(metrics),
        settings=tuple(reader.findings.settings),
        warnings=tuple(dict.fromkeys(reader.findings.warnings)),
    )
    refuse_twice(
        [(admin, "listen", config.admin.listen), (metrics, "listen", config.metrics.listen)]
    )
    reader.finish()
    return config


def _dns(section: Section) -> Dns:
    def nameserver(text: str) -> tuple[str, int]:
        host, port = parse_host_port(text)
        return host, port or 53

    return Dns(
        nameservers=section.items(
            "nameservers", nameserver, (), separator=",", shown=lambda where: str(HostPort(*where))
        ),
        timeout=section.duration("timeout", 5.0, minimum=0.1, maximum=60.0),
    )


def _link(section: Section) -> Link:
    link = Link(
        connect_timeout=section.duration("connect_timeout", 10.0, minimum=0.1, maximum=300.0),
        retry_initial=section.duration("retry_initial", 1.0, minimum=0.1, maximum=3600.0),
        retry_max=section.duration("retry_max", 60.0, minimum=0.1, maximum=3600.0),
        ping_interval=section.duration("ping_interval", 15.0, minimum=0.1, maximum=3600.0),
        ping_timeout=section.duration("ping_timeout", 5.0, minimum=0.1, maximum=300.0),
    )
    if link.retry_initial > link.retry_max:
        section.fault("retry_initial", "it is longer than retry_max. Make it shorter.")
    return link


def _users(reader: IniReader) -> Users:
    section = reader.section("users")
    names = section.items("backend", str, ("file:/etc/callbridged/users",))
    if not names:
        section.fault("backend", "there is none, and nobody could log in. Name one.")
    backends = []
    for name in dict.fromkeys(names):
        try:
            backends.append(configured(name, reader))
        except BackendFault as fault:
            section.fault("backend", str(fault))
    if len(set(names)) < len(names):
        section.fault("backend", "one is there twice. Remove one of the two.")
    return Users(tuple(backends))


def _guest(section: Section) -> Guest:
    guest = Guest(
        enabled=section.boolean("enabled", False),
        access_code=section.secret_or_file("access_code"),
        max_guests=section.integer("max_guests", 100, minimum=1, maximum=100_000),
        max_guests_per_network=section.integer(
            "max_guests_per_network", 50, minimum=1, maximum=100_000
        ),
        lifetime=section.duration("lifetime", 8 * 3600.0, minimum=60.0, maximum=240 * 3600.0),
    )
    if guest.access_code:
        try:
            normal_password(guest.access_code)
        except ValueError as error:
            key = "access_code" if section.has("access_code") else "access_code_file"
            section.fault(key, f"clients could not send this code ({error}). Choose another.")
    return guest


def _tokens(section: Section) -> Tokens:
    return Tokens(
        enabled=section.boolean("enabled", True),
        lifetime=section.duration("lifetime", 336 * 3600.0, minimum=60.0, maximum=8760 * 3600.0),
    )
