#!/bin/sh
# root.sh ARCHIVE: makes a minimal Debian 12 as an archive, unless it is there and not older than this
# file. In its apt cache is what the tests install without a network, and nothing else.
set -eu
archive=$1
if [ -n "$(find "$archive" -newer "$0" 2>/dev/null)" ]; then exit; fi
# What the packages depend on, then what looks at them, and what a host has that boots.
wanted="python3 libpq5 libldap-2.5-0 systemd man-db bash-completion dbus openssl systemd-sysv curl"
# In a container there is no systemd; these two cannot be there beside it, so they are fetched apart.
parts="systemd-standalone-sysusers systemd-standalone-tmpfiles"
# What the operator's guide lets its reader install, with all that Debian recommends.
guide="--install-recommends python3 libpq5 libldap-2.5-0 go-sendxmpp sqlite3 curl"
trap 'rm -f "$archive.part"' EXIT
mkdir -p "$(dirname "$archive")"
mmdebstrap --quiet --variant=minbase --format=tar --skip=cleanup/apt/lists,cleanup/apt/cache \
    --customize-hook="for some in '$wanted' '$parts' '$guide'; do
        chroot \"\$1\" apt-get -qq --yes --download-only --no-install-recommends install \$some
    done" bookworm "$archive.part"
mv "$archive.part" "$archive"
