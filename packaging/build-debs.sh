#!/bin/sh
# build-debs.sh DIRECTORY: builds the Debian packages of this checkout into DIRECTORY, on the release
# of Debian that they are for (Debian 12). Works in a copy: nothing is written here.
#
# DEB_REVISION (default: 1) is raised to build the same version once more, with newer libraries.
# SOURCE_DATE_EPOCH (default: the last commit's) is the date of everything in the packages.
set -eu
[ $# -eq 1 ] || {
    echo "usage: $0 DIRECTORY" >&2
    exit 2
}
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."

missing=$(dpkg-checkbuilddeps packaging/debian/control 2>&1) || {
    echo "$0: ${missing##*: }" | sed 's/Unmet/unmet/; s/$/; apt-get install them/' >&2
    exit 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 129' HUP INT TERM

# Python's 0.2.0rc1 comes before 0.2.0, and is 0.2.0~rc1 for Debian.
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml | sed -E 's/(a|b|rc|\.dev)/~\1/')
# The release is in it, as the packages of the next one must be newer.
version=$version-${DEB_REVISION:-1}+deb$(. /etc/os-release && echo "$VERSION_ID")
source=$work/callbridge-xmpp
mkdir "$source"
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git ls-files -z --cached --others --exclude-standard | xargs -0 ls -d 2>/dev/null |
        tar -cf - -T - | tar -xf - -C "$source"
    : "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
else
    cp -R . "$source"
    : "${SOURCE_DATE_EPOCH:=$(stat -c %Y CHANGELOG.md)}"
fi
export SOURCE_DATE_EPOCH

cd "$source"
cp -R packaging/debian debian
maintainer=$(sed -n 's/^Maintainer: //p' debian/control)
cat >debian/changelog <<END
callbridge-xmpp ($version) unstable; urgency=medium

  * What is new stands in changelog.gz beside this file.

 -- $maintainer  $(date -R -u -d "@$SOURCE_DATE_EPOCH")
END
find . -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
umask 022
dpkg-buildpackage --build=binary --no-sign >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    exit 1
}
mv "$work"/*.deb "$out"
