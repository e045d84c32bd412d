"""The command line of ``xmppctl setup``."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from daemonkit.ctl import Frame
from daemonkit.setup_ctl import add_setup_options
from xmppd.setup.join_ctl import add_valid_option

_DETAILS = """\
Writes the names into the configuration, makes what is not there (an authority,
certificates, secrets of Call Bridges), says which DNS records to publish, and
ends with a check. It asks at a terminal for names that no option says. Once
more, it changes nothing: what is there is kept, and what differs is told.

For each new Call Bridge it makes a join file, NAME.join, with the secret and a
certificate: take it to the Call Bridge's host, for callbridgectl setup --join.

examples:
  xmppctl setup --domain example.com --hostname xmpp1.example.com --callbridge cb1
      A first server, with an authority of its own, and a Call Bridge.
  xmppctl setup --server xmpp2.example.com
      Makes a join file for a second server: the same Call Bridges and secrets,
      and a certificate. There: xmppctl setup --join xmpp2.example.com.join
  xmppctl setup --domain example.com --hostname xmpp1.example.com --csr
      Requests for an authority that you have; once more when it has signed.
  xmppctl setup --renew
      Another certificate of the authority that is here, and then: xmppctl reload"""


def add_setup_command(frame: Frame) -> None:
    """Add ``setup``."""
    about = "makes a server that can be started of an installed one"
    command = frame.command("setup", setup, about, details=_DETAILS)
    command.add_argument("--domain", metavar="DOMAIN", help="the XMPP domain")
    command.add_argument("--hostname", metavar="HOST", help="this server's own full name in DNS")
    command.add_argument(
        "--callbridge",
        metavar="NAME",
        action="append",
        default=[],
        help="let this Call Bridge connect, and make a join file for it; may be repeated",
    )
    command.add_argument(
        "--server",
        metavar="HOST",
        action="append",
        default=[],
        help="make a join file for another XMPP server of the domain; may be repeated",
    )
    ways = command.add_mutually_exclusive_group()
    ways.add_argument(
        "--ca",
        metavar="make|FILE",
        type=_parse_authority,
        help="make an authority if there is none (the default), or take the one in FILE, whose "
        "key is elsewhere",
    )
    ways.add_argument("--csr", action="store_true", help="make a request, and no certificate")
    ways.add_argument(
        "--renew", action="store_true", help="make the server's certificate anew, for the same key"
    )
    command.add_argument(
        "--join-directory",
        metavar="DIR",
        type=Path,
        default=Path(),
        help="where join files are written (default: the current directory)",
    )
    add_valid_option(command)
    add_setup_options(command)


def setup(options: Namespace) -> int:
    """``setup``."""
    # Here, as it takes a while to load, and the other commands need none of it.
    from xmppd.setup.run import run

    return run(options)


def _parse_authority(text: str) -> Path | None:
    """Answer what ``--ca`` says: a file, or None for ``make``."""
    return None if text == "make" else Path(text)
