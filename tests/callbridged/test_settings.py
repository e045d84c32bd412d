"""Tests of callbridged.settings: a Call Bridge with real files, whose settings are changed."""

from __future__ import annotations

import signal
from collections.abc import Coroutine, Mapping
from functools import partial
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import capturedLogs, formatEvent

from callbridged import backends, overlay
from callbridged.backends import BackendFault
from callbridged.config import load
from callbridged.overlay import NAME, Overlay
from callbridged.settings import Conflict, Settings, SettingsFault
from daemonkit.reload import Outcome
from tests.callbridged.people import MemoryBackend
from tests.callbridged.test_reload import ReloadCase

T = TypeVar("T")


class SettingsCase(ReloadCase):
    """The Call Bridge of test_reload, and its settings."""

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(signal.signal, signal.SIGHUP, signal.getsignal(signal.SIGHUP))
        in_thread = partial(deferToThreadPool, self.reactor, self.reactor)
        self.settings = Settings(self.reactor, self.bridge, partial(load, self.path), in_thread)
        self.settings.reload.startService()
        self.addCleanup(self.settings.reload.stopService)
        self.overlay = self.directory / NAME

    def begin(self, work: Coroutine[Deferred[Any], Any, T]) -> Deferred[T]:
        return Deferred.fromCoroutine(work)

    def change(
        self, values: Mapping[str, str], version: str | None = None, at_once: bool = False
    ) -> Outcome:
        work = self.settings.change(values, version=version, at_once=at_once)
        return self.successResultOf(self.begin(work)).outcome

    def refused(self, values: Mapping[str, str]) -> dict[str, str]:
        """What a change is refused for, by key."""
        work = self.settings.change(values, version=None)
        fault = self.failureResultOf(self.begin(work), SettingsFault).value
        self.assertNotIn("swordfish", str(fault))
        return dict(fault.faults)


class ChangeTests(SettingsCase):
    """Values that can be used."""

    def test_change(self) -> None:
        """They are in use, saved, told in the log, and the version is another one."""
        version = self.settings.version
        self.assertEqual(
            self.settings.current(), {"name": "cb1", "domain": "example.com", "server_address": ""}
        )
        with capturedLogs() as logged:
            outcome = self.change(
                {"name": "cb2", "server_address": "192.0.2.7:6000", "secret": "swordfish"}, version
            )
        changed = {"[callbridge] name", "[callbridge] server_address", "[callbridge] secret"}
        self.assertEqual(set(outcome.changed) & changed, changed)
        self.assertEqual(
            self.settings.current(),
            {"name": "cb2", "domain": "example.com", "server_address": "192.0.2.7:6000"},
        )
        self.assertNotEqual(self.settings.version, version)
        (plan,) = self.links.told
        self.assertEqual(plan.settings.secret, "swordfish")
        self.assertEqual(load(self.path).callbridge, self.bridge.config.callbridge)
        self.assertNotIn("swordfish", " ".join(map(str, map(formatEvent, logged))))
        self.assertFalse(self.links.at_once)

    def test_absent(self) -> None:
        """What is absent stays, and an empty address is SRV again."""
        self.change({"server_address": "192.0.2.7", "secret": "swordfish"})
        self.change({"server_address": ""})
        self.assertIsNone(self.bridge.config.callbridge.server_address)
        self.assertEqual(self.bridge.config.callbridge.secret, "swordfish")

    def test_as_in_the_file(self) -> None:
        """What the ini file has anyway is not kept: an edit there counts, as it did before."""
        values = {"name": "cb1", "domain": "example.com", "secret": "secret"}
        self.change({**values, "server_address": "192.0.2.7"})
        self.assertEqual(Overlay(self.overlay, self.overlay.read_text()).keys, ["server_address"])
        self.change({**values, "server_address": ""})
        self.assertFalse(self.overlay.exists())

    def test_edited(self) -> None:
        """What is in use, and is other than in a file that was edited since, is kept."""
        self.write({"callbridge": {"name": "cb9"}})
        self.assertEqual(self.change({"name": "cb1", "server_address": "192.0.2.7"}).ok, True)
        self.assertEqual(self.settings.current()["name"], "cb1")

    def test_state_directory(self) -> None:
        """Another state directory counts after a restart, and so does the overlay in it."""
        self.change({"server_address": "192.0.2.7"})
        self.write({"callbridge": {"state_directory": "other"}})
        outcome = self.successResultOf(self.settings.reload.run())
        self.assertEqual(outcome.needs_restart, ("[callbridge] state_directory",))
        self.assertEqual(outcome.changed, ())
        self.change({"server_address": "192.0.2.8"})
        self.assertIn("192.0.2.8", self.overlay.read_text())

    def test_nothing(self) -> None:
        """The values that there are change nothing, and the version stays."""
        version = self.settings.version
        self.assertEqual(self.change({"name": "cb1"}, version).changed, ())
        self.assertEqual((self.settings.version, self.links.told), (version, []))

    def test_at_once(self) -> None:
        """Links are told not to wait, also when the values came before."""
        for _ in range(2):
            self.change({"server_address": "192.0.2.7"}, at_once=True)
            self.assertTrue(self.links.at_once)
            self.links.at_once = False

    def test_candidate(self) -> None:
        """A candidate is validated like a change, and changes nothing."""
        work = self.settings.candidate({"name": "cb2", "secret": "swordfish"})
        config = self.successResultOf(self.begin(work))
        self.assertEqual((config.callbridge.name, config.callbridge.secret), ("cb2", "swordfish"))
        self.assertEqual(config.callbridge.domain, "example.com")
        work = self.settings.candidate({"name": "a.b"})
        fault = self.failureResultOf(self.begin(work), SettingsFault).value
        self.assertEqual([key for key, _ in fault.faults], ["name"])
        self.assertEqual((self.settings.current()["name"], self.overlay.exists()), ("cb1", False))

    def test_reset(self) -> None:
        """What is taken out is as in the ini file again, one or all of it."""
        self.change({"name": "cb2", "server_address": "192.0.2.7", "secret": "swordfish"})
        changed = self.successResultOf(self.begin(self.settings.reset(["name"])))
        self.assertEqual(changed.outcome.changed, ("[callbridge] name",))
        self.assertEqual(changed.values, {"name": ("cb2", "cb1")})
        self.assertEqual(self.settings.current()["server_address"], "192.0.2.7")
        changed = self.successResultOf(self.begin(self.settings.reset()))
        self.assertEqual(changed.values, {"server_address": ("192.0.2.7", ""), "secret": ("", "")})
        self.assertEqual(self.settings.current()["server_address"], "")
        self.assertEqual(self.bridge.config.callbridge.secret, "secret")
        self.assertFalse(self.overlay.exists())


class RefusedTests(SettingsCase):
    """Values that cannot be used change nothing."""

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self.check_before)

    def check_before(self) -> None:
        self.assertEqual(self.settings.current()["name"], "cb1")
        self.assertEqual(self.links.told, [])

    def test_every_fault(self) -> None:
        """Every fault is told at once, by its key, with a remedy and without its name."""
        faults = self.refused(
            {"name": "a.b", "domain": "", "server_address": "x:y", "secret": "swordfish\n"}
        )
        self.assertEqual(list(faults), ["secret"])  # this cannot even be written down
        faults = self.refused({"name": "a.b", "domain": "", "server_address": "x:y"})
        self.assertEqual(list(faults), ["name", "domain", "server_address"])
        self.assertTrue(faults["name"].startswith("'a.b' has a dot in it"), faults)
        self.assertNotIn("config reset", " ".join(faults.values()))
        self.assertEqual(list(self.refused({"links": "1"})), ["links"])
        self.assertFalse(self.overlay.exists())

    def test_elsewhere(self) -> None:
        """Faults of the ini file and of certificates have no key."""
        (self.directory / "cb1.key").write_text("x")
        (text,) = self.refused({"name": "cb2"}).values()
        self.assertIn("cb1.key", text)
        self.write({"callbridge": {"links": "none"}})
        faults = self.refused({"name": "a.b"})
        self.assertEqual(set(faults), {"", "name"})
        self.assertIn(f"{self.path}, line", faults[""])

    def test_damaged(self) -> None:
        """An overlay that was damaged by hand is told, and stays as it is."""
        self.overlay.write_text("[callbridge]\nnames = cb3\n")
        (text,) = self.refused({"name": "cb2"}).values()
        self.assertIn(f"{self.overlay}, line 2: [callbridge] names cannot be here", text)
        self.assertIn("cb3", self.overlay.read_text())

    def test_conflict(self) -> None:
        """A change of an older version is refused, whether a change or a reload came between."""
        older = self.settings.version
        self.change({"server_address": "192.0.2.7"})
        self.links.told.clear()
        for _ in range(2):
            for work in (
                self.settings.change({"name": "cb2"}, version=older),
                self.settings.reset(version=older),
            ):
                conflict = self.failureResultOf(self.begin(work), Conflict).value
                self.assertEqual(conflict.version, self.settings.version)
            older = self.settings.version
            (self.directory / "secret").write_text("another\n")
            self.successResultOf(self.settings.reload.run())
            self.links.told.clear()

    def test_full_disk(self) -> None:
        """What cannot be saved is not in use either."""

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        self.patch(overlay, "replace_file", full)
        self.assertIn(
            f"{self.overlay} cannot be written: No space left on device. ",
            self.refused({"name": "cb2"})[""],
        )

    def test_stopping(self) -> None:
        """A daemon that is about to stop takes no change."""
        self.settings.reload.stopService()
        self.assertIn("about to stop", self.refused({"name": "cb2"})[""])
        self.assertFalse(self.overlay.exists())


class PutBackTests(SettingsCase):
    """What fails when it is taken into use."""

    def setUp(self) -> None:
        super().setUp()
        self.change({"server_address": "192.0.2.7"})
        self.before = self.overlay.read_text()
        self.addCleanup(self.check_before)

    def check_before(self) -> None:
        self.assertEqual(self.overlay.read_text(), self.before)
        self.assertEqual(self.bridge.config.callbridge.name, "cb1")

    def test_backend(self) -> None:
        """A backend that cannot be opened: the overlay is as it was, and nothing has changed."""
        self.patch(backends, "find_factory", lambda name, _: (self, name))
        self.write({"users": {"backend": "m:1"}})
        self.assertEqual(self.refused({"name": "cb2"}), {"": "It cannot be opened."})

    def open(self, *_: object) -> MemoryBackend:
        raise BackendFault("It cannot be opened.")

    def test_error_of_ours(self) -> None:
        """An error in the midst of it: what was before is in use again."""
        reconfigure, self.fails = self.links.reconfigure, True

        def fail_once(*told: Any, **more: Any) -> None:
            if self.fails:
                self.fails = False
                raise ValueError("ours")
            reconfigure(*told, **more)

        self.patch(self.links, "reconfigure", fail_once)
        self.assertIn("in use again", self.refused({"name": "cb2"})[""])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(str(self.links.told[-1]), "cb1.example.com at 192.0.2.7")
        outcome = self.settings.reload.last
        assert outcome is not None
        self.assertEqual((outcome.ok, outcome.changed), (True, ("[callbridge] name",)))


class OneAtATimeTests(SettingsCase):
    """Changes and reloads wait for each other."""

    def test_in_turn(self) -> None:
        """Of two changes of one version, the second is a conflict; a reload sees what was saved."""
        self.reactor.at_once = False
        version = self.settings.version
        first = self.begin(self.settings.change({"name": "cb2"}, version=version))
        second = self.begin(self.settings.change({"name": "cb3"}, version=version))
        reload = self.settings.reload.run()
        self.assertEqual(len(self.reactor.jobs), 1)
        self.reactor.at_once = True
        self.reactor.work()
        self.assertEqual(self.successResultOf(first).outcome.changed, ("[callbridge] name",))
        self.failureResultOf(second, Conflict)
        self.assertEqual(self.successResultOf(reload).changed, ())
        self.assertEqual(self.bridge.config.callbridge.name, "cb2")

    def test_values(self) -> None:
        """Each change tells what it has changed itself, and not what was changed before its turn;
        of a secret, no more than that it is another one."""
        self.reactor.at_once = False
        changes = {"name": "cb2"}, {"name": "cb3", "secret": "swordfish"}, {"secret": "swordfish"}
        done = [self.begin(self.settings.change(one, version=None)) for one in changes]
        self.reactor.at_once = True
        self.reactor.work()
        self.assertEqual(
            [self.successResultOf(one).values for one in done],
            [{"name": ("cb1", "cb2")}, {"name": ("cb2", "cb3"), "secret": ("", "")}, {}],
        )
