#!/bin/sh
# Shows the twelve steps on real daemons: ./demo.sh, or ./demo.sh --keep to look around afterwards.
# Needs Python 3.11 or newer; on a bare Debian, run as root, it installs the rest.
set -eu
cd "$(dirname "$0")"
. packaging/prepare.sh
install_missing
make_tox
[ -d .tox/demo ] || echo "making the environment for the demo, once"
exec .venv/bin/tox run --quiet -e demo -- "$@"
