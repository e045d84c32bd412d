"""Tests of callbridged.backends.ldap.settings, .urls and .factory: a section ``[ldap NAME]``."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any
from unittest import mock

from twisted.plugin import IPlugin
from zope.interface.verify import verifyObject

from callbridged.backends import (
    BackendFault,
    ISettingsReader,
    IUserBackendFactory,
    find_factory,
)
from callbridged.backends.ldap.factory import LdapBackendFactory
from callbridged.backends.ldap.settings import LdapSettings, UserSearch
from callbridged.backends.ldap.templates import Template
from callbridged.backends.ldap.urls import parse_url
from callbridged.config import Config, load
from daemonkit.ini import ConfigurationFault
from tests.callbridged.people import Threads
from tests.callbridged.test_config import SHIPPED, ConfigTestCase
from tests.support.ca import CertificateAuthority

SMALLEST = "url = ldap://ldap.example.com\nbase = dc=example,dc=com\n"
PASSWORD = "hunter3"


class SectionCase(ConfigTestCase):
    """A configuration whose users are in a directory."""

    def read(self, text: str, smallest: str = SMALLEST) -> LdapSettings:
        return self.settings_of(self.load_section(smallest + text))

    def load_section(self, text: str) -> Config:
        return self.load(users="backend = ldap:office\n", **{"ldap office": text})

    def settings_of(self, config: Config) -> LdapSettings:
        (backend,) = config.users.backends
        found = backend.argument
        assert isinstance(found, LdapSettings)
        return found

    def refused(self, text: str, smallest: str = SMALLEST) -> str:
        return str(self.assertRaises(ConfigurationFault, self.load_section, smallest + text))


class Reading(SectionCase):
    """Values, defaults and faults."""

    def test_defaults(self) -> None:
        """A URL and a base are enough: StartTLS, verified by the system's authorities."""
        found = self.read("")
        self.assertEqual(list(map(str, found.urls)), ["ldap://ldap.example.com"])
        self.assertEqual((found.start_tls, found.authorities, found.identity), (True, None, None))
        assert isinstance(found.way, UserSearch)
        self.assertEqual((found.way.base, found.way.scope), ("dc=example,dc=com", "sub"))
        self.assertEqual((str(found.way.filter), found.way.bind_dn), ("(uid={username})", ""))
        self.assertEqual((found.username_attribute, found.username_domain), ("uid", ""))
        self.assertEqual((found.mechanisms, found.scram_attribute), (frozenset({"PLAIN"}), ""))
        self.assertEqual((found.timeout, found.connections), (5.0, 30))

    def test_all(self) -> None:
        """Every setting has its place."""
        CertificateAuthority(self.directory, "Directory CA").issue("bridge", dns=["cb1"])
        (self.directory / "password").touch(0o600)
        (self.directory / "password").write_text(f"{PASSWORD}\n")
        found = self.read(
            "tls = starttls\nca = directory-ca.crt\ncertificate = bridge.crt\n"
            "private_key = bridge.key\nbind_dn = cn=a,dc=example,dc=com\n"
            "bind_password_file = password\nscope = one\nfilter = (mail={username}@example.com)\n"
            "username_attribute = mail\nusername_domain = Example.com\n"
            "mechanisms = plain, SCRAM-SHA-256\nscram_attribute = authPassword\n"
            "iterations = 4096\ntimeout = 2s\nconnections = 3\n",
            "url = ldap://a.example.com\n  ldaps://b.example.com:1636\nbase = dc=x\n",
        )
        self.assertEqual(
            list(map(str, found.urls)), ["ldap://a.example.com", "ldaps://b.example.com:1636"]
        )
        assert isinstance(found.way, UserSearch)
        self.assertEqual(found.way.bind_password, PASSWORD)
        self.assertEqual((found.way.scope, found.username_domain), ("one", "example.com"))
        self.assertEqual(found.mechanisms, {"PLAIN", "SCRAM-SHA-256"})
        self.assertEqual((found.timeout, found.connections, found.iterations), (2.0, 3, 4096))
        assert found.authorities is not None
        self.assertEqual(len(found.authorities), 1)
        assert found.identity is not None
        self.assertEqual(found.trust, str(self.directory / "directory-ca.crt"))
        self.assertNotIn(PASSWORD, repr(found))

    def test_user_dn(self) -> None:
        """A DN for the name takes the place of a search."""
        found = self.read("user_dn = uid={username},dc=x\n", "url = ldap://ldap.example.com\n")
        assert isinstance(found.way, Template)
        self.assertEqual(found.way.fill("a"), "uid=a,dc=x")

    def test_secrets_are_hidden(self) -> None:
        """A password in the file itself is in no list of settings, and in no fault."""
        text = f"bind_dn = cn=a\nbind_password = {PASSWORD}\n"
        config = self.load_section(SMALLEST + text)
        self.assertNotIn(PASSWORD, repr(config) + repr(config.settings))
        self.assertNotIn(PASSWORD, self.refused(text + "timeout = 1\n"))

    def test_plain_text(self) -> None:
        """Passwords in plain text have to be asked for, and are a warning; not on this machine."""
        (warning,) = self.load_section(SMALLEST + "tls = none\n").warnings
        self.assertIn("[ldap office]: tls = none, so passwords cross the network to", warning)
        for url in ("ldap://127.0.0.1:389", "ldap://localhost", "ldap://[::1]", "ldaps://x.y"):
            text = f"url = {url}\nbase = dc=x\ntls = none\n"
            self.assertEqual(self.load_section(text).warnings, (), url)

    def test_faults(self) -> None:
        """Each fault is named with its key, and what to do about it."""
        for text, why in {
            "tls = maybe\n": "tls: 'maybe' is not one of starttls, none",
            "tls = none\nca = ca.crt\n": "ca: it is for TLS, and tls says none",
            "ca = missing.crt\n": "missing.crt is not there",
            "ca = ca.crt\n": "ca: ",
            "certificate = callbridge.crt\n": "certificate: it is of no use alone",
            "bind_dn = cn=a\n": "a bind without one is anonymous",
            "bind_password = x\n": "bind_dn: there is a password, and nobody whose it is",
            "bind_dn = cn=a\nbind_password = x\nbind_password_file = secret\n": "Keep one of the",
            "scope = tree\n": "scope: 'tree' is not one of sub, one, base",
            "filter = (uid=a)\n": "filter: {username} is not in it",
            "username_attribute = a b\n": "is no name of an attribute",
            "mechanisms =\n": "mechanisms: nobody could log in",
            "mechanisms = LOGIN\n": "'LOGIN' is none of PLAIN, SCRAM-SHA-256",
            "mechanisms = SCRAM-SHA-1\n": "scram_attribute: SCRAM-SHA-1 needs keys",
            "scram_attribute = authPassword\n": "scram_attribute: mechanisms names none",
            "user_dn = uid={username}\n": "base: with user_dn nothing is searched for",
            "timeout = 2m\n": "timeout: 2m is out of bounds",
            "connections = 0\n": "connections: 0 is out of bounds",
            "iterations = 1\n": "iterations: 1 is out of bounds",
            "user = x\n": "has no key user",
        }.items():
            self.assertIn(why, self.refused(text))
        for text, why in {
            "base = dc=x\n": "url: it is needed",
            "url =\nbase = dc=x\n": "url: there is none",
            "url = ldap://x.y\n": "base: it is needed",
            "url = ldap://x.y\nbase = people\n": "'people' is no DN",
            "url = ldap://x.y\nuser_dn = uid={username}\nmechanisms = SCRAM-SHA-1\n": "nobody may",
        }.items():
            self.assertIn(why, self.refused("", text))

    def test_urls(self) -> None:
        """A URL has a host and may have a port, and nothing else."""
        for text, shown in {
            "LDAP://LDAP.example.com/": "ldap://ldap.example.com",
            "ldap://[2001:db8::1]:1389": "ldap://[2001:db8::1]:1389",
            "ldaps://bücher.example": "ldaps://xn--bcher-kva.example",
        }.items():
            self.assertEqual(str(parse_url(text)), shown)
        for text, why in {
            "ldap.example.com": "no URL",
            "http://x.y": "no URL",
            "ldap://": "no URL",
            "ldap://x.y/dc=example": "more than a host and a port",
            "ldap://x.y?base": "more than a host and a port",
            "ldap://cn=a@x.y": "Use bind_dn",
            "ldap://x.y:99999": "no port",
        }.items():
            self.assertIn(why, str(self.assertRaises(ValueError, parse_url, text)))

    def test_no_name(self) -> None:
        """A backend without a section is a fault."""
        self.assertIn("wants the name of a section", self.faults(users="backend = ldap:\n"))

    def test_files_left_alone(self) -> None:
        """Commands that may not read the daemon's files get along without them."""
        self.load_section(SMALLEST)
        text = "ca = a\ncertificate = b\nprivate_key = c\nbind_dn = cn=a\nbind_password_file = d\n"
        self.path.write_text(self.path.read_text().replace(SMALLEST, SMALLEST + text))
        found = self.settings_of(load(self.path, check_files=False))
        self.assertEqual((found.authorities, found.identity), (None, None))


class Opening(SectionCase):
    """From settings to a backend."""

    def test_plugin(self) -> None:
        """It is found as a Twisted plugin, and is what the interfaces say."""
        factory, argument = find_factory("ldap:office")
        self.assertIsInstance(factory, LdapBackendFactory)
        self.assertEqual(argument, "office")
        for interface in (IPlugin, IUserBackendFactory, ISettingsReader):
            verifyObject(interface, factory)

    def test_library_is_missing(self) -> None:
        """Without python-ldap the daemon says how to install it."""
        settings = self.read("")
        missing: dict[str, Any] = {"ldap": None}
        with mock.patch.dict(sys.modules, missing):
            sys.modules.pop("callbridged.backends.ldap.codec", None)
            fault = self.assertRaises(BackendFault, LdapBackendFactory().open, settings, Threads())
        self.assertIn("pip install 'callbridge-xmpp[ldap]'", str(fault))


class Shipped(SectionCase):
    """The example in the file that comes with the program."""

    def test_example(self) -> None:
        """Without its #, it is right, has every key, and shows the defaults of most."""
        lines = [line.removeprefix("#") for line in SHIPPED.read_text().splitlines()]
        section = lines[lines.index("[ldap office]") + 1 :]
        section = section[: section.index("")]
        password = self.directory / "ldap-password"
        password.touch(0o600)
        password.write_text("x")
        text = "\n".join(section)
        config = self.load_section(text.replace("/etc/callbridged/ldap-password", str(password)))
        shown = [one for one in config.settings if one.section == "ldap office"]
        self.assertEqual([one.key for one in shown if one.line is None], ["bind_password"])
        found, default = self.settings_of(config), self.read("")
        assert isinstance(found.way, UserSearch)
        assert isinstance(default.way, UserSearch)
        way = replace(default.way, base=found.way.base, bind_dn=found.way.bind_dn)
        self.assertEqual(found, replace(default, way=replace(way, bind_password="x")))
