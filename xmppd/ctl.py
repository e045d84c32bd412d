"""xmppctl: who may connect to xmppd, and how it is doing."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from typing import Any

from daemonkit import calling
from daemonkit.ctl import Frame, show
from daemonkit.logins_ctl import add_logins_command
from daemonkit.reload_ctl import add_reload_command, describe_reload
from daemonkit.terminal import paint, pairs, printable, table
from xmppd.check.ctl import add_check_command
from xmppd.components import rotation
from xmppd.components.registry import RegistryFault
from xmppd.config import DEFAULT_PATH, control_socket
from xmppd.ctl_callbridges import add_callbridge_commands
from xmppd.ctl_networks import add_network_commands, connections, pauses
from xmppd.ctl_sessions import add_session_commands, local_time
from xmppd.ctl_troubles import describe_trouble, trouble_rows
from xmppd.setup.ctl import add_setup_command
from xmppd.setup.join_ctl import add_join_command

EXAMPLES = """\
examples:
  xmppctl setup
      First: names, certificates, a Call Bridge, DNS records; it asks for them.
  xmppctl callbridge join cb1
      Make the file that brings a Call Bridge its secret and certificate.
  xmppctl callbridge add cb1
      Let the Call Bridge cb1 connect. Prints the secret that was made for it:
      give it to the Call Bridge as its secret_file, and to the other servers.
  xmppctl callbridge add-secret cb1 < secret
      The same on the other XMPP servers of the domain: all know one secret.
  xmppctl callbridge add cb1 --domain example.org
      The same for another domain of this server.
  xmppctl callbridge rotate cb1
      Give it another secret while its link is up; no login is lost.
  xmppctl callbridge list
  xmppctl --json status
  xmppctl sessions alice
  xmppctl logins --follow
      Shows logins as they pass.
  xmppctl kick alice@example.com --reason "see the help desk"
  xmppctl unpause 203.0.113.7
  xmppctl reload
      After a certificate was renewed, or the configuration changed.

The callbridge commands work whether or not xmppd runs, and one that runs
obeys at once. status, sessions, logins, kick, paused, unpause and reload ask the
xmppd that runs.
"""

_STATES = {"registered": "green", "draining": "yellow", "down": "red"}


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says, and answer the exit status: 0, 1, or 2 for wrong usage."""
    return make_frame().run(argv, expected=(RegistryFault,))


def make_frame() -> Frame:
    """Answer the command with its parser, of which its manual page and completion are made, too."""
    frame = Frame("xmppctl", "Operates xmppd.", DEFAULT_PATH, "callbridge-xmpp", EXAMPLES)
    add_setup_command(frame)
    add_join_command(frame, add_callbridge_commands(frame))
    frame.command("status", status, "shows server, links, sessions and logins")
    add_reload_command(frame, control_socket)
    add_session_commands(frame)
    add_logins_command(frame, control_socket, "Call Bridge", "callbridgectl logins")
    add_check_command(frame)
    add_network_commands(frame)
    return frame


def status(options: Namespace) -> None:
    """What the daemon says about itself."""
    answer = calling.call(control_socket(options.config), "status")
    show(options, answer, lambda: describe(answer))


def describe(answer: dict[str, Any]) -> Iterator[str]:
    """Answer a status as lines of at most 80 columns, where names and addresses permit."""
    domains = answer.get("domains", [])
    yield from pairs(
        [
            ("Domain", answer["domain"]),
            ("Server", answer.get("hostname", "")),
            ("Sessions", answer["sessions"]),
            *connections(answer),
            ("Waiting logins", answer["waiting_logins"]),
            *trouble_rows(answer),
            ("Call Bridges", len(answer["callbridges"]) or "none; xmppctl callbridge add NAME"),
        ]
    )
    yield from describe_reload(answer.get("reload"))
    yield from pauses(answer)
    if len(domains) > 1:
        yield ""
        keys = ("domain", "sessions", "waiting_logins")
        head = ["Domain", "Sessions", "Waiting logins"]
        yield from table(head, ([one[key] for key in keys] for one in domains))
    for link in answer["callbridges"]:
        yield ""
        name, state = printable(link["name"]), printable(link["state"])
        if len(domains) > 1:
            name = f"{name}.{printable(link['domain'])}"
        yield f"{paint(name, 'bold')}  {paint(state, _STATES.get(state, 'bold'))}"
        rows = [
            ("Peer", link["peer"]),
            ("Since", local_time(link["since"]) if link["since"] else None),
            ("Certificate", link["certificate"]),
            ("Mechanisms", ", ".join(link["mechanisms"])),
            ("Outstanding logins", link["outstanding"] if link["peer"] else None),
            *(("Secret", said) for said in rotation.describe(link)),
            ("Last failure", describe_trouble(link.get("last_error"))),
        ]
        yield from pairs([row for row in rows if row[1] not in (None, "")], indent=2)


if __name__ == "__main__":
    sys.exit(main())
