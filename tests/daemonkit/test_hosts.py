"""Tests of daemonkit.hosts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from daemonkit.hosts import HostPort, parse_domain, parse_host_port, parse_label, parse_name


class NameTests(SynchronousTestCase):
    """DNS names, domains and labels."""

    def test_dns_form(self) -> None:
        """A host's name is in lower case and A-labels, without a dot at the end."""
        self.assertEqual(parse_name("XMPP1.Example.com."), "xmpp1.example.com")
        self.assertEqual(parse_name("Bücher.example"), "xn--bcher-kva.example")

    def test_xmpp_form(self) -> None:
        """A domain is in lower case and U-labels, however it was written."""
        self.assertEqual(parse_domain("Example.COM"), "example.com")
        self.assertEqual(parse_domain("xn--bcher-kva.example"), "bücher.example")
        self.assertEqual(parse_domain("Bücher.example"), "bücher.example")

    def test_no_names(self) -> None:
        """What DNS cannot have, and addresses, are no names."""
        wrong = ["", ".", "a..b", "foo_bar.example", "-a.b", "ex ample.com", "*.example.com"]
        wrong += ["a" * 64 + ".com", ".".join(["a" * 60] * 5), "cb1/x", "xn--0", "user@example.com"]
        wrong += ["10.0.0.1", "2001:db8::1", "[2001:db8::1]", "10.0.0", "example.com:5223"]
        for text in wrong:
            self.assertRaises(ValueError, parse_name, text)
            self.assertRaises(ValueError, parse_domain, text)

    def test_label(self) -> None:
        """A Call Bridge's name is one label, in lower case."""
        self.assertEqual(parse_label("CB1"), "cb1")
        for text in ("", "cb 1", "cb_1", "-cb", "a" * 64):
            self.assertRaises(ValueError, parse_label, text)

    def test_label_with_domain(self) -> None:
        """Who adds the domain to the name is told that it does not belong there."""
        refusal = self.assertRaises(ValueError, parse_label, "cb1.example.com")
        self.assertIn("like cb1", str(refusal))

    @given(st.text(max_size=300))
    def test_anything(self, text: str) -> None:
        """Whatever is written, it is a name or refused with a sentence, and a name stays one."""
        for parse in (parse_name, parse_domain, parse_label):
            try:
                name = parse(text)
            except ValueError as refusal:
                self.assertTrue(str(refusal).endswith("."), str(refusal))
            else:
                self.assertEqual(parse(name), name)


class HostPortTests(SynchronousTestCase):
    """Hosts with and without ports."""

    def test_forms(self) -> None:
        """Names, IPv4 addresses and IPv6 addresses in brackets may have a port."""
        forms = {
            "XMPP1.example.com": ("xmpp1.example.com", None),
            "xmpp1.example.com:5224": ("xmpp1.example.com", 5224),
            "192.0.2.1": ("192.0.2.1", None),
            "192.0.2.1:53": ("192.0.2.1", 53),
            "[2001:DB8::1]": ("2001:db8::1", None),
            "[2001:db8::1]:5223": ("2001:db8::1", 5223),
        }
        for text, expected in forms.items():
            self.assertEqual(parse_host_port(text), expected)

    def test_refused(self) -> None:
        """Bare IPv6 addresses, empty hosts and ports out of range are refused."""
        wrong = ["", ":", "host:", ":5223", "host:0", "host:65536", "host:-1", "host:x", "host:٣"]
        wrong += ["2001:db8::1", "[2001:db8::1", "[192.0.2.1]:53", "[]:53", "[::1]5223", "a:b:1"]
        for text in wrong:
            self.assertRaises(ValueError, parse_host_port, text)

    def test_bare_ipv6(self) -> None:
        """Who forgets the brackets of an IPv6 address is told of them."""
        refusal = self.assertRaises(ValueError, parse_host_port, "2001:db8::1")
        self.assertIn("[2001:db8::1]", str(refusal))

    def test_url(self) -> None:
        """Who gives a URL is told what to write."""
        refusal = self.assertRaises(ValueError, parse_host_port, "https://xmpp1.example.com:5223")
        self.assertIn("Write a host, or host:port, not a URL.", str(refusal))

    def test_shown(self) -> None:
        """What is shown can be read again."""
        for text in ("host", "host:1", "[2001:db8::1]:1", "[2001:db8::1]", "192.0.2.1:53"):
            self.assertEqual(str(parse_host_port(text)), text)
        self.assertEqual(str(HostPort("::1", 53)), "[::1]:53")
