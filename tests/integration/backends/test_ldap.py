"""Users in a directory: OpenLDAP's slapd, asked by callbridged for clients of xmppd."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from tests.integration.backends.directories import DirectoryCase, DirectorySite
from tests.support.impostors import Talker
from tests.support.processes import free_port
from tests.support.shared import shared_site
from tests.support.site import making
from tests.support.slapd import PEOPLE, POLICIES, SUFFIX

MAIL, DN, BRANCH = (f"ou={unit},{SUFFIX}" for unit in ("mail", "dn", "branch"))
DISABLED, EXPIRED = "account-disabled", "credentials-expired"
WRONG = "not-authorized"


def make_site() -> DirectorySite:
    """Started. One directory, and four ways into it that are tried one after the other."""
    # It would let in, as nobody, who has no password: a test that none is ever sent can fail.
    with making(
        DirectorySite(tells_lockout=True, more="allow bind_anon_cred bind_anon_dn", log="stats")
    ) as site:
        slapd = site.slapd
        sections = {
            "office": slapd.settings(filter="(&(objectClass=person)(uid={username}))"),
            "branch": slapd.settings(url=slapd.tls_url, base=BRANCH, filter="(sn={username})"),
            "mail": slapd.settings(base=MAIL, filter="(mail={username}@example.com)"),
            "dn": {"url": slapd.url, "ca": slapd.authority, "user_dn": f"uid={{username}},{DN}"},
        }
        site.begin(sections, timeout="5s")
        for base in (MAIL, DN, BRANCH, f"ou=more,{PEOPLE}", f"ou=more,{MAIL}"):
            slapd.add(base, {"objectClass": "organizationalUnit"})
        slapd.add_user("bob", "builder")
    return site


class SlapdCase(DirectoryCase):
    """One site for all of them."""

    def setUp(self) -> None:
        site = shared_site(SlapdCase, make_site)
        assert isinstance(site, DirectorySite)
        self.site = site
        self.logged = site.bridges[0].process.mark()
        self.since = self.slapd.process.mark()

    def binds(self) -> list[str]:
        """The DNs of simple binds that the directory has seen in this test."""
        return re.findall(r'BIND dn="([^"]*)" method=128', self.slapd.process.text(self.since))


class WayTests(SlapdCase):
    """Ways to an entry."""

    def test_search(self) -> None:
        """A user who is found by a search gets in with the right password alone."""
        self.assert_in(self.log_in("bob", "builder"), "bob")
        self.assert_refused(self.log_in("bob", "x"), WRONG)
        self.assert_refused(self.log_in("nobody", "builder"), WRONG)

    def test_ldaps(self) -> None:
        """So does one who is found over ldaps://."""
        self.slapd.add(
            f"cn=carol,{BRANCH}",
            {
                "objectClass": ("inetOrgPerson",),
                "cn": "carol",
                "sn": "carol",
                "uid": "carol",
                "userPassword": "x",
            },
        )
        self.assert_in(self.log_in("carol", "x"), "carol")
        self.assert_refused(self.log_in("carol", "y"), WRONG)

    def test_user_dn(self) -> None:
        """So does one whose DN is made of the name."""
        self.slapd.add_user("dave", "x", base=DN)
        self.assert_in(self.log_in("dave", "x"), "dave")
        self.assert_refused(self.log_in("dave", "y"), WRONG)

    def test_mail(self) -> None:
        """Who types the mail address's name is let in as the uid."""
        self.slapd.add_user("eve", "x", base=MAIL, mail="eve.adams@example.com")
        self.assert_in(self.log_in("Eve.Adams", "x"), "eve")
        self.assert_refused(self.log_in("eve.adams", "y"), WRONG)
        self.assert_refused(self.log_in("eve", "x"), WRONG)

    def test_mail_not_unique(self) -> None:
        """Who would be let in as somebody else is not let in."""
        self.slapd.add_user("fred", "x", base=MAIL, mail="one@example.com")
        self.slapd.add_user("fred", "y", base=f"ou=more,{MAIL}", mail="two@example.com")
        self.assert_refused(self.log_in("one", "x"), "temporary-auth-failure")
        self.said("ldap:mail: the attribute uid of uid=fred,ou=.* has it, too, and both would be")

    def test_file(self) -> None:
        """Who is in the file behind the directory gets in."""
        self.assert_in(self.log_in("alice", "wonderland"), "alice")

    def test_nothing_kept(self) -> None:
        """A password that is changed counts at once."""
        dn = self.slapd.add_user("gina", "x")
        self.assert_in(self.log_in("gina", "x"), "gina")
        self.slapd.modify(dn, "userPassword", "y")
        self.assert_refused(self.log_in("gina", "x"), WRONG)
        self.assert_in(self.log_in("gina", "y"), "gina")

    def test_together(self) -> None:
        """More logins than connections wait for their turn, and all get in."""
        for login in self.log_in_together(*[("bob", "builder")] * 30):
            self.assert_in(login, "bob")

    def test_secrets(self) -> None:
        """Neither users' passwords nor that of the search account are in any log."""
        self.log_in("bob", "builder")
        self.log_in("bob", "a-password-to-look-for")
        for daemon in (*self.site.servers, *self.site.bridges):
            for secret in ("builder", "a-password-to-look-for", "secret-of-service"):
                self.assertNotIn(secret, daemon.process.text())
        shown = self.site.bridges[0].command("config").stdout
        self.assertIn("(hidden)", shown)
        self.assertNotIn("secret-of-service", shown)


class NameTests(SlapdCase):
    """Names that are written in more than one way, and those that mean something in a filter."""

    def test_normal_form(self) -> None:
        """Names that differ in case or normalisation only are one localpart."""
        self.slapd.add_user("Zoë", "x")
        for name in ("zoë", "ZOË", "zoe\u0308", "ＺＯË"):
            self.assert_in(self.log_in(name, "x"), "zoë")

    def test_spaces(self) -> None:
        """A directory does not see spaces at the ends of a name; who types them is nobody."""
        for name in ("bob ", " bob"):
            self.assertIn("<not-authorized", self.typed(name, "builder"))

    def test_filter(self) -> None:
        """Names with characters that mean something in a filter are names, and nothing else."""
        for name in ("*", "b*b", "bob)(uid=*", "*)(objectClass=*", "\\2a", "bob\\00", "(|", "&"):
            self.assertIn("<not-authorized", self.typed(name, "builder"), name)
            self.assertNotIn("<success", self.typed(name, ""))
        self.assertIn("<malformed-request", self.typed("bob\0*", "builder"))
        for name in ("a*b", "a(b)", "a\\b"):
            number = str(ord(name[1]))
            self.slapd.add_user(name, "x", dn=f"cn={number},{PEOPLE}", cn=number)
            self.assertIn("<success", self.typed(name, "x"), name)

    def test_dn(self) -> None:
        """Names with characters that mean something in a DN are names, and nothing else."""
        self.slapd.add_user("a,b+c", "x", dn=rf"uid=a\,b\+c,{DN}")
        self.assertIn("<success", self.typed("a,b+c", "x"))
        for name in (f"bob,{PEOPLE}", "bob,", "#bob", "a\\,b+c"):
            self.assertIn("<not-authorized", self.typed(name, "builder"), name)

    def test_several(self) -> None:
        """Two entries for one name are nobody, and the log names both."""
        self.slapd.add_user("twin", "x")
        self.slapd.add_user("Twin", "x", base=f"ou=more,{PEOPLE}")
        self.assert_refused(self.log_in("twin", "x"), "temporary-auth-failure")
        self.said(f"ldap:office: the filter .* finds uid=twin,{PEOPLE} and uid=Twin,ou=more,")

    def test_broken(self) -> None:
        """An entry with two localparts has none: not a wrong password, and others get in."""
        self.slapd.add_user("henry", "x", uid=("henry", "harry"))
        self.assert_refused(self.log_in("henry", "x"), "temporary-auth-failure")
        self.said(f"ldap:office: the attribute uid of uid=henry,{PEOPLE} is wrong: it has 2 values")
        self.assert_in(self.log_in("bob", "builder"), "bob")


class NothingTests(SlapdCase):
    """Passwords that are none."""

    def test_empty(self) -> None:
        """An empty password reaches no directory, whatever it was before it was prepared."""
        self.assertIn("<malformed-request", self.typed("bob", ""))
        for password in ("\u00ad", "\u200b\u200d"):
            self.assertIn("<not-authorized", self.typed("bob", password))
        self.assertIn("<malformed-request", self.typed("bob", "builder\0"))
        self.assertEqual(self.binds(), [])

    def test_nobody(self) -> None:
        """Who does not exist is bound like anybody, by no DN that there is."""
        self.typed("nobody", "x")
        dns = [dn for dn in self.binds() if dn.startswith("cn=") and dn.endswith(PEOPLE)]
        self.assertEqual(len(dns), 1, self.binds())
        self.assertIn(f'BIND dn="{dns[0]}" method=128', self.slapd.process.text(self.since))


class StateTests(SlapdCase):
    """Accounts that must not be used."""

    def assert_state(self, name: str, condition: str, wrong: str = WRONG) -> None:
        """The right password is told ``condition``, and a wrong one ``wrong``."""
        self.assert_refused(self.log_in(name, "x"), condition)
        self.assert_refused(self.log_in(name, "y"), wrong)

    def test_attributes(self) -> None:
        """What the directory leaves to others counts all the same."""
        for name, attributes in {
            "disabled1": {"nsAccountLock": "TRUE"},
            "disabled2": {"userAccountControl": "514"},
            "disabled3": {"shadowExpire": "1"},
            "disabled4": {"accountExpires": "130000000000000000"},
        }.items():
            self.slapd.add_user(name, "x", **attributes)
            self.assert_state(name, DISABLED)
        self.said("'disabled1' .*: account-disabled, the account is disabled .nsAccountLock")

    def test_locked(self) -> None:
        """An account that the directory has locked is told so, here to everybody."""
        dn = self.slapd.add_user("locked", "x")
        self.slapd.modify(dn, "pwdAccountLockedTime", "000001010000Z")
        self.assert_state("locked", DISABLED, DISABLED)
        self.slapd.modify(dn, "pwdAccountLockedTime")
        self.assert_in(self.log_in("locked", "x"), "locked")

    def test_locked_by_failures(self) -> None:
        """After too many failures the directory locks the account."""
        self.slapd.add_user("tried", "x", pwdPolicySubentry=f"cn=strict,{POLICIES}")
        for _ in range(3):
            self.assert_refused(self.log_in("tried", "y"), WRONG)
        self.assert_state("tried", DISABLED, DISABLED)

    def test_password_expired(self) -> None:
        """A password that is too old is told so to who knows it."""
        dn = self.slapd.add_user("old", "x", pwdPolicySubentry=f"cn=aging,{POLICIES}")
        self.assert_in(self.log_in("old", "x"), "old")
        changed = (datetime.now(UTC) - timedelta(hours=2)).strftime("%Y%m%d%H%M%SZ")
        self.slapd.modify(dn, "pwdChangedTime", changed)
        self.assert_state("old", EXPIRED)

    def test_password_reset(self) -> None:
        """A password that was given by an administrator has to be changed first."""
        dn = self.slapd.add_user("new", "x", pwdPolicySubentry=f"cn=strict,{POLICIES}")
        self.slapd.modify(dn, "userPassword", "x")
        self.slapd.modify(dn, "pwdReset", "TRUE")
        self.assert_state("new", EXPIRED)


class ReferralTests(SlapdCase):
    """Entries that are elsewhere."""

    def test_referrals(self) -> None:
        """Nobody goes where a directory points to: passwords are for this one alone."""
        port = free_port()
        target = f"ldap://127.0.0.1:{port}/ou=people,{SUFFIX}"
        with Talker("127.0.0.1", port, b"") as elsewhere:
            self.slapd.add(
                f"uid=away,{PEOPLE}",
                {
                    "objectClass": ("referral", "extensibleObject"),
                    "uid": "away",
                    "ref": target,
                },
            )
            self.assert_refused(self.log_in("away", "x"), WRONG)
            self.assert_in(self.log_in("bob", "builder"), "bob")
            self.assertEqual(elsewhere.accepted, 0)
            self.slapd.delete(f"uid=away,{PEOPLE}")

    def test_referred_base(self) -> None:
        """A base that is elsewhere is a fault of the configuration, and the log says so."""
        self.slapd.delete(BRANCH)
        self.slapd.add(
            BRANCH,
            {
                "objectClass": ("referral", "extensibleObject"),
                "ou": "branch",
                "ref": f"ldap://ldap.example.org/{BRANCH}",
            },
        )
        try:
            self.assert_refused(self.log_in("nobody", "x"), "temporary-auth-failure")
            self.said("ldap:branch: .* has refused a search: referral .10.*referrals are not follo")
            self.assert_in(self.log_in("bob", "builder"), "bob")
        finally:
            self.slapd.delete(BRANCH)
            self.slapd.add(BRANCH, {"objectClass": "organizationalUnit"})
