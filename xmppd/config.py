"""xmppd.ini as frozen dataclasses: every setting, its default and its bounds."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from daemonkit.hosts import parse_domain, parse_name
from daemonkit.ini import IniReader, Section, Setting
from daemonkit.listen import parse_listen

DEFAULT_PATH = Path("/etc/xmppd/xmppd.ini")

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
    """``[tls]``: our certificate, and what we ask of a Call Bridge's."""

    certificate: Path
    private_key: Path
    callbridge_ca: Path
    callbridge_certificate: ClientCertificate


@dataclass(frozen=True)
class Component:
    """``[component]``: where Call Bridges connect. Endpoint strings, and seconds."""

    listen: tuple[str, ...]
    registration_timeout: float
    ping_interval: float
    ping_timeout: float


@dataclass(frozen=True)
class Client:
    """``[client]``: where clients connect. Endpoint strings, and seconds."""

    listen: tuple[str, ...]
    direct_tls_listen: tuple[str, ...]
    websocket_listen: tuple[str, ...]
    login_timeout: float


@dataclass(frozen=True)
class Login:
    """``[login]``: how long a Call Bridge may take, in seconds, and for how many at once."""

    deadline: float
    max_waiting: int


@dataclass(frozen=True)
class Config:
    """The whole file. ``settings``: every value with where it comes from, for people.

    ``warnings`` are sentences about what the daemon can live with, for its log.
    """

    xmppd: Xmppd
    tls: Tls
    component: Component
    client: Client
    login: Login
    settings: tuple[Setting, ...] = field(repr=False, compare=False)
    warnings: tuple[str, ...] = ()


def load(path: Path, *, check_files: bool = True) -> Config:
    """Read the file and check all of it.

    ``check_files`` False leaves alone the files that it names, for xmppctl.

    Raises:
        ConfigurationFault: with every fault of the file.
    """
    reader = IniReader(path, check_files=check_files)
    xmppd = reader.section("xmppd")
    tls = reader.section("tls")
    component = reader.section("component")
    client = reader.section("client")
    login = reader.section("login")
    config = Config(
        Xmppd(
            domain=xmppd.parsed("domain", parse_domain),
            hostname=xmppd.parsed("hostname", parse_name),
            state_directory=xmppd.directory("state_directory", Path("/var/lib/xmppd")),
            control_socket=xmppd.socket("control_socket", Path("/run/xmppd/control.sock")),
        ),
        Tls(
            certificate=tls.readable_file("certificate", Path("/etc/xmppd/tls/xmpp.crt")),
            private_key=tls.readable_file("private_key", Path("/etc/xmppd/tls/xmpp.key")),
            callbridge_ca=tls.readable_file("callbridge_ca", Path("/etc/xmppd/tls/ca.crt")),
            callbridge_certificate=tls.choice(
                "callbridge_certificate", get_args(ClientCertificate), "required"
            ),
        ),
        Component(
            listen=component.items("listen", parse_listen, ("tcp:5223",)),
            registration_timeout=component.duration(
                "registration_timeout", 5.0, minimum=0.1, maximum=300.0
            ),
            ping_interval=component.duration("ping_interval", 15.0, minimum=0.1, maximum=3600.0),
            ping_timeout=component.duration("ping_timeout", 5.0, minimum=0.1, maximum=300.0),
        ),
        Client(
            listen=client.items("listen", parse_listen, ("tcp:5222",)),
            direct_tls_listen=client.items("direct_tls_listen", parse_listen, ()),
            websocket_listen=client.items("websocket_listen", parse_listen, ()),
            login_timeout=client.duration("login_timeout", 30.0, minimum=1.0, maximum=600.0),
        ),
        Login(
            deadline=login.duration("deadline", 10.0, minimum=0.1, maximum=300.0),
            max_waiting=login.integer("max_waiting", 1000, minimum=1, maximum=100_000),
        ),
        settings=tuple(reader.findings.settings),
        warnings=tuple(reader.findings.warnings),
    )
    _check_listeners(config, component, client)
    reader.finish()
    return config


def _check_listeners(config: Config, component: Section, client: Section) -> None:
    """Each port once, and at least one for each kind of peer."""
    if not config.component.listen:
        component.fault(
            "listen", "there is nothing to listen on, and no Call Bridge could connect. Add one."
        )
    places = [
        (client, "listen", config.client.listen),
        (client, "direct_tls_listen", config.client.direct_tls_listen),
        (client, "websocket_listen", config.client.websocket_listen),
    ]
    if not any(listen for _, _, listen in places):
        client.fault(
            "listen", "there is nothing to listen on, and no client could connect. Add one."
        )
    if config.client.websocket_listen:
        client.fault("websocket_listen", "this version has no WebSocket yet. Leave it empty.")
    taken = set()
    for section, key, listen in [(component, "listen", config.component.listen), *places]:
        for endpoint in listen:
            if endpoint in taken:
                section.fault(key, f"{endpoint} is there twice. Listen on it once.")
            taken.add(endpoint)
