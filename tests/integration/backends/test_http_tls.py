"""Web hooks whose TLS is wrong, one behind nginx, and the one in the docs."""

from __future__ import annotations

import os
import re
import shutil
from datetime import UTC, datetime, timedelta

from tests.integration.backends.logins import LoginCase, backends, one_bridge
from tests.support.ca import CertificateAuthority
from tests.support.nginx import nginx_template
from tests.support.processes import ROOT, Process, free_port
from tests.support.site import Site
from tests.support.web_hook import WebHook, user

USERS = {"bob": user("builder")}
DOCS = ROOT / "docs" / "web-hook.md"

NGINX = nginx_template(
    """
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        ssl_client_certificate {authority};
        ssl_verify_client on;
        location /login {{
            proxy_pass https://127.0.0.1:{hook}/login;
        }}
    }}
"""
)


class TlsCase(LoginCase):
    """A site that is not started, and hooks."""

    def setUp(self) -> None:
        self.site = Site()
        self.addCleanup(self.site.close)

    def hook(
        self, name: str, authority: CertificateAuthority | None = None, **more: object
    ) -> WebHook:
        hook = WebHook(self.site.directory / name, authority or self.site.ca, USERS, **more)
        self.addCleanup(hook.process.kill)
        hook.start()
        return hook

    def start(self, **sections: dict[str, object]) -> None:
        """A Call Bridge that asks these hooks in turn, and then a file."""
        names = [f"http:{name}" for name in sections]
        settings = {f"http {name}": section for name, section in sections.items()}
        users = backends(*names, f"file:{self.site.users}")
        one_bridge(self.site, {"users": users, **settings})

    def said(self, name: str, pattern: str) -> None:
        # Up to where the next hook's words begin: they may stand in one line.
        self.site.bridges[0].process.wait_for(f"http:{name}[: ]((?! http:).)*{pattern}")


class RefusalTests(TlsCase):
    """Hooks that prove themselves badly, and Call Bridges that do."""

    def test_faults(self) -> None:
        """Each fault has its line with a remedy, and no password is told to the wrong server."""
        ca = self.site.ca
        foreign = CertificateAuthority(self.site.directory / "foreign", "Foreign CA")
        ended = datetime.now(UTC) - timedelta(days=1)
        expired = self.hook(
            "expired", certificate=ca.issue("ended", ip=["127.0.0.1"], not_after=ended)
        )
        stranger = self.hook("stranger", foreign)
        misnamed = self.hook("misnamed", certificate=ca.issue("other", dns=["hook.example.com"]))
        good = self.hook("good")
        wants = self.hook("wants", client_certificate=True)
        trust = {"ca": ca.certificate_path}
        token = self.site.directory / "token"
        token.touch(mode=0o600)
        token.write_text("another-token\n")
        no_certificate = {"certificate": None, "private_key": None}
        self.start(
            expired=expired.settings(),
            stranger=stranger.settings(**trust),
            misnamed=misnamed.settings(),
            token=good.settings(bearer_token_file=token),
            bare=wants.settings(**no_certificate),
            plain=good.settings(url=f"http://127.0.0.1:{good.port}/", ca=None),
            nobody=good.settings(url="https://no-such-host.invalid/"),
        )
        self.assert_refused(self.log_in("bob", "builder"), "temporary-auth-failure")
        self.said(
            "expired", "certificate-expired: The web hook's certificate expired on .*Renew it"
        )
        self.said("stranger", "certificate-untrusted: .*CN=Foreign CA.*or add the certificate of")
        self.said("misnamed", "certificate-name-mismatch: .*lacks the host name 127.0.0.1; .*url")
        self.said("token", "authentication-failure: The web hook answers 401: .*no user's password")
        # Node's alert is lost where our question arrives after it has hung up.
        self.said("bare", "(required: .*presented none|link-lost: .*client certificate is missing)")
        self.said("plain", "(link-lost: .*Does it want https|protocol-error: )")
        self.said("nobody", "(dns-failure: .* no address|timeout: .* the address) of no-such-host")
        for hook in (expired, stranger, misnamed, good, wants):
            self.assertEqual(hook.questions(), [], hook.directory.name)
        self.assertIn({"event": "refused"}, good.events())
        self.assert_in(self.log_in("alice", "wonderland"), "alice")
        log = self.site.bridges[0].process.text()
        self.assertNotIn("builder", log)
        self.assertNotIn("Traceback", log)

    def test_by_name(self) -> None:
        """A hook that is found by its name, as the system finds it."""
        hook = self.hook("hook")
        url = f"https://localhost:{hook.port}/login?who=callbridge"
        self.start(hook=hook.settings(url=url))
        self.assert_in(self.log_in("bob", "builder"), "bob")
        self.assertNotIn("who=callbridge", self.site.bridges[0].command("config").stdout)


class NginxTests(TlsCase):
    """nginx ends TLS in front of a hook, and asks for client certificates."""

    def nginx(self, hook: WebHook) -> int:
        """Start it, and answer its port."""
        found = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
        self.assertTrue(found, "nginx is missing: apt-get install nginx-light")
        directory = self.site.directory / "nginx"
        directory.mkdir()
        port = free_port()
        certificate, key = self.site.ca.issue("nginx", ip=["127.0.0.1"])
        settings = directory / "nginx.conf"
        settings.write_text(
            NGINX.format(
                directory=directory,
                port=port,
                certificate=certificate,
                key=key,
                authority=self.site.ca.certificate_path,
                hook=hook.port,
            )
        )
        process = Process("nginx", [str(found), "-c", settings], directory / "log")
        process.start()
        self.addCleanup(process.kill)
        process.wait_while_running("nginx listens", lambda: (directory / "nginx.pid").exists())
        return port

    def test_nginx(self) -> None:
        """With a certificate of its authority the hook is asked; without, nginx says 400."""
        hook = self.hook("hook")
        port = self.nginx(hook)
        certificate, key = self.site.ca.issue("cb", dns=["cb1.example.com"])
        url = f"https://127.0.0.1:{port}/login"
        self.start(
            bare=hook.settings(url=url),
            hook=hook.settings(url=url, certificate=certificate, private_key=key),
        )
        for mechanism in ("PLAIN", "SCRAM-SHA-256"):
            self.assert_in(self.log_in("bob", "builder", mechanism=mechanism), "bob")
        self.said("bare", "protocol-error: The web hook answers 400.*nginx")
        hook.stop()
        self.assert_refused(self.log_in("bob", "builder"), "temporary-auth-failure")
        self.said("hook", "protocol-error: The web hook answers 502.*does not run")


class DocumentedTests(TlsCase):
    """The hook in docs/web-hook.md."""

    def test_example(self) -> None:
        """It runs as it is printed, and its user logs in."""
        code = re.findall(r"```js\n(.*?)```", DOCS.read_text(), re.DOTALL)
        self.assertEqual(len(code), 1)
        directory = self.site.directory / "documented"
        directory.mkdir()
        (directory / "hook.mjs").write_text(code[0])
        (directory / "token").touch(mode=0o600)
        (directory / "token").write_text("t0k3n\n")
        for path, name in zip(
            self.site.ca.issue("printed", dns=["localhost"]), ("hook.crt", "hook.key"), strict=True
        ):
            shutil.copy(path, directory / name)
        port = free_port()
        run = ["env", "-C", str(directory)]
        process = Process("hook", ["node", "hook.mjs", str(port)], directory / "log", prefix=run)
        process.start()
        self.addCleanup(process.kill)
        self.start(
            hook={
                "url": f"https://localhost:{port}/",
                "ca": self.site.ca.certificate_path,
                "bearer_token_file": directory / "token",
            }
        )
        (self.site.directory / "users").write_text("")  # alice of the hook, not of the file
        self.assert_in(self.log_in("alice", "wonderland"), "alice")
        self.assert_refused(self.log_in("alice", "x"), "not-authorized")
        self.assert_refused(self.log_in("constructor", "x"), "not-authorized")
        log = self.site.bridges[0].process.text()
        self.assertNotIn("cannot look", log)
