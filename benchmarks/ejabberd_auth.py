"""ejabberd with users who are somewhere else: `extauth` and `ldap`, as its manual has them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.peers import Ejabberd

_EXTAUTH = Path(__file__).with_name("extauth.py")


class EjabberdWith(Ejabberd):
    """One with other lines of ejabberd.yml: ``authentication``. ``users``: of its own."""

    def __init__(
        self,
        here: Path,
        address: str,
        ports: dict[str, int],
        domain: str,
        pair: tuple[Path, Path],
        authentication: str,
        users: int = 0,
    ) -> None:
        self._authentication = authentication
        super().__init__(here, address, ports, domain, pair, users, hashed=False)

    def _config(self) -> str:
        more = self._authentication.replace("{", "{{").replace("}", "}}")
        return f"{super()._config()}auth_use_cache: false\n{more}\n"


def extauth(late: int, pool_size: int | None = None) -> str:
    """A program that answers so many milliseconds late; ``pool_size`` None: as many as usual."""
    lines = ["auth_method: external", f'extauth_program: "{sys.executable} -IS {_EXTAUTH} {late}"']
    if pool_size is not None:
        lines.append(f"extauth_pool_size: {pool_size}")
    return "\n".join(lines)


def ldap(port: int, settings: Mapping[str, object]) -> str:
    """The directory on a port of 127.0.0.1 that ``settings`` of ours, ``[ldap NAME]``, are for."""
    return "\n".join(
        (
            "auth_method: ldap",
            "ldap_servers: [127.0.0.1]",
            f"ldap_port: {port}",
            "ldap_encrypt: none",
            f'ldap_rootdn: "{settings["bind_dn"]}"',
            f'ldap_password: "{settings["bind_password"]}"',
            f'ldap_base: "{settings["base"]}"',
            "ldap_uids: [uid]",
        )
    )
