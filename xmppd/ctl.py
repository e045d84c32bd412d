"""xmppctl: who may connect to xmppd, and how it is doing."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from daemonkit import calling
from daemonkit.ctl import Frame, show
from daemonkit.terminal import CtlFailure, paint, pairs, printable, read_secret, table
from xmppd.components.registry import Registry, RegistryFault, normal_name
from xmppd.config import DEFAULT_PATH, Config, load

EXAMPLES = """\
examples:
  xmppctl callbridge add cb1
      Let the Call Bridge cb1 connect. Prints the secret that was made for it:
      give it to the Call Bridge as its secret_file, and to the other servers.
  xmppctl callbridge add-secret cb1 < secret
      The same on the other XMPP servers of the domain: all know one secret.
  xmppctl callbridge list
  xmppctl --json status

The callbridge commands work whether or not xmppd runs, and one that runs
obeys at once. status asks the xmppd that runs.
"""

_ON_SECRETS = """\
The secret is typed without being shown, or is the first line of standard
input. For a Call Bridge that is known already this changes its secret; its
link stays up, and the new secret counts from its next registration on.
"""

_STATES = {"registered": "green", "draining": "yellow", "down": "red"}


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says, and answer the exit status: 0, 1, or 2 for wrong usage."""
    frame = Frame("xmppctl", "Operates xmppd.", DEFAULT_PATH, "callbridge-xmpp", EXAMPLES)
    group = frame.group("callbridge", "says which Call Bridges may connect, and with which secret")

    def command(
        name: str, run: Callable[[Namespace], None], about: str, details: str = ""
    ) -> ArgumentParser:
        return frame.command(name, run, about, within=group, details=details)

    adding = command("add", add, "lets a Call Bridge connect, with a secret that is made for it")
    secret = command(
        "add-secret", add_secret, "lets a Call Bridge connect, with a known secret", _ON_SECRETS
    )
    listing = command("list", list_callbridges, "names the Call Bridges, and their state")
    listing.add_argument("--show-secrets", action="store_true", help="print the secrets as well")
    removing = command("del", delete, "takes a Call Bridge out, and closes its link")
    for parser in (adding, secret, removing):
        parser.add_argument(
            "name", metavar="NAME", help="the Call Bridge's name, without the domain: cb1"
        )
    frame.command("status", status, "shows server, links, sessions and logins")
    return frame.run(argv, expected=(RegistryFault,))


def add(options: Namespace) -> None:
    """Make a secret and print it, this once."""
    config = _config(options)
    name = normal_name(options.name)
    secret = Registry(config.xmppd.state_directory).add(name)
    answer = {"callbridge": name, "domain": config.xmppd.domain, "secret": secret}
    show(options, answer, lambda: pairs((key.capitalize(), answer[key]) for key in answer))


def add_secret(options: Namespace) -> None:
    """Take a secret that was made elsewhere."""
    config = _config(options)
    name = normal_name(options.name)
    secret = read_secret(f"Secret of {name}", confirm=True).strip()
    new = Registry(config.xmppd.state_directory).add_secret(name, secret)
    text = (
        f"{name}.{config.xmppd.domain} may connect."
        if new
        else f"{name} was known. Its secret is changed, and counts from its next registration on."
    )
    answer = {"callbridge": name, "domain": config.xmppd.domain, "new": new}
    show(options, answer, lambda: [text])


def list_callbridges(options: Namespace) -> None:
    """Names and states; ``state`` is None in JSON where no daemon says."""
    config = _config(options)
    registry = Registry(config.xmppd.state_directory)
    states: dict[str, str] = {}
    unknown, shown = None, ""
    try:
        links = calling.call(config.xmppd.control_socket, "status")["callbridges"]
        states = {link["name"]: link["state"] for link in links}
        unknown = "down"
    except calling.NotRunning as failure:
        shown = "daemon not running" if failure.down else "daemon not reached"
        if not failure.down:
            print(f"xmppctl: {failure}", file=sys.stderr)
    found: list[dict[str, str | None]] = [
        {"name": name, "state": states.get(name, unknown)} for name in registry.names()
    ]
    heading = ["Call Bridge", "State"]
    if options.show_secrets:
        heading.append("Secret")
        for one in found:
            one["secret"] = registry.secret(str(one["name"]))

    def lines() -> list[str]:
        if not found:
            return ["There are no Call Bridges. Add one with: xmppctl callbridge add NAME"]
        return table(heading, ([cell or shown for cell in one.values()] for one in found))

    show(options, found, lines)


def delete(options: Namespace) -> None:
    """Take the name out, and let a running daemon close its link."""
    config = _config(options)
    registry = Registry(config.xmppd.state_directory)
    name = normal_name(options.name)
    if not registry.delete(name):
        known = ", ".join(registry.names()) or "none"
        raise CtlFailure(f"there is no Call Bridge {name}. Those that may connect: {known}.")
    closed = False
    try:
        answer = calling.call(config.xmppd.control_socket, "callbridge-removed", name=name)
        closed = bool(answer["closed"])
    except calling.NotRunning as failure:
        if not failure.down:
            raise CtlFailure(
                f"{name} may not connect any more, but its link could not be closed. {failure}"
            ) from None
    text = f"{name} may not connect any more"
    show(
        options,
        {"callbridge": name, "closed": closed},
        lambda: [f"{text}, and its link is closed." if closed else f"{text}."],
    )


def status(options: Namespace) -> None:
    """What the daemon says about itself."""
    answer = calling.call(_config(options).xmppd.control_socket, "status")
    show(options, answer, lambda: describe(answer))


def describe(answer: dict[str, Any]) -> Iterator[str]:
    """Answer a status as lines of at most 80 columns, where names and addresses permit."""
    yield from pairs(
        [
            ("Domain", answer["domain"]),
            ("Server", answer.get("hostname", "")),
            ("Sessions", answer["sessions"]),
            ("Waiting logins", answer["waiting_logins"]),
            ("Call Bridges", len(answer["callbridges"]) or "none; xmppctl callbridge add NAME"),
        ]
    )
    for link in answer["callbridges"]:
        yield ""
        name, state = printable(link["name"]), printable(link["state"])
        yield f"{paint(name, 'bold')}  {paint(state, _STATES.get(state, 'bold'))}"
        rows = [
            ("Peer", link["peer"]),
            ("Since", _local_time(link["since"])),
            ("Certificate", link["certificate"]),
            ("Mechanisms", ", ".join(link["mechanisms"])),
            ("Outstanding logins", link["outstanding"] if link["peer"] else None),
        ]
        yield from pairs([row for row in rows if row[1] not in (None, "")], indent=2)


def _local_time(since: str | None) -> str | None:
    if since is None:
        return None
    return datetime.fromisoformat(since).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def _config(options: Namespace) -> Config:
    return load(options.config, check_files=False)


if __name__ == "__main__":
    sys.exit(main())
