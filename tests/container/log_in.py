"""``python -m tests.container.log_in CA``: alice logs in at xmpp1.example.com, and out again."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.rawstream import RawStream, plain

if __name__ == "__main__":
    stream = RawStream("xmpp1.example.com", 5222)
    stream.start_tls(Path(sys.argv[1]), "example.com")
    stream.read_until("</stream:features>")
    stream.send(plain("alice", "wonderland"))
    stream.read_until("<success")
    stream.close()
    print("alice is in")
