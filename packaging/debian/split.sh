#!/bin/sh
# split.sh STAGE PLACE: who gets what of the environment in STAGE. Each daemon's own modules go
# with it, so that the edge host has nothing of what is for the inside.
set -eu
stage=$1 place=$2
cd "$stage/environment"

# give PACKAGE FILE...
give() {
    package=$1
    shift
    for file in "$@"; do
        target=$OLDPWD/debian/$package$place/$file
        mkdir -p "${target%/*}"
        mv "$file" "$target"
    done
}

give xmppd bin/xmppctl lib/python3.*/site-packages/xmppd \
    lib/python3.*/site-packages/twisted/plugins/xmppd_*.py
give callbridged bin/callbridgectl lib/python3.*/site-packages/callbridged \
    lib/python3.*/site-packages/twisted/plugins/callbridged_*.py
while read -r file; do
    [ ! -e "$file" ] || give callbridged "${file#./}"
done <../callbridged-only
find . -type d -empty -delete
give callbridge-xmpp-common bin lib pyvenv.cfg
