#!/bin/sh
# Puts what packaging/ has for every system where debhelper looks for it, with the places of Debian.
set -eu
for daemon in xmppd callbridged; do
    sed -e 's|^ExecStart=/usr/bin/twistd |ExecStart=/usr/lib/callbridge-xmpp/bin/twistd |' \
        -e 's|^ExecReload=+/usr/bin/|ExecReload=+/usr/lib/callbridge-xmpp/bin/|' \
        -e "s|^Documentation=|&man:$daemon(8) |" \
        packaging/systemd/$daemon.service >debian/$daemon.service
    grep -q '^ExecStart=/usr/lib/callbridge-xmpp/bin/twistd ' debian/$daemon.service
    grep -q '^ExecReload=+/usr/lib/callbridge-xmpp/bin/.*ctl reload$' debian/$daemon.service
    cp packaging/sysusers.d/$daemon.conf debian/$daemon.sysusers
    cp packaging/tmpfiles.d/$daemon.conf debian/$daemon.tmpfiles
done
sed -e 's|^Documentation=|&man:xmppd(8) |' packaging/systemd/xmppd.socket >debian/xmppd.socket
