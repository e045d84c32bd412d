"""Tests of the Debian packages: built, and installed without a network on a minimal Debian 12."""

from __future__ import annotations

import functools
import re
import shutil
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.ca import CertificateAuthority
from tests.support.debian_root import DebianRoot
from tests.support.debs import ARCHIVE, VERSION, built, newer
from tests.support.processes import output

PACKAGES = {"xmppd", "callbridged", "callbridge-xmpp-common", "callbridge-xmpp-doc"}
ENVIRONMENT = "/usr/lib/callbridge-xmpp"
SITE = f"{ENVIRONMENT}/lib/python3.11/site-packages"
DAEMONS = ("xmppd", "callbridged")
UNITS = ("xmppd.service", "xmppd.socket", "callbridged.service")

#: Both daemons as their units start them, with the credentials that these load, and a link between
#: them. Each wait is for an event.
_LINK = """
echo "127.0.0.1 xmpp1.example.com" >>/etc/hosts
start() {
    for place in /run/$1 /var/lib/$1; do install -d -o $1 -g $1 -m 700 $place; done
    copies=/run/credentials/$1.service
    install -d -o $1 -g root -m 500 $copies
    for file in /etc/$1/tls/*; do install -o $1 -m 400 $file $copies/tls_${file##*/}; done
    [ $1 = xmppd ] || install -o $1 -m 400 /etc/$1/secret $copies/secret
    command=$(sed -n 's/^ExecStart=//p' /lib/systemd/system/$1.service)
    CREDENTIALS_DIRECTORY=$copies \\
        setpriv --reuid $1 --regid $1 --init-groups $command >/var/log/$1.log 2>&1 &
}
await() { timeout 60 bash -c "until $1; do sleep 0.1; done" || { cat /var/log/*d.log; exit 1; }; }
start xmppd
await 'xmppctl status >/dev/null 2>&1'
xmppctl --json callbridge add cb1 |
    sed -n 's/.*"secret": "\\(.*\\)".*/\\1/p' >/etc/callbridged/secret
echo "a password" | callbridgectl user add alice
sed -i 's/^server_address =.*/server_address = xmpp1.example.com/' /etc/callbridged/callbridged.ini
start callbridged
await 'callbridgectl status 2>/dev/null | grep -q registered'
cat /var/log/*d.log >&2
callbridgectl status
echo "a password" | callbridgectl check --login alice
kill %1 %2
wait
"""


def put(root: DebianRoot, packages: Path) -> str:
    """Install them as files."""
    shutil.copytree(packages, root.directory / "debs", dirs_exist_ok=True)
    return root.install("/debs/*.deb")


@functools.cache
def installed() -> DebianRoot:
    """A Debian with the packages, installed once: for tests that change nothing."""
    root = DebianRoot.unpack(ARCHIVE, Path("installed").absolute())
    root.install("systemd", "man-db", "bash-completion")
    root.pretend_systemd()
    put(root, built())
    # Nothing more comes from there, and what is not there is not copied.
    root.run("rm -r /var/cache/apt/archives/*.deb /var/lib/apt/lists/* /debs")
    return root


class BuiltTests(SynchronousTestCase):
    """What packaging/build-debs.sh makes."""

    def test_names(self) -> None:
        """There are four packages, and their version is the project's."""
        names = {file.name.partition("_")[0]: file.name.split("_")[1] for file in built().iterdir()}
        self.assertEqual(names, dict.fromkeys(PACKAGES, f"{VERSION}-1+deb12"))

    def test_lintian(self) -> None:
        """lintian finds no error and no warning."""
        said = output("lintian", "--allow-root", "--fail-on", "error,warning", *built().iterdir())
        self.assertEqual(re.findall("^[EW]: .*", said, re.MULTILINE), [])


class InstalledTests(SynchronousTestCase):
    """A host where both were installed, from files."""

    def test_commands(self) -> None:
        """The commands are there, and tell the version."""
        for program in ("xmppctl", "callbridgectl"):
            self.assertEqual(installed().run(f"{program} --version"), f"{program} {VERSION}\n")
            self.assertIn("--config", installed().run(f"{program} status --help"))

    def test_not_started(self) -> None:
        """Nothing runs and nothing is to run at boot: who installs it has not configured it yet."""
        asked = installed().asked()
        self.assertNotEqual(asked, [])
        for line in asked:
            self.assertNotRegex(line, r"\b(re)?start\b|\benable\b")
        found = installed().run("find /etc/systemd -name 'xmppd.*' -o -name callbridged.service")
        self.assertEqual(found, "")

    def test_users_and_places(self) -> None:
        """Each daemon has a user, and a place for keys that only its group may look into."""
        for name in DAEMONS:
            said = installed().run(f"id -un {name}; stat -c '%A %U %G' /etc/{name}/tls")
            self.assertEqual(said, f"{name}\ndrwxr-x--- root {name}\n")
        said = installed().run("stat -c '%A %U %s' /etc/callbridged/secret")
        self.assertEqual(said, "-rw------- root 0\n")

    def test_libraries(self) -> None:
        """Every module can be loaded, and those of the user backends, by the daemon's user."""
        script = (
            "import importlib, pkgutil, sys\n"
            "import argon2, bcrypt, jinja2, ldap, prometheus_client, psycopg\n"
            "for name in ('xmppd', 'callbridged', 'bridgewire', 'daemonkit'):\n"
            "    package = importlib.import_module(name)\n"
            "    for found in pkgutil.walk_packages(package.__path__, name + '.'):\n"
            "        importlib.import_module(found.name)\n"
            "        print(found.name)\n"
        )
        (installed().directory / "tmp/load.py").write_text(script)
        said = installed().run(
            f"setpriv --reuid callbridged --regid callbridged --init-groups "
            f"{ENVIRONMENT}/bin/python3 -W error::ImportWarning /tmp/load.py"
        )
        for name in ("xmppd.web.site", "callbridged.backends.sql.postgresql", "daemonkit.ctl"):
            self.assertIn(f"{name}\n", said)

    def test_plugins_are_written_down(self) -> None:
        """Twisted knows its plugins, and does not want to write what a daemon may not."""
        said = installed().run(
            f"setpriv --reuid xmppd --regid xmppd --clear-groups {ENVIRONMENT}/bin/twistd --help"
        )
        self.assertNotIn("Unable to write", said)
        for name in DAEMONS:
            self.assertIn(f"\n    {name} ", said)

    def test_manual(self) -> None:
        """man finds every page."""
        pages = "xmppctl callbridgectl xmppd callbridged xmppd.ini callbridged.ini"
        said = installed().run(f"man -w {pages}").split()
        self.assertEqual([Path(one).name.removesuffix(".gz")[:-2] for one in said], pages.split())

    def test_completion(self) -> None:
        """bash loads the completion when it is first needed."""
        for program in ("xmppctl", "callbridgectl"):
            said = installed().run(
                "set +u; shopt -s progcomp extglob; . /usr/share/bash-completion/bash_completion; "
                f"_completion_loader {program} || [ $? = 124 ]; complete -p {program}"
            )
            self.assertIn(f"-F _shtab_{program}", said)

    def test_units(self) -> None:
        """systemd finds nothing wrong with the units, and their programs are there."""
        for unit in UNITS:
            said = installed().run(f"systemd-analyze --man=yes verify /lib/systemd/system/{unit}")
            self.assertEqual(said, "")
            print(f"systemd-analyze verify {unit}: nothing to say")

    def test_sandbox(self) -> None:
        """The exposure of both daemons is at most 1.5, of 10 (systemd-analyze security)."""
        for name in DAEMONS:
            said = installed().run(
                "systemd-analyze security --no-pager --offline=yes --threshold=15 "
                f"/lib/systemd/system/{name}.service"
            )
            exposure = said.splitlines()[-1]
            print(f"systemd-analyze security {exposure}")
            found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", exposure)
            self.assertLessEqual(float(found[1]) if found else 10.0, 1.5)


class LifeTests(SynchronousTestCase):
    """A host of its own, on which things happen."""

    def setUp(self) -> None:
        self.root = installed().copy(Path(self.mktemp()).absolute())
        self.addCleanup(shutil.rmtree, self.root.directory)
        self.root.asked()

    def test_link(self) -> None:
        """The daemons run as the units start them, make a link, and look at a user's password."""
        ca = CertificateAuthority(Path(self.mktemp()).absolute())
        wanted = {
            "xmppd": ("xmpp", ["example.com", "xmpp1.example.com"]),
            "callbridged": ("callbridge", ["cb1.example.com"]),
        }
        for daemon, (name, names) in wanted.items():
            tls = self.root.directory / "etc" / daemon / "tls"
            certificate, key = ca.issue(name, dns=names)
            shutil.copy(certificate, tls / f"{name}.crt")
            shutil.copy(key, tls / f"{name}.key")
            shutil.copy(ca.certificate_path, tls / "ca.crt")
            self.root.run(f"chown root:root /etc/{daemon}/tls/*; chmod 600 /etc/{daemon}/tls/*")
        said = self.root.run(_LINK)
        self.assertIn("connected to xmpp1.example.com:5223 (secure)", said)
        self.assertNotIn("Unable to write to plugin cache", said)

    def test_backend_of_ones_own(self) -> None:
        """A user backend below /usr/local is found, with its plugin."""
        place = self.root.directory / "usr/local/lib/callbridge-xmpp"
        (place / "twisted/plugins").mkdir(parents=True)
        (place / "ours.py").write_text("from callbridged.backends.file import FileBackendFactory\n")
        (place / "twisted/plugins/ours_plugin.py").write_text(
            "from ours import FileBackendFactory\n"
            "ours = FileBackendFactory()\n"
            "ours.prefix = 'ours'\n"
        )
        script = (
            "from twisted.plugin import getPlugins; from callbridged import backends; "
            "print(sorted(one.prefix for one in getPlugins(backends.IUserBackendFactory)))"
        )
        said = self.root.run(f'{ENVIRONMENT}/bin/python3 -c "{script}"')
        self.assertIn("'file', 'http', 'ldap', 'ours', 'sql'", said)

    def test_upgrade(self) -> None:
        """An upgrade keeps configuration and state, and starts anew what runs, and nothing else."""
        self.root.run(
            "sed -i s/example.com/example.org/ /etc/xmppd/xmppd.ini; touch /etc/callbridged/users;"
            "install -d /var/lib/xmppd; touch /var/lib/xmppd/registry"
        )
        put(self.root, newer())
        self.assertEqual(self.root.run("xmppctl --version"), "xmppctl 99\n")
        self.assertIn("domain = example.org", self.root.run("cat /etc/xmppd/xmppd.ini"))
        self.root.run("test -e /var/lib/xmppd/registry; test -e /etc/callbridged/users")
        asked = self.root.asked()
        for name in DAEMONS:
            (line,) = (one for one in asked if "start" in one and f"{name}.service" in one)
            self.assertIn("try-restart", line)
        self.assertEqual([one for one in asked if re.search(r"\bstop\b", one)], [])

    def test_one_of_two(self) -> None:
        """A host with xmppd alone has nothing of what is for the inside, and works."""
        self.root.run("apt-get -qq --yes remove callbridged")
        self.assertTrue(any("stop callbridged.service" in one for one in self.root.asked()))
        said = self.root.run(
            f"xmppctl --version; {ENVIRONMENT}/bin/twistd --help; "
            f"ls -d {SITE}/* {ENVIRONMENT}/bin/*"
        )
        self.assertIn("\n    xmppd ", said)
        inside = ("callbridged", "callbridgectl", "ldap", "psycopg", "bcrypt", "argon2", "jinja2")
        for name in inside:
            self.assertNotIn(name, said)

    def test_remove_and_purge(self) -> None:
        """Removed, configuration and state stay; purged, nothing does."""
        self.root.run(
            "install -d /var/lib/xmppd; touch /var/lib/xmppd/registry /etc/xmppd/tls/a.key"
        )
        packages = " ".join(sorted(PACKAGES))
        said = self.root.run(f"dpkg --remove {packages}")
        self.assertNotIn("not empty", said)
        self.root.run(f"test ! -e {ENVIRONMENT}; test ! -e /usr/sbin/xmppctl")
        self.root.run("ls /var/lib/xmppd/registry /etc/xmppd/tls/a.key /etc/xmppd/xmppd.ini")
        said = self.root.run(f"dpkg --purge {packages}")
        self.assertNotIn("not empty", said)
        left = self.root.run(
            "find / -xdev ! -path '/proc/*' ! -path '/dev/*' ! -path '/var/cache/man/*' "
            "\\( -name 'xmppd*' -o -name 'callbridge*' -o -name xmppctl \\)"
        )
        self.assertEqual(left, "")
