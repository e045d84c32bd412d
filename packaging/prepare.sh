# Sourced by demo.sh and test.sh in the checkout's root: gets what they need from Debian, and tox.

# need PACKAGE TEST...: remember PACKAGE if the command TEST fails
missing=
need() {
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}

# Install what was remembered; a person who is not root is told what to type.
install_missing() {
    [ -n "$missing" ] || return 0
    if ! command -v apt-get >/dev/null; then
        echo "$0: please install what your system calls:$missing" >&2
        exit 1
    elif [ "$(id -u)" -ne 0 ]; then
        echo "$0: some Debian packages are missing; please run" >&2
        echo "    sudo apt-get install$missing" >&2
        exit 1
    fi
    echo "installing Debian packages:$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # Some packages bring a service that would start now: one bans, others take ports. Not here,
    # unless there is a policy about that already.
    policy=
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        policy=/usr/sbin/policy-rc.d
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod 755 $policy
    fi
    apt_log=$(mktemp)
    trap 'rm -f "$apt_log" $policy' EXIT
    # shellcheck disable=SC2086  # one word per package
    apt-get install -qq --no-install-recommends $missing </dev/null >"$apt_log" 2>&1 || {
        cat "$apt_log" >&2
        exit 1
    }
    rm -f "$apt_log" $policy
    trap - EXIT
}

# tox in .venv, which stays for the next time.
make_tox() {
    if ! .venv/bin/tox --version >/dev/null 2>&1; then
        echo "making .venv with tox"
        python3 -m venv --clear .venv
        .venv/bin/pip install --quiet --disable-pip-version-check "tox>=4.11"
    fi
}

PATH=$PATH:/usr/sbin:/sbin
export PATH
need python3-venv python3 -c 'import ensurepip, venv'
