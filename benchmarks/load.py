"""``python -m benchmarks.load JSON``: one process of load for ``benchmarks.logins``.

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
    address: str
    port: int
    domain: str
    authority: str
    user: str
    password: str
    at_once: int
    seconds: float
    done: list[tuple[float, float, str | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        context = ssl.create_default_context(cafile=self.authority)
        context.options |= ssl.OP_NO_TICKET
        self.target = Target(self.address, self.domain, {"STARTTLS": self.port}, context)
        self.who = Credentials(self.user, self.password)

    def run(self) -> None:
        end = time.monotonic() + self.seconds
        threads = [threading.Thread(target=self.repeat, args=(end,)) for _ in range(self.at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def repeat(self, end: float) -> None:
        while (began := time.monotonic()) < end:
            try:
                fault = self.log_in()
            except OSError as error:
                fault = repr(error)
            ended = time.monotonic()
            self.done.append((ended, ended - began, fault))

    def log_in(self) -> str | None:
        """From connect to the bound resource; the fault, or None."""
        client = Client(self.target, "STARTTLS")
        try:
            client.secure()
            client.open()
            client.log_in("PLAIN", self.who)
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
