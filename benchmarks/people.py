"""``python -m benchmarks.people JSON``: people who log in, and people who guess, as one process.

For ``benchmarks.guessing``. Prints a JSON list of ``[group, when it ended, seconds it took, how]``:
``success``, ``not-authorized``, ``temporary-auth-failure`` or what else came.
"""

from __future__ import annotations

import json
import random
import re
import ssl
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.client import Client, Refused, Target
from benchmarks.sasl import Credentials

TOKEN = "HT-SHA-256-NONE"
_WISH = f"<request-token xmlns='urn:xmpp:fast:0' mechanism='{TOKEN}'/>"
_USE = "<fast xmlns='urn:xmpp:fast:0'/>"
_CONDITION = re.compile(r"<failure[^>]*>\s*<([a-z-]+)")
#: Guesses on one connection, before xmppd closes it.
_ON_ONE = 3

Record = tuple[str, float, float, str]


@dataclass(frozen=True)
class Group:
    """People of one kind, each a thread. Each login, or guess, takes one place and one user.

    ``places``: the address to connect from, and where that is a proxy, whom it says it is for.
    ``rest``: seconds between two logins. ``token``: each logs in with one, got with the password.
    """

    name: str
    threads: int
    users: tuple[str, ...]
    places: tuple[tuple[str, str], ...]
    password: str = ""
    rest: float = 0.0
    token: bool = False

    @property
    def guesses(self) -> bool:
        """These have no password, and try."""
        return not self.password


@dataclass
class People:
    address: str
    domain: str
    ports: dict[str, int]
    authority: str
    seconds: float
    groups: list[Any]
    done: list[Record] = field(default_factory=list)

    def __post_init__(self) -> None:
        context = ssl.create_default_context(cafile=self.authority)
        context.options |= ssl.OP_NO_TICKET
        self.target = Target(self.address, self.domain, self.ports, context)
        self.people = [Group(**one) for one in self.groups]

    def run(self) -> None:
        end = time.monotonic() + self.seconds
        threads = [
            threading.Thread(target=self._live, args=(group, number, end))
            for group in self.people
            for number in range(group.threads)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _live(self, group: Group, number: int, end: float) -> None:
        chance = random.Random(f"{group.name} {number}")
        # The first comes from the first place, the others are spread over all of them.
        turn = number
        agent = token = ""
        while time.monotonic() < end:
            user = group.users[turn % len(group.users)]
            source, forwarded = group.places[turn % len(group.places)]
            turn += group.threads
            if group.guesses:
                self._guess(group.name, user, (source, forwarded), chance)
            elif group.token:
                agent, token = self._log_in_by_token(group, user, source, agent, token)
            else:
                self._log_in(group, user, source)
            time.sleep(chance.uniform(0.5, 1.5) * group.rest)

    def _client(self, source: str, forwarded: str = "") -> Client:
        client = Client(self.target, "WebSocket" if forwarded else "STARTTLS", source, forwarded)
        try:
            client.secure()
            client.open()
        except BaseException:
            client.socket.close()
            raise
        return client

    def _guess(self, name: str, user: str, place: tuple[str, str], chance: random.Random) -> None:
        try:
            client = self._client(*place)
        except (OSError, Refused):
            self._note(name, time.monotonic(), "no connection")
            time.sleep(0.1)
            return
        try:
            for _ in range(_ON_ONE):
                began = time.monotonic()
                who = Credentials(user, f"guess{chance.random()}")
                try:
                    client.log_in("PLAIN", who)
                    self._note(name, began, "success")
                    return
                except Refused as fault:
                    how = _how(fault)
                    self._note(name, began, how)
                    if how != "not-authorized":
                        return
                except OSError:
                    self._note(name, began, "connection lost")
                    return
        finally:
            client.socket.close()

    def _log_in(self, group: Group, user: str, source: str) -> None:
        def talk(client: Client) -> None:
            client.log_in("PLAIN", Credentials(user, group.password))
            client.bind()
            client.close()

        self._attempt(group.name, source, talk)

    def _log_in_by_token(
        self, group: Group, user: str, source: str, agent: str, token: str
    ) -> tuple[str, str]:
        """Answer the agent and the token for the next time; the first is got by the password."""
        who = Credentials(user, group.password)
        have = agent, token

        def talk(client: Client) -> None:
            nonlocal have
            if token:
                client.agent = agent
                client.log_in_inline(TOKEN, replace(who, token=token), _USE)
            else:
                client.log_in_inline("SCRAM-SHA-256", who, _WISH)
            have = client.agent, client.token or token
            client.close()

        self._attempt(group.name, source, talk)
        return have

    def _attempt(self, group: str, source: str, talk: Callable[[Client], None]) -> None:
        """Let a client ``talk``; how that ends is noted, and not raised."""
        began = time.monotonic()
        how = "success"
        try:
            client = self._client(source)
            try:
                talk(client)
            finally:
                client.socket.close()
        except (OSError, Refused) as fault:
            how = _how(fault)
        self._note(group, began, how)

    def _note(self, group: str, began: float, how: str) -> None:
        ended = time.monotonic()
        self.done.append((group, ended, ended - began, how))


def _how(fault: Exception) -> str:
    text = str(fault)
    condition = _CONDITION.search(text)
    return condition[1] if condition else f"{type(fault).__name__} {text[:60]}"


if __name__ == "__main__":
    people = People(**json.loads(sys.argv[1]))
    people.run()
    json.dump(people.done, sys.stdout)
