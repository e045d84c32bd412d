"""The ports that callbridged itself listens on: its web page and API, and its metrics."""

from __future__ import annotations

#: What to do about one that it may not have. (``SocketBindAllow=`` in packaging/systemd.)
NOT_ALLOWED = (
    "Choose one from 1024 on. Under systemd 8443 and 9523 are allowed; for another one run "
    "`systemctl edit {program}`, write SocketBindAllow=tcp:{port} below [Service], and run "
    "`systemctl restart {program}`."
)
