"""What an nginx of a test's own needs besides its ``server``: nothing of it is anywhere else."""

from __future__ import annotations

_FRAME = """
daemon off;
pid {directory}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory};
    proxy_temp_path {directory};
    fastcgi_temp_path {directory};
    uwsgi_temp_path {directory};
    scgi_temp_path {directory};
    SERVER
}}
"""


def nginx_template(server: str) -> str:
    """Answer a template of nginx.conf, for ``str.format``: ``server`` in it, and ``directory``."""
    return _FRAME.replace("SERVER", server.strip())
