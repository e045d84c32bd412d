"""The Debian packages of this checkout, built once for all tests, and a Debian to run them on."""

from __future__ import annotations

import functools
import os
import shutil
import tomllib
from pathlib import Path

from tests.support.debian_root import DebianRoot
from tests.support.processes import ROOT, output

#: What tests/packages/root.sh has made: a minimal Debian 12.
ARCHIVE = Path(os.environ.get("DEBIAN_ROOT", ROOT / ".tox" / "debian12-root.tar"))
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
#: What a root has no use for when all is installed.
_NO_CACHE = "rm -r /var/cache/apt/archives/*.deb /var/lib/apt/lists/*"


@functools.cache
def built() -> Path:
    """The directory with the packages, built once; DEBIAN_PACKAGES names one with built ones."""
    if "DEBIAN_PACKAGES" in os.environ:
        return Path(os.environ["DEBIAN_PACKAGES"])
    place = Path("debs").absolute()
    output(ROOT / "packaging" / "build-debs.sh", place)
    return place


@functools.cache
def newer() -> Path:
    """The same packages as a version 99, which says so."""
    place = Path("newer").absolute()
    place.mkdir()
    for package in built().iterdir():
        tree = place / "tree"
        output("dpkg-deb", "-R", package, tree)
        files = [tree / "DEBIAN" / "control", *tree.glob("**/callbridge_xmpp-*/METADATA")]
        for file in files:
            file.write_text(file.read_text().replace(VERSION, "99"))
        output("dpkg-deb", "--root-owner-group", "-Znone", "-b", tree, place / package.name)
        shutil.rmtree(tree)
    return place


def with_systemd() -> DebianRoot:
    """A Debian that can boot, with what the packages depend on. It is kept: change it nowhere."""
    return _kept(
        "systemd", "curl dbus libldap-2.5-0 libpq5 openssl python3 systemd-sysv", _NO_CACHE
    )


def fresh() -> DebianRoot:
    """A server as Debian sets it up, with all that it may want in apt's cache. It is kept."""
    return _kept("fresh", "ca-certificates dbus python3 systemd-sysv", "true")


def _kept(name: str, packages: str, script: str) -> DebianRoot:
    place = ARCHIVE.with_suffix(f".{name}")
    if not place.exists() or place.stat().st_mtime < ARCHIVE.stat().st_mtime:
        shutil.rmtree(place, ignore_errors=True)
        part = ARCHIVE.with_suffix(f".{name}-part")
        shutil.rmtree(part, ignore_errors=True)
        root = DebianRoot.unpack(ARCHIVE, part)
        root.install(packages)
        root.run(f"rm -f /etc/hostname /etc/resolv.conf; {script}")
        os.utime(part)
        part.rename(place)
    return DebianRoot(place)
