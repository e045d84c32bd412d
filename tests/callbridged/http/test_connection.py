"""Tests of callbridged.backends.http.connection and callbridged.backends.addresses."""

from __future__ import annotations

import shutil
import socket
import tempfile
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from bridgewire.certificates import load_authorities, load_identity
from bridgewire.steps import Reason, Step, StepFailure
from callbridged.backends import BackendUnavailable
from callbridged.backends.addresses import Addresses
from daemonkit.workers import Workers
from tests.callbridged.http.hooks import ALLOW, HOST, Hook, response
from tests.callbridged.network import certificates
from tests.callbridged.people import Threads
from tests.support.ca import CertificateAuthority

HTTPS = f"https://{HOST}:8443/login"


class Others:
    """Certificates that are no good, made once."""

    def __init__(self) -> None:
        directory = Path(tempfile.mkdtemp(prefix="hooks-"))
        try:
            authority = CertificateAuthority(directory, "Hook CA")
            ended = datetime.now(UTC) - timedelta(days=1)
            self.authorities = load_authorities(authority.certificate_path)
            self.expired = load_identity(*authority.issue("e", dns=[HOST], not_after=ended))
            self.good = load_identity(*authority.issue("g", dns=[HOST]))
        finally:
            shutil.rmtree(directory)


others = cache(Others)


class TlsTests(SynchronousTestCase):
    """Over TLS, with certificates on both sides."""

    def hook(self, **changes: Any) -> Hook:
        ours = certificates()
        given = {"authorities": ours.authorities, "identity": ours.bridge}
        return Hook(HTTPS, **(given | changes))

    def refused(self, hook: Hook, identity: Any, *texts: str) -> None:
        """The server is not told the password, and why is said."""
        asked = hook.ask()
        server = hook.accept(HOST, identity)
        self.assertEqual(server.read(), "")
        self.assertIsInstance(asked.outcome, BackendUnavailable)
        for text in texts:
            self.assertIn(text, str(asked.outcome))

    def test_both_prove_themselves(self) -> None:
        """A server that is who it should be is asked, and knows who asks."""
        hook = self.hook()
        asked = hook.ask()
        server = hook.accept(HOST)
        self.assertIn("wonderland", server.read())
        server.type(response(ALLOW))
        self.assertEqual(asked.answer, {"result": "allow"})

    def test_other_name(self) -> None:
        """A certificate of the right authority for another host is not good enough."""
        self.refused(
            self.hook(),
            certificates().misnamed,
            "certificate-name-mismatch: The web hook's certificate lacks the host name " + HOST,
            f"Issue it anew with DNS:{HOST}",
        )

    def test_untrusted(self) -> None:
        """An authority that is not in ca is not trusted; without ca, only those of the system."""
        text = "from an issuer that is not trusted here"
        self.refused(self.hook(), others().good, "certificate-untrusted: The web hook's", text)
        hook = self.hook(authorities=None)
        self.refused(hook, certificates().server, text, "set ca in [http hook]")

    def test_expired(self) -> None:
        """A certificate that has run out."""
        hook = self.hook(authorities=others().authorities)
        self.refused(
            hook,
            others().expired,
            "certificate-expired: The web hook's certificate expired on",
            "Renew it in the certificate file of its web server",
        )

    def test_client_certificate(self) -> None:
        """A server that wants a certificate, and gets none or another, says so by TLS."""
        for identity, reason, text in (
            (None, "certificate-required", "presented none"),
            (others().good, "certificate-untrusted", "does not trust the issuer of the Call Bri"),
        ):
            hook = self.hook(identity=identity)
            asked = hook.ask()
            hook.accept(HOST)
            said = str(asked.outcome)
            self.assertIn(reason, said)
            self.assertIn(text, said)
            self.assertIn("the file of certificate in [http hook] of callbridged.ini", said)

    def test_no_tls(self) -> None:
        """A server that speaks plain text gets nothing."""
        hook = self.hook()
        asked = hook.ask()
        server = hook.accept(HOST, plain=True)
        self.assertNotIn("wonderland", server.read())
        server.type("HTTP/1.1 400 Bad Request\r\n\r\n")
        said = str(asked.outcome)
        self.assertIn("tls-failure: The web hook does not speak TLS on this port", said)
        self.assertIn("Does url in [http hook]", said)

    def test_silent(self) -> None:
        """A server that never finishes the handshake is given up."""
        hook = self.hook()
        asked = hook.ask()
        server = hook.accept(HOST, plain=True)
        hook.pass_time(5.0)
        self.assertIn("what was waited for is the TLS handshake", str(asked.outcome))
        self.assertTrue(server.lost)

    def test_given_up_in_the_handshake(self) -> None:
        """When nobody waits any more the connection is closed."""
        hook = self.hook()
        asked = hook.ask()
        server = hook.accept(HOST, plain=True)
        asked.deferred.cancel()
        hook.settle()
        self.assertTrue(server.lost)


class AddressesTests(SynchronousTestCase):
    """The resolver, in a thread."""

    def find(self, host: str, answer: Any = None) -> Any:
        """Answer what is found, or the failure; ``answer`` is the resolver's."""
        threads = Threads()

        def getaddrinfo(name: str, port: None, **more: Any) -> Any:
            self.assertEqual(name, host)
            if isinstance(answer, Exception):
                raise answer
            return [(None, None, None, "", (address, 0)) for address in answer]

        self.patch(socket, "getaddrinfo", getaddrinfo)
        addresses = Addresses(host, Workers(threads, 1, "test", threads))
        found: list[Any] = []
        Deferred.fromCoroutine(addresses.find()).addBoth(found.append)
        return found[0].value if isinstance(found[0], Failure) else found[0]

    def test_found(self) -> None:
        """A name has addresses, each of them once."""
        found = self.find(HOST, ["192.0.2.1", "2001:db8::1", "192.0.2.1"])
        self.assertEqual(found, ["192.0.2.1", "2001:db8::1"])

    def test_literal(self) -> None:
        """An address needs no resolver."""
        self.assertEqual(self.find("::1", ZeroDivisionError()), ["::1"])

    def test_unknown(self) -> None:
        """A name without an address has a reason and a remedy."""
        why = self.find(HOST, socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
        self.assertIsInstance(why, StepFailure)
        self.assertEqual((why.step, why.reason), (Step.ADDRESS, Reason.DNS_FAILURE))
        self.assertIn("Name or service not known", why.text)

    def test_defect(self) -> None:
        """What no resolver raises is not hidden."""
        self.assertIsInstance(self.find(HOST, ZeroDivisionError()), ZeroDivisionError)
