"""``callbridgectl``: operates a running callbridged, or works without one."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bridgewire.steps import describe_error
from callbridged import config_ctl, ending_ctl, guessing_ctl, users
from callbridged.alarms.ctl import add_alarms_command, status_lines_of
from callbridged.check import ctl as check_ctl
from callbridged.config import DEFAULT_PATH, NO_GUESTS, control_socket
from callbridged.setup.ctl import add_setup_command
from callbridged.web import admin_ctl, audit_ctl
from daemonkit.calling import call
from daemonkit.ctl import Frame, show
from daemonkit.logins_ctl import add_logins_command
from daemonkit.reload_ctl import add_reload_command, describe_reload
from daemonkit.terminal import paint, pairs, wrapped

EXAMPLES = """\
examples:
  callbridgectl setup --join cb1.join --user alice
      First: with the file that xmppctl setup made on the XMPP server.
  callbridgectl status
  callbridgectl check
      What is wrong, at which XMPP server, and what to do about it.
  callbridgectl user add alice
  callbridgectl kick alice --reason "Please log in again."
  callbridgectl config
      What is set, and what is left at its default.
  callbridgectl reload
      After a certificate was renewed, or the configuration changed.
  callbridgectl drain
      Before maintenance: logins go to the other Call Bridges from now on."""


_ON_RECONNECTION = """\
One link after another registers anew, with the certificate that was loaded
last, and the older one is closed when the newer one is in use: no login is
lost. Where that fails the older one goes on, and the exit status is 1. After
a reload with another secret this happens by itself."""

#: Seconds to wait for the links, which follow one another.
_RECONNECTION_TIMEOUT = 120.0


def main(argv: Sequence[str] | None = None) -> int:
    """The command; answers its exit status."""
    return make_frame().run(argv)


def make_frame() -> Frame:
    """Answer the command with its parser, of which its manual page and completion are made, too."""
    frame = Frame(
        "callbridgectl",
        "operates callbridged, the Call Bridge that answers an XMPP server's logins",
        DEFAULT_PATH,
        "callbridge-xmpp",
        EXAMPLES,
    )
    add_setup_command(frame)
    frame.command("status", status, "the links to XMPP servers, and who can log in")
    add_alarms_command(frame)
    check_ctl.add_commands(frame)
    config_ctl.add_commands(frame)
    add_reload_command(frame, control_socket)
    frame.command(
        "reconnect", reconnect, "give each link that is up a newer one", details=_ON_RECONNECTION
    )
    frame.command("drain", drain, "take no new logins; those under way go on")
    frame.command("resume", resume, "take logins again")
    ending_ctl.add_commands(frame)
    guessing_ctl.add_commands(frame)
    add_logins_command(frame, control_socket, "Server", "xmppctl logins")
    users.add_commands(frame)
    admin_ctl.add_commands(frame)
    audit_ctl.add_command(frame)
    return frame


def status(options: argparse.Namespace) -> None:
    """``status``."""
    answer = call(control_socket(options.config), "status")
    show(options, answer, lambda: status_lines(answer))


def reconnect(options: argparse.Namespace) -> int:
    """``reconnect``."""
    answer = call(control_socket(options.config), "reconnect", _RECONNECTION_TIMEOUT)
    show(options, answer, lambda: _renewed(answer["links"]))
    return 0 if all(one["renewed"] for one in answer["links"]) else 1


def _renewed(links: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for link in links:
        said = "there is a newer link"
        if not link["renewed"]:
            why = f" {describe_error(link['error'])}" if link["error"] else ""
            said = f"the link there goes on as it was.{why}"
        yield from wrapped(f"{link['target']}: ", said, 2)
    if not links:
        yield "No link is up. Those that wait for their next attempt make it now."


def drain(options: argparse.Namespace) -> None:
    """``drain``."""
    _take_logins(options, "drain")


def resume(options: argparse.Namespace) -> None:
    """``resume``."""
    _take_logins(options, "resume")


def _take_logins(options: argparse.Namespace, command: str) -> None:
    answer = call(control_socket(options.config), command)
    under_way = f"logins under way: {answer['outstanding_logins']}"
    said = "No new logins are taken" if answer["draining"] else "Logins are taken"
    show(options, answer, lambda: [f"{said}; {under_way}."])


def status_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    """Answer the status of docs/operating.md as lines for people."""
    rows: list[tuple[str, object]] = [
        ("Call Bridge", f"{answer['callbridge']} of {answer['domain']}"),
        *(("XMPP connection", _connection(link)) for link in answer["links"]),
        *(("Former connection", _former(link)) for link in answer.get("former", [])),
        ("Authentication service", answer["authentication_service"]),
    ]
    if not answer["links"]:
        rows.insert(1, ("XMPP connection", "none"))
    rows += [
        ("Users", describe_error(one["last_error"]))
        for one in answer.get("users", [])
        if one["last_error"]
    ]
    if answer.get("outstanding_logins"):
        rows.append(("Logins under way", answer["outstanding_logins"]))
    guests = answer.get("guests")
    rows.append(("Guests", NO_GUESTS if guests is None else guests))
    if answer.get("paused"):
        rows.append(("Paused accounts", f"{answer['paused']}; callbridgectl paused lists them"))
    if answer.get("draining"):
        rows.append(("Draining", "no new logins are taken; callbridgectl resume takes them again"))
    good = answer["authentication_service"] == "registered"
    for line in pairs(rows):
        if line.startswith("Authentication service:"):
            yield paint(line, "green" if good else "red")
        else:
            yield line
    yield from describe_reload(answer.get("reload"))
    yield from status_lines_of(answer.get("alarms", []))
    for warning in answer.get("warnings", []):
        yield from wrapped(f"{paint('WARNING', 'yellow')}  ", warning, len("WARNING  "))


def _former(link: Mapping[str, Any]) -> str:
    return f"as {link['callbridge']}.{link['domain']}: {_connection(link)}"


def _connection(link: Mapping[str, Any]) -> str:
    target = link["target"] or "no XMPP server known"
    if link["state"] == "registered":
        details = [link["tls"], link["address"], f"since {link['since']}"]
        if link.get("secret_in_use") == "former":
            details.append("with the former secret")
        return f"connected to {target} (secure); {', '.join(one for one in details if one)}"
    why = f"; {describe_error(link['last_error'])}" if link["last_error"] else ""
    return f"{link['state']}, {target}{why}"
