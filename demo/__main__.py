"""``python -m demo [--keep]``: the twelve steps on real daemons; exit status 0 if all were seen."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from demo.play import Play
from demo.screen import Screen
from tests.support.site import Site


def main() -> int:
    parser = argparse.ArgumentParser(prog="demo.sh", description="The twelve steps, live.")
    parser.add_argument("--keep", action="store_true", help="leave everything running at the end")
    options = parser.parse_args()
    screen = Screen()
    site = Site(directory=Path(tempfile.mkdtemp(prefix="callbridge-demo-")))
    play = Play(screen, site)
    kept = False
    try:
        play.run()
        if options.keep and not screen.missing:
            play.keep()
            kept = True
        else:
            play.stop()
    except KeyboardInterrupt:
        screen.fault("interrupted; everything that was started is stopped")
        return 130
    except AssertionError as error:  # something was waited for and did not come
        screen.fault(str(error))
        return 1
    finally:
        if not kept:
            site.close()
    if screen.missing:
        screen.fault("steps not seen: " + ", ".join(screen.missing))
        return 1
    screen.scene(f"All twelve steps seen in {screen.elapsed:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
