"""``python -m benchmarks.load JSON``: one process of load for ``benchmarks.measure``.

Prints a JSON list of ``[when it ended, seconds it took, fault or null]``.
"""

from __future__ import annotations

import json
import ssl
import sys
import threading
import time
from dataclasses import dataclass, field

from benchmarks.client import Client, Refused, Target
from benchmarks.sasl import Credentials


@dataclass
class Load:
    """All ``users`` log in at the same time, again and again."""

    address: str
    port: int
    domain: str
    authority: str
    users: list[str]
    password: str
    seconds: float
    done: list[tuple[float, float, str | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        context = ssl.create_default_context(cafile=self.authority)
        context.options |= ssl.OP_NO_TICKET
        self.target = Target(self.address, self.domain, {"STARTTLS": self.port}, context)

    def run(self) -> None:
        end = time.monotonic() + self.seconds
        # An address for each: of one alone the kernel would soon have to look for free ports.
        threads = [
            threading.Thread(target=self.repeat, args=(one, f"127.1.0.{number % 250 + 1}", end))
            for number, one in enumerate(self.users)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def repeat(self, user: str, address: str, end: float) -> None:
        who = Credentials(user, self.password)
        while (began := time.monotonic()) < end:
            try:
                fault = self.log_in(who, address)
            except OSError as error:
                fault = repr(error)
            ended = time.monotonic()
            self.done.append((ended, ended - began, fault))

    def log_in(self, who: Credentials, address: str) -> str | None:
        """From connect to the bound resource; the fault, or None."""
        client = Client(self.target, "STARTTLS", address)
        try:
            client.secure()
            client.open()
            client.log_in("PLAIN", who)
            client.bind()
            client.close()
        except Refused as fault:
            return str(fault)
        finally:
            client.socket.close()
        return None


if __name__ == "__main__":
    load = Load(**json.loads(sys.argv[1]))
    load.run()
    json.dump(load.done, sys.stdout)
