"""xmppctl: who may connect to xmppd, and how it is doing."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from daemonkit import calling
from daemonkit.ctl import Frame, show
from daemonkit.hosts import parse_domain
from daemonkit.reload_ctl import add_reload_command, describe_reload
from daemonkit.terminal import CtlFailure, paint, pairs, printable, read_secret, table
from xmppd.check.ctl import add_check_command
from xmppd.components.registry import Registry, RegistryFault, normal_name
from xmppd.config import DEFAULT_PATH, Config, control_socket, load
from xmppd.ctl_networks import add_network_commands, connections, pauses
from xmppd.ctl_sessions import add_session_commands, local_time

EXAMPLES = """\
examples:
  xmppctl callbridge add cb1
      Let the Call Bridge cb1 connect. Prints the secret that was made for it:
      give it to the Call Bridge as its secret_file, and to the other servers.
  xmppctl callbridge add-secret cb1 < secret
      The same on the other XMPP servers of the domain: all know one secret.
  xmppctl callbridge add cb1 --domain example.org
      The same for another domain of this server.
  xmppctl callbridge list
  xmppctl --json status
  xmppctl sessions alice
  xmppctl kick alice@example.com --reason "see the help desk"
  xmppctl unpause 203.0.113.7
  xmppctl reload
      After a certificate was renewed, or the configuration changed.

The callbridge commands work whether or not xmppd runs, and one that runs
obeys at once. status, sessions, kick, paused, unpause and reload ask the
xmppd that runs.
"""

_ON_SECRETS = """\
The secret is typed without being shown, or is the first line of standard
input. For a Call Bridge that is known already this changes its secret; its
link stays up, and the new secret counts from its next registration on.
"""

_FIRST = "default: the one under [xmppd] in the configuration"
_STATES = {"registered": "green", "draining": "yellow", "down": "red"}


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says, and answer the exit status: 0, 1, or 2 for wrong usage."""
    return make_frame().run(argv, expected=(RegistryFault,))


def make_frame() -> Frame:
    """Answer the command with its parser, of which its manual page and completion are made, too."""
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
    for parser in (adding, secret, removing):
        parser.add_argument("--domain", metavar="DOMAIN", help=f"its XMPP domain ({_FIRST})")
    listing.add_argument("--domain", metavar="DOMAIN", help="of this XMPP domain only")
    frame.command("status", status, "shows server, links, sessions and logins")
    add_reload_command(frame, control_socket)
    add_session_commands(frame)
    add_check_command(frame)
    add_network_commands(frame)
    return frame


def add(options: Namespace) -> None:
    """Make a secret and print it, this once."""
    config = _config(options)
    name, domain = _address(options, config)
    secret = _registry(config).add(domain, name)
    answer = {"callbridge": name, "domain": domain, "secret": secret}
    show(options, answer, lambda: pairs((key.capitalize(), answer[key]) for key in answer))


def add_secret(options: Namespace) -> None:
    """Take a secret that was made elsewhere."""
    config = _config(options)
    name, domain = _address(options, config)
    secret = read_secret(f"Secret of {name}", confirm=True).strip()
    new = _registry(config).add_secret(domain, name, secret)
    text = (
        f"{name}.{domain} may connect."
        if new
        else f"{name} was known. Its secret is changed, and counts from its next registration on."
    )
    answer = {"callbridge": name, "domain": domain, "new": new}
    show(options, answer, lambda: [text])


def list_callbridges(options: Namespace) -> None:
    """Names and states; ``state`` is None in JSON where no daemon says."""
    config = _config(options)
    registry = _registry(config)
    served = [domain.name for domain in config.domains]
    # A domain that is not served any more may have left names behind.
    every = [*served, *(one for one in registry.domains() if one not in served)]
    domains = every if options.domain is None else [_domain(options, every)]
    states: dict[tuple[str, str], str] = {}
    unknown, shown = None, ""
    try:
        links = calling.call(config.xmppd.control_socket, "status")["callbridges"]
        states = {(link.get("domain", served[0]), link["name"]): link["state"] for link in links}
        unknown = "down"
    except calling.NotRunning as failure:
        shown = "daemon not running" if failure.down else "daemon not reached"
        if not failure.down:
            print(f"xmppctl: {failure}", file=sys.stderr)
    found: list[dict[str, str | None]] = [
        {"name": name, "domain": domain, "state": states.get((domain, name), unknown)}
        for domain in domains
        for name in registry.names(domain)
    ]
    columns = {"name": "Call Bridge", "domain": "Domain", "state": "State"}
    if options.show_secrets:
        columns |= {"secret": "Secret"}
        for one in found:
            one["secret"] = registry.secret(str(one["domain"]), str(one["name"]))

    def lines() -> list[str]:
        if not found:
            return ["There are no Call Bridges. Add one with: xmppctl callbridge add NAME"]
        keys = [key for key in columns if key != "domain" or len(every) > 1]
        rows = [
            {**one, "state": one["state"] or shown}
            if one["domain"] in served
            else {**one, "state": "domain not served"}
            for one in found
        ]
        return table([columns[key] for key in keys], ([row[key] for key in keys] for row in rows))

    show(options, found, lines)


def delete(options: Namespace) -> None:
    """Take the name out, and let a running daemon close its link."""
    config = _config(options)
    registry = _registry(config)
    name, domain = _address(options, config, registry.domains())
    if not registry.delete(domain, name):
        known = ", ".join(registry.names(domain)) or "none"
        raise CtlFailure(
            f"there is no Call Bridge {name} of {domain}. Those that may connect: {known}."
        )
    closed = False
    try:
        answer = calling.call(
            config.xmppd.control_socket, "callbridge-removed", name=name, domain=domain
        )
        closed = bool(answer["closed"])
    except calling.NotRunning as failure:
        if not failure.down:
            raise CtlFailure(
                f"{name} may not connect any more, but its link could not be closed. {failure}"
            ) from None
    text = f"{name} may not connect any more"
    show(
        options,
        {"callbridge": name, "domain": domain, "closed": closed},
        lambda: [f"{text}, and its link is closed." if closed else f"{text}."],
    )


def _address(
    options: Namespace, config: Config, more_domains: Sequence[str] = ()
) -> tuple[str, str]:
    """The Call Bridge's name, and which domain it is to be in."""
    served = [domain.name for domain in config.domains]
    name, domain = normal_name(options.name), _domain(options, [*served, *more_domains])
    if f"{name}.{domain}" in served:
        raise CtlFailure(f"{name}.{domain} is a domain of its own. Choose another name.")
    return name, domain


def _domain(options: Namespace, known: Sequence[str]) -> str:
    if options.domain is None:
        return known[0]
    try:
        domain = parse_domain(options.domain)
    except ValueError as error:
        raise CtlFailure(str(error)) from None
    if domain not in known:
        raise CtlFailure(
            f"{domain} is no domain of this server. It has: {', '.join(known)}. Others get a "
            f"section [domain {domain}] in the configuration first."
        )
    return domain


def _registry(config: Config) -> Registry:
    return Registry(config.xmppd.state_directory, config.xmppd.domain)


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
        ]
        yield from pairs([row for row in rows if row[1] not in (None, "")], indent=2)


def _config(options: Namespace) -> Config:
    return load(options.config, check_files=False)


if __name__ == "__main__":
    sys.exit(main())
