"""``python -m tests.side_by_side NAME...``: trial, several times at once, each with other tests.

Each run has a module or package in those that are named, the largest first, and what it says is
printed when it ends. trial's own ``--jobs`` deals out single tests, and each of its workers makes
anew the site that all tests of a class share.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def parts(name: str) -> dict[str, int]:
    """The names of the parts, and how many bytes of tests are in each."""
    place = Path(*name.split("."))
    if not place.is_dir():
        return {name: 0}
    sizes = {f"{name}.{one.stem}": one.stat().st_size for one in place.glob("test_*.py")}
    for module in place.glob("*/test_*.py"):
        package = f"{name}.{module.parent.name}"
        sizes[package] = sizes.get(package, 0) + module.stat().st_size
    return sizes


def run(part: str, directory: Path) -> int:
    """Run trial there, print what it said, and answer its exit status."""
    command = [sys.executable, "-m", "twisted.trial", "--temp-directory", directory / part, part]
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    sys.stdout.buffer.write(ended.stdout)
    sys.stdout.buffer.flush()
    return ended.returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=4, metavar="N", help="parts at a time")
    parser.add_argument("--temp-directory", type=Path, required=True, help="where trial works")
    parser.add_argument("names", nargs="+", metavar="NAME", help="a package, a module, or a test")
    options = parser.parse_args()
    # A shell's background job ignores it, and so would all that the tests start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sizes = {part: size for name in options.names for part, size in parts(name).items()}
    options.temp_directory.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(options.jobs) as threads:
        largest_first = sorted(sizes, key=lambda part: -sizes[part])
        return max(threads.map(lambda part: run(part, options.temp_directory), largest_first))


if __name__ == "__main__":
    sys.exit(main())
