"""Logins by slixmpp to a site whose users are somewhere else than in a file."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.trial import unittest

from callbridged.backends.users_file import put
from callbridged.scram_keys import SCHEMES, ScramKeys
from tests.support import people
from tests.support.site import Site


class LoginCase(unittest.SynchronousTestCase):
    """A site that others make; one xmppd, one Call Bridge."""

    site: Site

    async def attempt(self, user: str, password: str, **more: Any) -> people.Login:
        """One login; by PLAIN unless ``mechanism`` is another."""
        server = self.site.servers[0]
        return await people.log_in(
            server.address,
            server.client_port,
            f"{user}@{self.site.domain}/test",
            password,
            self.site.ca.certificate_path,
            **({"mechanism": "PLAIN"} | more),
        )

    def log_in(self, user: str, password: str, **more: Any) -> people.Login:
        return asyncio.run(self.attempt(user, password, **more))

    def log_in_together(self, *people_: tuple[str, str]) -> list[people.Login]:
        """Log all of them in at the same time."""

        async def together() -> list[people.Login]:
            return await asyncio.gather(*(self.attempt(*one) for one in people_))

        return asyncio.run(together())

    def assert_in(self, login: people.Login, user: str) -> None:
        """``login`` ended with a session of ``user``."""
        self.assertEqual((login.jid or "").partition("@")[0], user, self.explain(login))

    def assert_refused(self, login: people.Login, *conditions: str) -> None:
        """``login`` ended with these SASL conditions, one after the other."""
        self.assertEqual(login.failures, list(conditions), self.explain(login))
        self.assertFalse(login.ok)

    def explain(self, login: people.Login) -> str:
        return f"{login!r}\n{self.site.bridges[0].explain()}"


class Stopwatch:
    """``with Stopwatch() as watch: ...``, then ``watch.seconds``."""

    seconds = 0.0

    def __enter__(self) -> Stopwatch:
        self._began = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self._began


def one_bridge(
    site: Site,
    bridge: Mapping[str, Mapping[str, object]],
    server: Any = None,
    prefix: Sequence[str] = (),
) -> None:
    """Give the site one xmppd and one Call Bridge with these settings, and start them.

    The user alice, in the file that all sites have, has the password ``wonderland``. Failed logins
    are not counted: tests make many. ``prefix``: of the Call Bridge's command.
    """
    keys = {scheme: ScramKeys.derive(scheme, "wonderland") for scheme in SCHEMES}
    site.users.write_bytes(put(b"", "alice", keys))
    uncounted = {"failed_logins": {"enabled": "no"}}
    site.server(settings={**uncounted, **(server or {})})
    site.enrol(site.bridge(settings={**uncounted, **bridge}, prefix=prefix))
    site.start()


def backends(*names: str) -> dict[str, object]:
    """The section ``[users]`` with these, one a line."""
    return {"backend": "".join(f"\n    {name}" for name in names)}
