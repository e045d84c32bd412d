"""``python -m tests.fuzz TARGET SECONDS [CORPUS]``: run one target with atheris.

Ends with status 0 where nothing was found. CORPUS is a directory for inputs that are worth keeping;
without it each run begins with the seeds alone. An input that breaks something is written to
``crash-...`` in the current directory; ``python -m tests.fuzz TARGET crash-...`` runs it again.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["bridgewire", "xmppd", "callbridged"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    if len(sys.argv) < 3 or sys.argv[1] not in TARGETS:
        raise SystemExit(f"usage: python -m tests.fuzz {'|'.join(TARGETS)} SECONDS|FILE [CORPUS]")
    name, how_long = sys.argv[1:3]
    target, seeds = TARGETS[name]
    if not how_long.isdigit():
        target(Path(how_long).read_bytes())
        return
    corpus = Path(sys.argv[3] if len(sys.argv) > 3 else tempfile.mkdtemp(prefix="fuzz-"))
    corpus.mkdir(exist_ok=True)
    for number, seed in enumerate(seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    atheris.Setup(
        [sys.argv[0], f"-max_total_time={how_long}", "-max_len=4096", "-timeout=10", str(corpus)],
        target,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
