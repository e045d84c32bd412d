"""The scenes of the demo, in order: each does something real and prints what the daemons say."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time

from bridgewire.certificates import load_authorities, names
from bridgewire.steps import Step
from demo import page
from demo.screen import Screen
from tests.support import people
from tests.support.processes import BIN, free_port
from tests.support.rawwebsocket import join_as_guest
from tests.support.site import CLEAN, CallBridge, Daemon, Site, XmppServer
from tests.support.waiting import wait_until

USER, PASSWORD = "alice", "wonderland"

#: A step in callbridged's log: number, name, what it is about, what happened.
_STEP = re.compile(r"step (\d+) \(\w+\), (\S+): (.+)$", re.MULTILINE)
#: Who answered a login, in xmppd's log.
_SERVED = re.compile(r"\(login\): \S+ from \S+ is in by .*\banswered by (\w+)\.")


def expect(truth: bool, said: object) -> None:
    """What must be so in a demo that went well."""
    if not truth:
        raise AssertionError(f"the demo did not go as it should: {said}")


class Play:
    """One run on one site."""

    def __init__(self, screen: Screen, site: Site) -> None:
        self.screen = screen
        self.site = site
        self.servers: list[XmppServer] = []
        self.bridges: list[CallBridge] = []
        self.websocket_ports: list[int] = []
        self.coturn = page.turn_server(site)

    def run(self) -> None:
        """All scenes; raises AssertionError with the last lines of a log where one goes wrong."""
        self.set_up()
        self.edge()
        self.inside()
        self.login()
        self.guest()
        self.sign_in_page()
        self.wrong_password()
        self.failover()

    # Scenes

    def set_up(self) -> None:
        screen, site = self.screen, self.site
        screen.scene("Set-up: an authority, certificates, DNS, a secret, a user")
        for number in (1, 2):
            address = f"127.0.0.{number + 1}"
            port = free_port(address, 5443)
            self.websocket_ports.append(port)
            server = site.server(
                f"xmpp{number}",
                address,
                usual_ports=True,
                certificate_ip=[address],
                settings=page.settings(address, port, self.coturn),
            )
            self.servers.append(server)
        site.zone.srv = [(10 * at, *srv[1:]) for at, srv in enumerate(site.zone.srv, start=1)]
        for number in (1, 2):
            guests = {"guest": {"enabled": "yes"}}
            bridge = site.bridge(f"cb{number}", secret=secrets.token_hex(16), settings=guests)
            self.bridges.append(bridge)
        screen.line("authority", f"Example CA, in {site.ca.directory}")
        for daemon in (*self.servers, *self.bridges):
            [leaf, *_] = load_authorities(site.ca.directory / f"{daemon.name}.crt")
            screen.line(daemon.name, ", ".join(names(leaf).dns))
        if self.coturn:
            self.coturn.start()
            screen.line("TURN server", f"coturn on {self.coturn.address}:{self.coturn.port}")
        site.nameserver.start()
        screen.line("name server", f"Twisted Names on {site.nameserver.where}")
        screen.line("", site.zone.service)
        for priority, weight, port, target in site.zone.srv:
            screen.line("", f"    SRV {priority} {weight} {port} {target}")
        for name, addresses in site.zone.hosts.items():
            screen.line("", f"{name} A {', '.join(addresses)}")
        first = self.servers[0].command("--json", "callbridge", "add", "cb1").stdout
        self._take_secret(self.bridges[0], first)
        screen.line("secrets", "xmpp1 made one for cb1 (xmppctl callbridge add),")
        screen.line("", "typed in at xmpp2 (add-secret); cb2 chose its own")
        site.enrol(self.bridges[0], self.servers[1])
        site.enrol(self.bridges[1])
        site.user(USER, PASSWORD)
        screen.line("user", f"{USER}@{site.domain}, kept as SCRAM keys only")

    def edge(self) -> None:
        screen = self.screen
        screen.scene("At the edge: two XMPP servers, and no Call Bridge yet")
        for server in self.servers:
            server.start()
            screen.line(
                server.name,
                f"xmppd, process {server.process.pid}, on {server.address} "
                f"ports {server.component_port} and {server.client_port}",
            )
        login = self._log_in(self.servers[0], PASSWORD)
        expect(set(login.failures) == {"temporary-auth-failure"}, login)
        screen.line(
            "too early", f"{USER} logs in and is told {login.failures[0]}, not a wrong password"
        )

    def inside(self) -> None:
        screen, site = self.screen, self.site
        screen.scene("Inside: the Call Bridges dial out")
        first, second = self.bridges
        began = time.monotonic()
        first.start()
        screen.line(first.name, f"callbridged, process {first.process.pid}")
        screen.step(
            Step.CONFIGURATION,
            f"{first.ini.name}: I am {first.name} of {site.domain}, with a secret; no "
            "server_address, and I ask DNS at " + site.nameserver.where,
        )
        self._show_steps(first)
        second.start()
        for server in self.servers:
            server.wait_serving(first.name)
            server.wait_serving(second.name)
        second.wait_registered(len(self.servers))
        took = time.monotonic() - began
        screen.line(second.name, f"callbridged, process {second.process.pid}: the same steps")
        for server in self.servers:
            entries = server.status()["callbridges"]
            said = ", ".join(f"{one['name']} {one['state']}" for one in entries)
            screen.line(f"{server.name} says", said)
        screen.step(
            Step.READY,
            f"both servers have both Call Bridges after {took:.1f} s, before any login comes",
        )

    def login(self) -> None:
        self.screen.scene("A user logs in with slixmpp, a client library that is not ours")
        for server in self.servers:
            login, served = self._expect_login(server)
            self.screen.step(Step.LOGIN, self._describe(server, login, served))

    def guest(self) -> None:
        screen, server = self.screen, self.servers[0]
        screen.scene("A guest comes over WebSocket, as browsers do")
        authority = self.site.ca.certificate_path
        jid = join_as_guest(server.address, self.websocket_ports[0], authority)
        screen.line("guest", f"{jid} at {server.name}: ANONYMOUS, SASL2 and Bind 2, one exchange")
        wait_until(
            "the guest is gone",
            lambda: not any(map(self._guests, self.bridges)),
            explain=server.explain,
        )
        screen.line("gone", "it closed its stream, and the Call Bridge has taken it out")

    def sign_in_page(self) -> None:
        screen = self.screen
        screen.scene("The sign-in page, for browsers")
        count, policy = page.load(self._page_url(), self.site.ca.certificate_path)
        expect("default-src 'none'" in policy, policy)
        screen.line("loaded", f"{self._page_url()} and what it names, {count} files")
        screen.line("held to", policy)

    def wrong_password(self) -> None:
        self.screen.scene("A wrong password")
        login = self._log_in(self.servers[0], "looking-glass")
        expect(login.failures == ["not-authorized"], login)
        self.screen.line("refused", f"{USER} is told {login.failures[0]}")

    def failover(self) -> None:
        screen, server = self.screen, self.servers[0]
        screen.scene("One Call Bridge is killed")
        login, served = self._expect_login(server)
        screen.line("before", self._describe(server, login, served))
        victim = next(one for one in self.bridges if one.name == served)
        since = time.monotonic()
        victim.kill()
        screen.line("kill -9", f"{victim.name}, process {victim.process.pid}")
        for one in self.servers:
            one.wait_state(victim.name, "down")
        screen.line("noticed", f"by both servers within {time.monotonic() - since:.2f} s")
        login, served = self._expect_login(server)
        expect(served != victim.name, f"{victim.name} is dead, and yet served a login")
        screen.line("after", self._describe(server, login, served))

    def stop(self) -> None:
        self.screen.scene("The end")
        for daemon in (*self.bridges, *self.servers):
            if daemon.process.running:
                status = daemon.stop()
                expect(status in CLEAN, daemon.process.tail())
                self.screen.line(daemon.name, "told to stop (SIGTERM), closed its links, ended")
        self.site.nameserver.stop()
        if self.coturn:
            self.coturn.stop()

    def keep(self) -> None:
        """Leave everything running, the killed Call Bridge too, and say how to look at it."""
        screen = self.screen
        processes = [self.site.nameserver.process]
        if self.coturn:
            processes.append(self.coturn.process)
        for daemon in (*self.servers, *self.bridges):
            if not daemon.process.running:
                daemon.start()
            processes.append(daemon.process)
        screen.scene("Left running; in this shell:")
        screen.plain(f"cd {self.site.directory}; PATH={BIN}:$PATH")
        for daemon in (self.servers[0], self.bridges[0]):
            ini = daemon.ini.relative_to(self.site.directory)
            screen.plain(f"{daemon.ctl} --config {ini} status")
        screen.plain(f"{self.servers[0].ctl} --config xmpp1/xmppd.ini callbridge list")
        screen.plain("tail -f */log")
        server = self.servers[0]
        screen.prose(
            f"A client: {USER}@{self.site.domain}, password {PASSWORD}, server {server.address} "
            f"port {server.client_port}, STARTTLS, authority {self.site.ca.certificate_path}."
        )
        authority = self.site.ca.certificate_path
        page.explain(screen, self._page_url(), authority, USER, PASSWORD)
        screen.prose("And to end it:")
        screen.plain("kill " + " ".join(str(process.pid) for process in processes))
        screen.plain(f"rm -r {self.site.directory}")
        for process in processes:
            process.release()

    # Helpers

    def _page_url(self) -> str:
        return f"https://{self.servers[0].address}:{self.websocket_ports[0]}/"

    def _guests(self, bridge: CallBridge) -> object:
        return json.loads(bridge.command("--json", "guests").stdout)

    def _take_secret(self, bridge: CallBridge, printed: str) -> None:
        """Give a Call Bridge the secret that the server made for it."""
        bridge.secret_file.write_text(json.loads(printed)["secret"] + "\n")

    def _show_steps(self, bridge: CallBridge) -> None:
        """Print the steps of one Call Bridge's log as they are written, until it is active."""
        shown = 0
        active: set[str] = set()

        def all_active() -> bool:
            nonlocal shown
            for number, subject, text in _STEP.findall(bridge.process.text())[shown:]:
                shown += 1
                step = list(Step)[int(number) - 1]
                server, _, rest = subject.partition(f".{self.site.domain}")
                self.screen.step(step, f"{server}: {text}" if rest else text)
                if step is Step.ACTIVE:
                    active.add(subject)
            return len(active) == len(self.servers)

        bridge.process.wait_while_running(f"{bridge.name} is active at both", all_active)

    def _expect_login(self, server: XmppServer) -> tuple[people.Login, str]:
        """A login that works, and the Call Bridge that answered it."""
        mark = server.process.mark()
        login = self._log_in(server, PASSWORD)
        expect(login.ok, f"{login}\n{server.explain()}")
        match = wait_until(
            "xmppd logs who answered",
            lambda: _SERVED.search(server.process.text(mark)),
            explain=server.explain,
        )
        return login, match[1]

    def _describe(self, server: Daemon, login: people.Login, served: str) -> str:
        return (
            f"{login.jid} at {server.name}: {login.mechanism} over {login.tls} "
            f"in {login.seconds * 1000:.0f} ms, answered by {served}"
        )

    def _log_in(self, server: XmppServer, password: str) -> people.Login:
        return asyncio.run(
            people.log_in(
                server.address,
                server.client_port,
                f"{USER}@{self.site.domain}/demo",
                password,
                self.site.ca.certificate_path,
            )
        )
