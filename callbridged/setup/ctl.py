"""The command line of ``callbridgectl setup``."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from bridgewire.username import parse_username
from daemonkit.ctl import Frame, argument
from daemonkit.setup_ctl import add_setup_options

_DETAILS = """\
Takes over the join file that xmppctl setup, or xmppctl callbridge join NAME,
made on the XMPP server: names, secret, certificates; and deletes it. Then it
does what callbridgectl check does. Without a join file it asks for the names
and the secret, and makes a request for a certificate. What is there is kept,
and what differs is told. It needs no callbridged that runs.

The password of --user, and the secret, are read from the terminal without echo,
or are lines of standard input.

examples:
  callbridgectl setup --join cb1.join --user alice
  callbridgectl setup --join cb1.join --replace
      The same once more: after xmppctl callbridge join cb1, for a certificate
      that is about to expire. Then: callbridgectl reload
  callbridgectl setup --domain example.com --name cb1 --ca ca.crt"""


def add_setup_command(frame: Frame) -> None:
    """Add ``setup``."""
    about = "make a Call Bridge that can be started of an installed one"
    command = frame.command("setup", setup, about, details=_DETAILS)
    command.add_argument("--domain", metavar="DOMAIN", help="the XMPP domain")
    command.add_argument("--name", metavar="NAME", help="the Call Bridge's name: cb1")
    command.add_argument(
        "--server-address",
        metavar="HOST[:PORT]",
        help="go to this XMPP server, and do not ask the DNS",
    )
    command.add_argument(
        "--ca", metavar="FILE", type=Path, help="who issues the XMPP servers' certificates (PEM)"
    )
    command.add_argument(
        "--user",
        metavar="USER",
        type=argument(parse_username),
        help="let this user log in; the password is asked for",
    )
    add_setup_options(command)


def setup(options: Namespace) -> int:
    """``setup``."""
    # Here, as it takes a while to load, and the other commands need none of it.
    from callbridged.setup.run import run

    return run(options)
