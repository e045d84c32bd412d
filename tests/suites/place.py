"""A site on localhost with the ports that other projects' tests expect."""

from __future__ import annotations

from collections.abc import Iterable

from tests.support.site import Site, XmppServer

#: All domains and addresses that the tests use.
DOMAIN = "localhost"
GUESTS = "anon.localhost"
STARTTLS, DIRECT_TLS, WEBSOCKET = 5222, 5223, 5281


def make(accounts: Iterable[tuple[str, str]], above: int = 0) -> Site:
    """A site of localhost with these accounts, and of anon.localhost with guests. Not started.

    ``above`` is added to the ports, for tests that have a tunnel at the usual ones.
    """
    site = Site(DOMAIN)
    certificate, key = site.ca.issue("anon", dns=[GUESTS, f"xmpp1.{DOMAIN}"])
    server = site.server(
        address="127.0.0.1",
        certificate_ip=["127.0.0.1", "::1"],
        settings={
            "client": {
                "listen": _both(STARTTLS + above),
                "direct_tls_listen": _both(DIRECT_TLS + above),
                "websocket_listen": _both(WEBSOCKET + above),
                "websocket_origins": "*",
            },
            "session": {"max_sessions_per_user": 50},
            f"domain {GUESTS}": {"certificate": certificate, "private_key": key},
        },
    )
    site.enrol(site.bridge())
    guests = site.bridge(
        "guests",
        certificate_names=[f"guests.{GUESTS}"],
        settings={
            "callbridge": {
                "domain": GUESTS,
                "server_address": f"{server.fqdn}:{server.component_port}",
            },
            "guest": {"enabled": "yes"},
        },
    )
    server.command(
        "callbridge",
        "add-secret",
        guests.name,
        "--domain",
        GUESTS,
        typed=guests.secret_file.read_text(),
    )
    for user, password in accounts:
        # As few rounds as RFC 7677 allows: some suites' clients hash slowly, and give up early.
        add = ("user", "add", user, "--iterations", "4096")
        site.bridges[0].command(*add, typed=password + "\n")
    return site


def restart(site: Site, server: XmppServer) -> None:
    """Start ``server``, which is down, and wait until it serves logins of both domains."""
    server.start()
    for bridge in site.bridges:
        server.wait_serving(bridge.name)


def _both(port: int) -> str:
    """The setting that listens on both loopback addresses."""
    return f"\n    tcp:{port}:interface=127.0.0.1\n    tcp6:{port}:interface=\\:\\:1"
