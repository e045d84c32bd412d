"""``xmppctl callbridge join``: another join file, for a Call Bridge that may connect already."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, Namespace
from contextlib import closing
from pathlib import Path

from daemonkit.ctl import Frame, Group, argument, show
from daemonkit.replace import replace_file
from daemonkit.setup_ctl import told
from daemonkit.terminal import CtlFailure, wrapped
from daemonkit.units import parse_duration, spell_duration
from xmppd.config import load
from xmppd.ctl_callbridges import address, open_registry

_STDOUT = Path("-")
#: Seconds that a join file is good: by default, and at least and at most.
VALID, LEAST, MOST = 24 * 3600.0, 60.0, 30 * 24 * 3600.0

_DETAILS = """\
The file has the domain, the name, the secret, and a certificate that is made
anew if the key of the authority is on this host. callbridgectl setup --join
takes it over on the Call Bridge's host, and deletes it.

A secret that its Call Bridge has not used yet gives way to a new one, and has
to be used before the file's end; one that was used stays the same.

examples:
  xmppctl callbridge join cb1
  xmppctl callbridge join cb1 --output - | ssh root@inside callbridgectl setup --join -"""


def add_join_command(frame: Frame, group: Group) -> None:
    """Add ``callbridge join``."""
    about = "makes a join file for a Call Bridge that may connect"
    command = frame.command("join", join, about, within=group, details=_DETAILS)
    command.add_argument(
        "name", metavar="NAME", help="the Call Bridge's name, without the domain: cb1"
    )
    command.add_argument("--domain", metavar="DOMAIN", help="its XMPP domain (default: the first)")
    command.add_argument(
        "--output", metavar="FILE", type=Path, help="where to (default: NAME.join), - to print it"
    )
    add_valid_option(command)


def add_valid_option(command: ArgumentParser) -> None:
    """Add ``--valid``: how long join files are good, in seconds."""
    command.add_argument(
        "--valid",
        metavar="DURATION",
        type=argument(_valid),
        default=VALID,
        help=f"how long a join file is good (default: {spell_duration(VALID)})",
    )


def join(options: Namespace) -> None:
    """Write it."""
    # Here, as it takes a while to load, and the other commands need none of it.
    from bridgewire.identity import CertificateFault
    from bridgewire.join import show_time
    from xmppd.setup.join_files import file_name, for_callbridge

    config = load(options.config, check_files=False)
    end = int(time.time() + options.valid)
    with closing(open_registry(config)) as registry:
        name, domain = address(options, config, registry.domains())
        known = registry.give_out(domain, name, end)
        if known is None:
            raise CtlFailure(
                f"there is no Call Bridge {name} of {domain}. `xmppctl setup --callbridge {name}` "
                "lets it connect, and makes a join file."
            )
        with told(CertificateFault):
            text = for_callbridge(options.config, config, domain, name, known, end)
    if options.output == _STDOUT:
        sys.stdout.write(text)
        return
    path = (options.output or Path(file_name(name))).absolute()
    try:
        replace_file(path, text.encode())
    except OSError as error:
        raise CtlFailure(f"{path} cannot be written: {error.strerror}. Choose another.") from None
    said = [
        f"{path} is good until {show_time(end)}. Take it to the host of {name} (scp), leave no "
        f"copy behind, and there, as root: callbridgectl setup --join {path.name}"
    ]
    if known.expires is not None:
        said.append(
            f"The secret in it is a new one. Other XMPP servers of {domain} need it, too: "
            "`xmppctl setup --server HOST` makes a join file for each."
        )
    answer = {"callbridge": name, "domain": domain, "path": str(path), "expires": show_time(end)}
    show(options, answer, lambda: (line for one in said for line in wrapped("", one, 0)))


def _valid(text: str) -> float:
    seconds = parse_duration(text)
    if not LEAST <= seconds <= MOST:
        bounds = f"{spell_duration(LEAST)} to {spell_duration(MOST)}"
        raise ValueError(f"{text} is out of bounds. Choose from {bounds}.")
    return seconds
