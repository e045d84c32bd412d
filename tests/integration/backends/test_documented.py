"""The worked example of docs/user-backends.md: built, installed, and asked at logins."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.integration.backends.logins import LoginCase, Stopwatch, backends, one_bridge
from tests.support.processes import ROOT, run
from tests.support.radius import RadiusServer
from tests.support.shared import shared_site
from tests.support.site import Site, making

PAGE = ROOT / "docs" / "user-backends.md"
USERS = {
    "bob": ("builder", 'Filter-Id = "meetings"'),
    "zoë": ("käse €", 'Filter-Id = "meetings"'),
    "mail%x": ("builder", 'User-Name = "bob@example.org", Filter-Id = "meetings"'),
    "carol": ("singer", 'Filter-Id = "others"'),
}


def blocks(language: str) -> list[str]:
    """The code of the page."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


def make_package(directory: Path) -> None:
    """Write down what the page says, under the names that it says."""
    example, plugin, test = blocks("python")
    (project,) = blocks("toml")
    (directory / "twisted" / "plugins").mkdir(parents=True)
    for name, content in (
        ("radius_backend.py", example),
        ("twisted/plugins/radius_backend_plugin.py", plugin),
        ("test_radius_backend.py", test),
        ("pyproject.toml", project),
    ):
        (directory / name).write_text(content)


class RadiusSite(Site):
    """A RADIUS server, and a directory with the installed package."""

    def __init__(self) -> None:
        super().__init__()
        self.radius = RadiusServer(self.directory / "radius", USERS)
        self.source = self.directory / "source"
        self.installed = self.directory / "installed"

    def close(self) -> None:
        self.radius.process.kill()
        super().close()


def make_site() -> RadiusSite:
    """The package is installed, and everything started."""
    with making(RadiusSite()) as site:
        site.radius.start()
        make_package(site.source)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        run(*pip, "--no-build-isolation", "--target", site.installed, site.source)
        section = {
            "server": f"127.0.0.1:{site.radius.port}",
            "secret_file": site.radius.secret_file,
            "group": "meetings",
            "timeout": "1500ms",
        }
        users = backends("radius:office", f"file:{site.users}")
        settings = {"users": users, "radius office": section}
        one_bridge(site, settings, prefix=["env", f"PYTHONPATH={site.installed}"])
    return site


class RadiusTests(LoginCase):
    """Users of FreeRADIUS, by the code on the page."""

    def setUp(self) -> None:
        site = shared_site(type(self), make_site)
        assert isinstance(site, RadiusSite)
        self.site, self.radius = site, site.radius

    def test_in(self) -> None:
        """The right password lets in, whatever letters are in it."""
        self.assert_in(self.log_in("bob", "builder"), "bob")
        self.assert_in(self.log_in("zoë", "käse €"), "zoë")

    def test_out(self) -> None:
        """A wrong one does not, nor one that is longer than RADIUS allows."""
        for name, password in (("bob", "x"), ("nobody", "x"), ("bob", "x" * 200)):
            self.assert_refused(self.log_in(name, password), "not-authorized")

    def test_other_name(self) -> None:
        """Who logs in by an alias is let in under the name that the server says."""
        self.assert_in(self.log_in("mail%x", "builder"), "bob")

    def test_other_group(self) -> None:
        """Who is not in the group hears that the account is not for this."""
        self.assert_refused(self.log_in("carol", "singer"), "account-disabled")
        self.assert_refused(self.log_in("carol", "x"), "not-authorized")

    def test_frozen(self) -> None:
        """While the server is frozen its users are told so, and others get in; then all is well."""
        self.radius.pause()
        try:
            with Stopwatch() as watch:
                bob, alice = self.log_in_together(("bob", "builder"), ("alice", "wonderland"))
        finally:
            self.radius.resume()
        self.assert_refused(bob, "temporary-auth-failure")
        self.assert_in(alice, "alice")
        self.assertLess(alice.seconds, 1.4)
        self.assertLess(watch.seconds, 6.0)
        bridge = self.site.bridges[0].process
        bridge.wait_for("cannot look: radius:office: 127.0.0.1:.* does not answer. Is it up?")
        self.assert_in(self.log_in("bob", "builder"), "bob")
        self.assertNotIn("Traceback", bridge.text())

    def test_config(self) -> None:
        """``callbridgectl config`` shows the settings of the section, and not the secret."""
        shown = run(*self.with_package("callbridgectl"), "--config", self.ini, "config").stdout
        self.assertRegex(shown, r"\[radius office\] group +meetings")
        self.assertNotIn(self.radius.secret, shown)

    def test_faults(self) -> None:
        """The daemon does not start with faults in the section, and names them all."""
        path = self.site.directory / "faulty.ini"
        text = self.ini.read_text()
        (self.site.directory / "short").write_text("short\n")
        text = text.replace("timeout = 1500ms", "timeout = 1500\nthread = 5")
        text = re.sub("secret_file = .*radius/secret", "secret_file = short", text)
        path.write_text(text)
        command = [*self.with_package("twistd"), "--nodaemon", "--pidfile=", "callbridged"]
        said = run(*command, "--config", path, check=False).stderr
        for fault in (
            "it has 3 faults",
            "'1500' is no duration",
            "[radius office] has no key thread. Did you mean threads?",
            "short enough to be guessed",
        ):
            self.assertIn(fault, said)

    def test_its_own_tests(self) -> None:
        """The tests on the page pass."""
        trial = [*self.with_package("python"), "-m", "twisted.trial"]
        done = subprocess.run(
            [str(part) for part in (*trial, "--temp-directory", "trial", "test_radius_backend")],
            cwd=self.site.source,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("PASSED (successes=5)", done.stdout)

    @property
    def ini(self) -> Path:
        return self.site.bridges[0].ini

    def with_package(self, command: str) -> list[str | Path]:
        """A command of this environment that finds the package."""
        assert isinstance(self.site, RadiusSite)
        place = f"PYTHONPATH={self.site.installed}"
        return ["env", place, Path(sys.executable).parent / command]
