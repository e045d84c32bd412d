#!/bin/sh
# Runs every check, as many at a time as there are CPUs, and prints what each said when it ends:
# ./test.sh, or for some of them ./test.sh -e lint,types (what tox run-parallel takes).
# Needs Python 3.11 or newer; on a bare Debian, run as root, it installs the rest.
set -eu
cd "$(dirname "$0")"
. packaging/prepare.sh
# What dpkg-buildpackage wants is asked for by name: another python3 in PATH has its own.
need build-essential dpkg -s build-essential
need python3-dev dpkg -s python3-dev
need python3-venv dpkg -s python3-venv
need chromium command -v chromium
need coturn command -v turnserver
need curl command -v curl
need debhelper command -v dh
need dnsmasq-base command -v dnsmasq
need faketime command -v faketime
need fail2ban command -v fail2ban-regex
need fish command -v fish
need freeradius command -v freeradius
need gcc command -v gcc
need go-sendxmpp command -v go-sendxmpp
need iproute2 command -v ip
need iptables command -v iptables
need ldap-utils command -v ldapmodify
need libc6-dev ls /usr/include/stdio.h
need libldap-dev ls /usr/include/ldap.h
need libsasl2-dev ls /usr/include/sasl/sasl.h
need lintian command -v lintian
need man-db command -v man
need mandoc command -v mandoc
need mmdebstrap command -v mmdebstrap
need libnss3-tools command -v certutil
need nodejs command -v node
need npm command -v npm
need haproxy command -v haproxy
need netavark ls /usr/lib/podman/netavark
need nginx-light command -v nginx
need podman command -v podman
need postgresql sh -c 'ls /usr/lib/postgresql/*/bin/postgres'
need profanity command -v profanity
need prometheus command -v promtool
need python3-aioxmpp /usr/bin/python3 -c "import aioxmpp"
need python3-dev python3 -c "import os, sysconfig as s; os.stat(s.get_path('include') + '/Python.h')"
need python3-nbxmpp /usr/bin/python3 -c "import nbxmpp"
need slapd command -v slapd
need systemd-container command -v systemd-nspawn
need uidmap command -v newuidmap
need zsh command -v zsh
install_missing
make_tox
.venv/bin/tox run-parallel "$@"
