"""``callbridgectl``: operates a running callbridged, or works without one."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from callbridged import users
from callbridged.config import DEFAULT_PATH, load
from daemonkit.calling import call
from daemonkit.ctl import Frame, show
from daemonkit.terminal import paint, pairs

EXAMPLES = """\
examples:
  callbridgectl status
  callbridgectl user add alice"""


def main(argv: Sequence[str] | None = None) -> int:
    """The command; answers its exit status."""
    frame = Frame(
        "callbridgectl",
        "operates callbridged, the Call Bridge that answers an XMPP server's logins",
        DEFAULT_PATH,
        "callbridge-xmpp",
        EXAMPLES,
    )
    frame.command("status", status, "the links to XMPP servers, and who can log in")
    users.add_commands(frame)
    return frame.run(argv)


def status(options: argparse.Namespace) -> None:
    """``status``."""
    config = load(options.config, check_files=False)
    answer = call(config.callbridge.control_socket, "status")
    show(options, answer, lambda: status_lines(answer))


def status_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    """Answer the status of docs/operating.md as lines for people."""
    rows: list[tuple[str, object]] = [
        ("Call Bridge", f"{answer['callbridge']} of {answer['domain']}"),
        *(("XMPP connection", _connection(link)) for link in answer["links"]),
        ("Authentication service", answer["authentication_service"]),
    ]
    if not answer["links"]:
        rows.insert(1, ("XMPP connection", "none"))
    if answer.get("outstanding_logins"):
        rows.append(("Logins under way", answer["outstanding_logins"]))
    good = answer["authentication_service"] == "registered"
    for line in pairs(rows):
        if line.startswith("Authentication service:"):
            yield paint(line, "green" if good else "red")
        else:
            yield line


def _connection(link: Mapping[str, Any]) -> str:
    target = link["target"] or "no XMPP server known"
    if link["state"] == "registered":
        details = [link["tls"], link["address"], f"since {link['since']}"]
        return f"connected to {target} (secure); {', '.join(one for one in details if one)}"
    error = link["last_error"]
    why = f"; {error['step']}, {error['reason']}: {error['text']}" if error else ""
    return f"{link['state']}, {target}{why}"
