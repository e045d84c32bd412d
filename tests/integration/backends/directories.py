"""Sites whose users are in a real directory, Debian's slapd."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.integration.backends.logins import LoginCase, backends, one_bridge
from tests.support.ca import CertificateAuthority
from tests.support.rawstream import RawStream, plain
from tests.support.site import Site
from tests.support.slapd import Slapd


class DirectorySite(Site):
    """One Call Bridge that asks a directory, and then a file with alice in it."""

    def __init__(self, **slapd: Any) -> None:
        super().__init__()
        self.slapd = Slapd(self.directory / "slapd", self.ca, **slapd)
        self.users_ca = CertificateAuthority(self.directory / "users-ca", "Users CA")

    def begin(self, sections: Mapping[str, Mapping[str, object]], timeout: str = "1s") -> None:
        """Start all. ``sections``: of the directory, in the order in which they are asked."""
        users_ca = self.users_ca.certificate_path
        self.slapd.start()
        one_bridge(
            self,
            {
                "users": backends(*(f"ldap:{name}" for name in sections), f"file:{self.users}"),
                "tls": {"user_ca": users_ca},
                **{
                    f"ldap {name}": {"timeout": timeout, **section}
                    for name, section in sections.items()
                },
            },
            {"tls": {"client_ca": users_ca}},
        )

    def close(self) -> None:
        self.slapd.kill()
        super().close()


class DirectoryCase(LoginCase):
    """Logins to such a site."""

    site: DirectorySite

    @property
    def slapd(self) -> Slapd:
        return self.site.slapd

    def said(self, pattern: str, since: int = 0) -> None:
        """The Call Bridge has logged this."""
        self.site.bridges[0].process.wait_for(pattern, since)

    def typed(self, user: str, password: str) -> str:
        """The answer to a login by PLAIN that is typed by hand: names that clients do not send."""
        server = self.site.servers[0]
        stream = RawStream(server.address, server.client_port)
        try:
            stream.start_tls(self.site.ca.certificate_path, self.site.domain)
            stream.read_until("</stream:features>")
            stream.send(plain(user, password))
            return stream.read_until("<success|</failure>").decode()
        finally:
            stream.close()
