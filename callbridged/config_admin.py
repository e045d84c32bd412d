"""The settings of ``[admin]``: where the web page and the REST API are, and who may use them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from daemonkit.files import others_may_read
from daemonkit.ini import Section
from daemonkit.listen import parse_local_listen

#: What they need, and the daemon does without otherwise: the modules, and who has them.
_LIBRARIES = (("jinja2", "Jinja2"), ("argon2", "argon2-cffi"))


@dataclass(frozen=True)
class AdminSettings:
    """``[admin]``. Endpoint strings, always with TLS; none: there is neither page nor API.

    ``certificate`` and ``private_key`` None: those of ``[tls]``. ``users_file`` has the
    administrators, and need not be there yet. A session ends after ``session_idle`` seconds without
    a request, and after ``session_lifetime`` in any case.
    """

    listen: tuple[str, ...]
    certificate: Path | None
    private_key: Path | None
    users_file: Path
    session_idle: float
    session_lifetime: float


def read_admin(section: Section) -> AdminSettings:
    """Read ``[admin]``."""
    listen = section.items("listen", parse_local_listen, ())
    certificate, private_key = section.file_pair("certificate", "private_key")
    admin = AdminSettings(
        listen,
        certificate,
        private_key,
        section.path("users_file", Path("/etc/callbridged/admins")),
        section.duration("session_idle", 1800.0, minimum=60.0, maximum=24 * 3600.0),
        section.duration("session_lifetime", 12 * 3600.0, minimum=60.0, maximum=168 * 3600.0),
    )
    if admin.session_idle > admin.session_lifetime:
        section.fault("session_idle", "it is longer than session_lifetime. Make it shorter.")
    if admin.listen and others_may_read(admin.users_file):
        section.warn(
            "users_file",
            f"everybody may read {admin.users_file}, which has hashes of passwords in it: run "
            f"chmod o= {admin.users_file}, and make it belong to the daemon's user or group.",
        )
    if admin.listen and (missing := missing_libraries()):
        section.fault(
            "listen",
            f"the web page and the REST API need {' and '.join(missing)}. Run pip install "
            "'callbridge-xmpp[admin]' in the environment that callbridged runs in.",
        )
    return admin


def missing_libraries() -> Sequence[str]:
    """Answer the libraries that would have to be installed first; mostly nothing."""
    return [library for module, library in _LIBRARIES if find_spec(module) is None]
