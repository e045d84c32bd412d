"""``xmppctl callbridge``: which Call Bridges may connect, and with which secret."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from daemonkit import calling
from daemonkit.ctl import Frame, Group, show
from daemonkit.hosts import parse_domain
from daemonkit.replace import replace_file
from daemonkit.terminal import CtlFailure, pairs, read_secret, table, wrapped
from xmppd.components import first_use, rotation
from xmppd.components.registry import Registry, normal_name
from xmppd.config import Config, load

_ON_SECRETS = """\
The secret is typed without being shown, or is the first line of standard
input. For a Call Bridge that is known already this changes its secret; its
link stays up, and the new secret counts from its next registration on. A
rotation of its secret is over then: neither of its two counts any more.
"""

_ON_ROTATION = """\
Makes a new secret and prints it, this once. From now on the Call Bridge may
use either. When its link is up with the new one, the old one is forgotten.

With several XMPP servers, all need the same:
  xmppctl callbridge rotate cb1 --output secret           on the first
  xmppctl callbridge rotate cb1 --secret-stdin < secret   on each other one
Then put the secret into the secret_file of the Call Bridge, and reload
callbridged: it brings up each link anew, and no login is lost.
"""
_NEXT = (
    "give the secret to the other XMPP servers of the domain (xmppctl callbridge rotate {name} "
    "--secret-stdin) if there are any, then put it into the secret_file of {name} and reload "
    "callbridged there"
)

_FIRST = "default: the one under [xmppd] in the configuration"


def add_callbridge_commands(frame: Frame) -> Group:
    """Add the group of commands, and answer it."""
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
    about = "gives a Call Bridge another secret, while its link is up"
    rotating = command("rotate", rotate, about, _ON_ROTATION)
    ways = rotating.add_mutually_exclusive_group()
    for flag, help_text in (
        ("--secret-stdin", "take the new secret from the terminal or from standard input"),
        ("--abort", "give up the new secret: the old one counts alone"),
        ("--finish", "drop the old secret at once: the new one counts alone"),
    ):
        ways.add_argument(flag, action="store_true", help=help_text)
    ways.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        help="write the new secret to a file for root alone, instead of printing it",
    )
    for parser in (adding, secret, removing, rotating):
        parser.add_argument(
            "name", metavar="NAME", help="the Call Bridge's name, without the domain: cb1"
        )
        parser.add_argument("--domain", metavar="DOMAIN", help=f"its XMPP domain ({_FIRST})")
    listing.add_argument("--domain", metavar="DOMAIN", help="of this XMPP domain only")
    return group


def add(options: Namespace) -> None:
    """Make a secret and print it, this once."""
    config = _config(options)
    name, domain = address(options, config)
    secret = open_registry(config).add(domain, name)
    answer = {"callbridge": name, "domain": domain, "secret": secret}
    show(options, answer, lambda: pairs((key.capitalize(), answer[key]) for key in answer))


def add_secret(options: Namespace) -> None:
    """Take a secret that was made elsewhere."""
    config = _config(options)
    name, domain = address(options, config)
    secret = read_secret(f"Secret of {name}", confirm=True).strip()
    new = open_registry(config).add_secret(domain, name, secret)
    text = (
        f"{name}.{domain} may connect."
        if new
        else f"{name} was known. Its secret is changed, and counts from its next registration on."
    )
    answer = {"callbridge": name, "domain": domain, "new": new}
    show(options, answer, lambda: [text])


def rotate(options: Namespace) -> None:
    """Let a new secret count as well as the old one, or end that."""
    config = _config(options)
    registry = open_registry(config)
    name, domain = address(options, config, registry.domains())
    answer = {"callbridge": name, "domain": domain}
    if options.abort:
        registry.abort(domain, name)
        text = f"The new secret of {name} is given up. The old one counts alone."
    elif options.finish:
        registry.finish(domain, name)
        text = (
            f"The old secret of {name} is dropped, and the new one counts alone. A link that is up "
            "stays up."
        )
    elif options.secret_stdin:
        secret = read_secret(f"New secret of {name}", confirm=True).strip()
        registry.rotate(domain, name, secret)
        text = f"{name} may use either secret, until it has used the new one."
    else:
        secret = registry.rotate(domain, name)
        if options.output is None:
            answer["secret"] = secret
        else:
            answer["file"] = _write(options.output, secret, lambda: registry.abort(domain, name))
        rows = [(key.capitalize(), answer[key]) for key in answer]
        show(options, answer, lambda: pairs([*rows, ("Next", _NEXT.format(name=name))]))
        return
    known = registry.find(domain, name)
    whole = {**answer, "rotation": rotation.as_json(known)}
    show(options, whole, lambda: [text])


def _write(path: Path, secret: str, undo: Callable[[], None]) -> str:
    try:
        replace_file(path, f"{secret}\n".encode())
    except OSError as error:
        undo()
        raise CtlFailure(
            f"{path} cannot be written: {error.strerror}. Nothing was changed. Name another file."
        ) from None
    return str(path)


def list_callbridges(options: Namespace) -> None:
    """Names and states; ``state`` is None in JSON where no daemon says."""
    config = _config(options)
    registry = open_registry(config)
    served = [domain.name for domain in config.domains]
    # A domain that is not served any more may have left names behind.
    every = [*served, *(one for one in registry.domains() if one not in served)]
    domains = every if options.domain is None else [_domain(options, every)]
    links: dict[tuple[str, str], dict[str, Any]] = {}
    unknown, shown = None, ""
    try:
        told = calling.call(config.xmppd.control_socket, "status")["callbridges"]
        links = {(link.get("domain", served[0]), link["name"]): link for link in told}
        unknown = "down"
    except calling.NotRunning as failure:
        shown = "daemon not running" if failure.down else "daemon not reached"
        if not failure.down:
            print(f"xmppctl: {failure}", file=sys.stderr)
    columns = {"name": "Call Bridge", "domain": "Domain", "state": "State"}
    found: list[dict[str, Any]] = []
    awaited: dict[tuple[str, str], str] = {}
    every_known = ((one, *pair) for one in domains for pair in registry.callbridges(one).items())
    for domain, name, known in every_known:
        link = links.get((domain, name), {})
        one = {
            "name": name,
            "domain": domain,
            "state": link.get("state", unknown),
            "secret_in_use": link.get("secret_in_use"),
            "rotation": rotation.as_json(known),
            "expires": first_use.as_json(known),
        }
        awaited[domain, name] = first_use.describe(name, known)
        if options.show_secrets:
            one |= {"secret": known.secret, "next_secret": known.next_secret}
            columns |= {"secret": "Secret"}
            if one["next_secret"]:
                columns |= {"next_secret": "New secret"}
        found.append(one)

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
        cells = ([row[key] or "" for key in keys] for row in rows)
        return table([columns[key] for key in keys], cells) + [
            line
            for one in found
            for said in (*rotation.describe(one), awaited[one["domain"], one["name"]])
            if said
            for line in wrapped("", f"{one['name']}: {said}.", 0)
        ]

    show(options, found, lines)


def delete(options: Namespace) -> None:
    """Take the name out, and let a running daemon close its link."""
    config = _config(options)
    registry = open_registry(config)
    name, domain = address(options, config, registry.domains())
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


def address(
    options: Namespace, config: Config, more_domains: Sequence[str] = ()
) -> tuple[str, str]:
    """The Call Bridge's name, and which domain it is to be in."""
    served = [domain.name for domain in config.domains]
    name, domain = normal_name(options.name), _domain(options, [*served, *more_domains])
    check_name(config, domain, name)
    return name, domain


def check_name(config: Config, domain: str, name: str) -> None:
    """Raise CtlFailure where the address of a Call Bridge would be that of a domain."""
    if f"{name}.{domain}" in [one.name for one in config.domains]:
        raise CtlFailure(f"{name}.{domain} is a domain of its own. Choose another name.")


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


def open_registry(config: Config) -> Registry:
    """Answer the registry of this configuration."""
    return Registry(config.xmppd.state_directory, config.xmppd.domain)


def _config(options: Namespace) -> Config:
    return load(options.config, check_files=False)
