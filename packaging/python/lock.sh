#!/bin/sh
# lock.sh [PIP-COMPILE-OPTION...]: pins all that goes into the Debian packages from PyPI, or builds
# them, by version and hash. Keeps what is pinned where it can; with --upgrade it takes the newest.
set -eu
cd "$(dirname "$0")"
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
python3 -m venv "$tools"
"$tools/bin/pip" install --quiet --disable-pip-version-check 'uv>=0.9'

# pin RESULT FROM...: for every Python and processor, so that the packages build for all of them.
pin() {
    result=$1
    shift
    "$tools/bin/uv" pip compile --quiet --no-config --default-index https://pypi.org/simple \
        --universal --python-version 3.11 --generate-hashes \
        --custom-compile-command "packaging/python/lock.sh" --output-file "$result" "$@"
}

pin common.txt ../../pyproject.toml "$@"
pin callbridged.txt ../../pyproject.toml callbridged.in --constraint common.txt "$@"
pin build.txt build.in "$@"
pin manual.txt manual.in "$@"
