"""A registry in memory: which components may register."""

from __future__ import annotations

from collections.abc import Mapping

from xmppd.components.registry import Known


class KnownNames:
    """``secrets``: domain -> name -> secret, looked at anew each time."""

    def __init__(self, secrets: Mapping[str, Mapping[str, str]]) -> None:
        self._secrets = secrets
        #: (domain, name) -> UNIX time until when the secret must be used for the first time.
        self.expires: dict[tuple[str, str], int] = {}
        #: (domain, name) -> to what its secret is being rotated.
        self.next: dict[tuple[str, str], str] = {}

    def find(self, domain: str, name: str) -> Known | None:
        secret = self._secrets.get(domain, {}).get(name)
        if secret is None:
            return None
        return Known(secret, self.expires.get((domain, name)), self.next.get((domain, name)))

    def take(self, domain: str, name: str) -> None:
        self.expires.pop((domain, name))
