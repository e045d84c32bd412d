"""``[callbridge]`` of callbridged.ini, and the overlay in the state directory that lies over it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from callbridged.overlay import KEYS, NAME, SECTION, NotAllowed, Overlay, read_overlay
from daemonkit.hosts import HostPort, parse_domain, parse_host_port, parse_label
from daemonkit.ini import ConfigurationFault, IniReader, Section
from daemonkit.units import parse_integer

_DEFAULT_STATE = Path("/var/lib/callbridged")
_DEFAULT_SECRET = Path("/etc/callbridged/secret")
DEFAULT_SOCKET = Path("/run/callbridged/control.sock")

#: More XMPP servers than this are not held at once.
MAX_LINKS = 100


@dataclass(frozen=True)
class CallBridge:
    """``[callbridge]``: who this Call Bridge is, and which XMPP servers it goes to.

    ``domain`` and ``name`` are in U-labels, as XMPP has them. ``server_address`` None: SRV; its
    port None: the default. ``links`` None: one to each SRV target.
    """

    name: str
    domain: str
    server_address: HostPort | None
    secret: str = field(repr=False)
    links: int | None
    state_directory: Path
    control_socket: Path


def overlay_path(path: Path, text: str | None = None) -> Path:
    """Answer where the overlay of a file is. ``text``: what is to stand in it,
    instead of what does.

    Raises:
        ConfigurationFault: the file cannot be read.
    """
    return _overlay_path(IniReader(path, check_files=False, text=text))


def _overlay_path(reader: IniReader) -> Path:
    return reader.peek("callbridge").directory("state_directory", _DEFAULT_STATE) / NAME


def lay_over(reader: IniReader, overlay: Overlay | None) -> None:
    """Let the overlay's values win over the ini file's. None: the overlay that is there now.

    Where that cannot be read, the faults are noted; if only this user may not, and the files are
    left alone, it is a warning.
    """
    if overlay is None:
        path = _overlay_path(reader)
        try:
            overlay = read_overlay(path.parent)
        except ConfigurationFault as fault:
            if reader.findings.check_files or not isinstance(fault, NotAllowed):
                source = Overlay(path).source
                reader.findings.faults += (replace(one, source=source) for one in fault.faults)
            else:
                reader.findings.warnings += fault.each
            return
    reader.lay_over(overlay.text, overlay.source, {SECTION: KEYS})


def read_callbridge(section: Section) -> CallBridge:
    """Answer what the section says, with the overlay's values in it."""
    return CallBridge(
        name=section.parsed("name", parse_label),
        domain=section.parsed("domain", parse_domain),
        server_address=section.parsed(
            "server_address", parse_host_port, None, shown=lambda address: str(address or "")
        ),
        secret=_secret(section),
        links=section.parsed("links", _links, None, shown=lambda n: "all" if n is None else str(n)),
        state_directory=section.directory("state_directory", _DEFAULT_STATE),
        control_socket=section.socket("control_socket", DEFAULT_SOCKET),
    )


def _secret(section: Section) -> str:
    """Out of the file itself or out of another, but not both; the overlay's wins."""
    inline = section.secret("secret")
    if section.source("secret") is not None:
        section.path("secret_file", _DEFAULT_SECRET)
        return inline
    if not section.has("secret"):
        return section.secret_file("secret_file", _DEFAULT_SECRET)
    if section.has("secret_file"):
        section.fault("secret", "there is a secret_file as well. Keep one of the two.")
    section.known.append("secret_file")
    return inline


def _links(text: str) -> int | None:
    if text.lower() == "all":
        return None
    try:
        number = parse_integer(text)
    except ValueError:
        number = 0
    if not 1 <= number <= MAX_LINKS:
        raise ValueError(f"{text[:40]!r} is neither all nor a number from 1 to {MAX_LINKS}.")
    return number
