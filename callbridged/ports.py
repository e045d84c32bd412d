"""The ports that callbridged itself listens on: its web page and API, and its metrics."""

from __future__ import annotations

from bridgewire import tls
from callbridged.config import Config

#: What to do about one that it may not have. (``SocketBindAllow=`` in packaging/systemd.)
NOT_ALLOWED = (
    "Choose one from 1024 on. Under systemd 8443 and 9523 are allowed; for another one run "
    "`systemctl edit {program}`, write SocketBindAllow=tcp:{port} below [Service], and run "
    "`systemctl restart {program}`."
)


def wanted(config: Config) -> list[str]:
    """Answer the sections whose ports there are."""
    both = (("admin", config.admin.listen), ("metrics", config.metrics.listen))
    return [section for section, listen in both if listen]


def port_tls(section: str, config: Config) -> tls.Connections | None:
    """Answer the TLS of the port of ``[admin]`` or ``[metrics]``; None where it has none.

    Raises:
        CertificateFault: for files that cannot be used.
    """
    own = config.admin if section == "admin" else config.metrics
    shown = config.tls if section == "admin" and own.certificate is None else own
    return tls.web_server(shown.certificate, shown.private_key)
