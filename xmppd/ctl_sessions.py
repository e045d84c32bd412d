"""xmppctl sessions and kick: who is logged in, and ending that."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from daemonkit import calling
from daemonkit.ctl import Frame, show
from daemonkit.terminal import CtlFailure, printable
from xmppd.config import control_socket

_ON_SESSIONS = """\
Each session is one line: address, since when, where from, how it is encrypted,
by which mechanism and which Call Bridge let it in, and its state. "away" means
that the connection is lost and the client may still come back to its session
(XEP-0198); "inactive", that the client says nobody looks at it (XEP-0352).
"""

_ON_KICK = """\
The client is told policy-violation, with the reason. It may log in again at
once, if its Call Bridge lets it. The exit status is 1 if nobody was there.
"""


def add_session_commands(frame: Frame) -> None:
    """Add the commands."""
    listing = frame.command("sessions", sessions, "shows who is logged in", details=_ON_SESSIONS)
    listing.add_argument(
        "user", metavar="USER", nargs="?", help="only this user: alice, or alice@example.com"
    )
    listing.add_argument(
        "--limit",
        metavar="N",
        type=int,
        default=1000,
        help="how many to show at most (default: 1000)",
    )
    kicking = frame.command("kick", kick, "ends a session, or all of a user", details=_ON_KICK)
    kicking.add_argument(
        "jid",
        metavar="JID",
        help="alice@example.com for all sessions, alice@example.com/phone for one",
    )
    kicking.add_argument("--reason", metavar="TEXT", default="", help="what the client is told")


def sessions(options: Namespace) -> None:
    """Print the sessions that the daemon has."""
    answer = _call(options, "sessions", user=options.user, limit=options.limit)
    show(options, answer, lambda: _lines(answer))


def kick(options: Namespace) -> int:
    """End sessions; 1 where there were none."""
    answer = _call(options, "kick", jid=options.jid, reason=options.reason)
    count = int(answer["ended"])
    who = printable(answer["jid"])
    if not count and not options.json:
        raise CtlFailure(f"{who} has no session here. See: xmppctl sessions")
    text = f"1 session of {who} is" if count == 1 else f"{count} sessions of {who} are"
    show(options, answer, lambda: [f"{text} ended."])
    return 0 if count else 1


def local_time(since: str) -> str:
    """Answer a time as people here write it."""
    return datetime.fromisoformat(since).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def _lines(answer: dict[str, Any]) -> Iterator[str]:
    found = answer["sessions"]
    for one in found:
        secured = " ".join(filter(None, (one["transport"], one["tls"])))
        words = (
            *(one["jid"], "since", local_time(one["since"]), "from", f"{one['peer']},"),
            *(f"{secured},", f"{one['mechanism']} by {one['callbridge']},", _state(one)),
        )
        yield printable(" ".join(words))
    if len(found) < answer["total"]:
        yield f"{len(found)} of {answer['total']} sessions are shown; --limit shows more."
    elif not found:
        yield "There are no sessions."


def _state(session: dict[str, Any]) -> str:
    if session["away"]:
        return "away"
    words = ["connected", "" if session["active"] else "inactive"]
    words.append("resumable" if session["resumable"] else "")
    return ", ".join(filter(None, words))


def _call(options: Namespace, command: str, **arguments: Any) -> Any:
    return calling.call(control_socket(options.config), command, **arguments)
