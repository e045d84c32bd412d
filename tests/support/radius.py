"""FreeRADIUS with a few users, in a directory of its own, on a free loopback port."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.support.foreign import Foreign
from tests.support.processes import Process, free_port

_SETTINGS = """
prefix = /usr
libdir = /usr/lib/freeradius
logdir = {directory}
run_dir = {directory}
cleanup_delay = 1
log {{
    destination = stdout
}}
security {{
    reject_delay = 0
}}
client callbridge {{
    ipaddr = 127.0.0.1
    secret = {secret}
    require_message_authenticator = yes
}}
modules {{
    files {{
        filename = {directory}/users
    }}
    pap {{
    }}
}}
server default {{
    listen {{
        type = auth
        ipaddr = 127.0.0.1
        port = {port}
    }}
    authorize {{
        files
        pap
    }}
    authenticate {{
        Auth-Type PAP {{
            pap
        }}
    }}
    post-auth {{
        update reply {{
            &Message-Authenticator := 0x00
        }}
        Post-Auth-Type REJECT {{
            update reply {{
                &Message-Authenticator := 0x00
            }}
        }}
    }}
}}
"""


class RadiusServer(Foreign):
    """``users``: name -> password and reply attributes, as FreeRADIUS writes them."""

    secret = "a-secret-of-both-ends"

    def __init__(self, directory: Path, users: Mapping[str, tuple[str, str]]) -> None:
        directory.mkdir()
        self.port = free_port()
        self.secret_file = directory / "secret"
        self.secret_file.touch(mode=0o600)
        self.secret_file.write_text(self.secret + "\n")
        lines = [
            f'{name} Cleartext-Password := "{password}"\n\t{reply}\n'
            for name, (password, reply) in users.items()
        ]
        (directory / "users").write_text("\n".join(lines))
        (directory / "radiusd.conf").write_text(
            _SETTINGS.format(directory=directory, port=self.port, secret=self.secret)
        )
        found = shutil.which("freeradius", path=os.environ.get("PATH", "") + ":/usr/sbin")
        assert found, "freeradius is missing: apt-get install freeradius"
        command = [found, "-f", "-l", "stdout", "-d", directory]
        self.process = Process("freeradius", command, directory / "log")

    def start(self) -> None:
        since = self.process.mark()
        self.process.start()
        self.process.wait_for("Ready to process requests", since)

    def stop(self) -> None:
        self.process.kill()
