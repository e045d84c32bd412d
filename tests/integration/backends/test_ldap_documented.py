"""The examples of docs/directories.md for LDAP directories."""

from __future__ import annotations

import re
from pathlib import Path

from callbridged.backends.ldap.factory import LdapBackendFactory
from callbridged.backends.ldap.settings import LdapSettings
from daemonkit.ini import IniReader
from tests.callbridged.people import Threads
from tests.integration.backends.directories import DirectoryCase, DirectorySite
from tests.support.processes import ROOT
from tests.support.slapd import SERVICE_PASSWORD

PAGE = (ROOT / "docs" / "directories.md").read_text()


def section(heading: str) -> str:
    """What stands below a heading."""
    return PAGE.split(f"\n{heading}\n")[1].split("\n#")[0]


def blocks(text: str, language: str = "") -> list[str]:
    """The code in a language."""
    found = re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [code for tongue, code in found if tongue == language]


def settings(ini: str) -> dict[str, str]:
    """The section of the directory, as it stands in an ini file."""
    text = ini.partition("[ldap office]\n")[2]
    found = re.findall(r"^(\w+) = (.*(?:\n +.*)*)", text, re.MULTILINE)
    return dict(found)


class DocumentedTests(DirectoryCase):
    """What an operator reads is what works."""

    def test_openldap(self) -> None:
        """The account, the access rules and the settings let users in."""
        text = section("### OpenLDAP")
        (ini,) = blocks(text, "ini")
        rules = blocks(text)[0]
        access = "".join(f"access {line}\n" for line in rules.splitlines())
        self.site = DirectorySite(access=access)
        self.addCleanup(self.site.close)
        slapd = self.site.slapd
        (entry,) = blocks(text, "ldif")
        account = re.search("^dn: (.*)", entry, re.MULTILINE)
        documented = settings(ini)
        assert account
        self.assertEqual(documented["bind_dn"], account[1])
        password = self.site.directory / "ldap-password"
        password.touch(0o600)
        password.write_text(SERVICE_PASSWORD)
        here = {"url": slapd.url, "ca": slapd.authority, "bind_password_file": password}
        self.assertEqual(here.keys() - documented.keys(), set())
        self.site.begin({"office": {**documented, **here}})
        slapd.add_user("bob", "builder")
        dn = slapd.add_user("carol", "builder")
        slapd.modify(dn, "pwdAccountLockedTime", "000001010000Z")
        self.assert_in(self.log_in("bob", "builder"), "bob")
        self.assert_refused(self.log_in("bob", "x"), "not-authorized")
        # Without ppolicy_use_lockout, as the page says.
        self.assert_refused(self.log_in("carol", "builder"), "not-authorized")
        self.said(re.escape("[ldap office]: the directory answers"))

    def test_active_directory(self) -> None:
        """The settings for Active Directory can be used; so can the group's filter."""
        text = section("### Active Directory")
        (ini,) = blocks(text, "ini")
        (group,) = re.findall(r"^`(\(memberOf:.*\))`", text, re.MULTILINE)
        documented = settings(ini)
        documented |= {"ca": "", "bind_password": "x", "bind_password_file": ""}
        for filter_ in (
            documented["filter"],
            documented["filter"].replace("=user)", f"=user){group}"),
        ):
            lines = [f"{key} = {value}" for key, value in {**documented, "filter": filter_}.items()]
            path = Path(self.mktemp())
            path.touch(0o600)
            path.write_text("\n".join(["[ldap office]", *lines]))
            reader = IniReader(path)
            found = LdapBackendFactory().read("office", reader)
            reader.finish()
            assert isinstance(found, LdapSettings)
            LdapBackendFactory().open(found, Threads())
        self.assertIn(group, filter_)

    def test_names(self) -> None:
        """With the filter for two kinds of names, both let the same user in."""
        text = section("### What happens at a login")
        (both,) = re.findall(r"`(\(\|.*?)`", text)
        self.site = DirectorySite()
        self.addCleanup(self.site.close)
        slapd = self.site.slapd
        self.site.begin({"office": slapd.settings(filter=both)})
        slapd.add_user("bob", "builder", mail="robert@example.com")
        for name in ("bob", "robert"):
            self.assert_in(self.log_in(name, "builder"), "bob")
