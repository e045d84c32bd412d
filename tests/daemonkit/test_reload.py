"""Tests of daemonkit.reload and daemonkit.reload_ctl."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from daemonkit import calling, reload, reload_ctl
from daemonkit.ctl import Frame
from daemonkit.ini import ConfigurationFault, Fault, Setting
from daemonkit.reload import Differences, HalfDone, Reload, ReloadFault, compare
from daemonkit.reload_ctl import add_reload_command, describe_reload
from daemonkit.terminal import CtlFailure


def setting(section: str, key: str, value: str, line: int = 1, mark: bytes = b"") -> Setting:
    return Setting(section, key, value, line, mark)


class CompareTests(SynchronousTestCase):
    """What is new, and what of that can be used."""

    old = (setting("a", "x", "1"), setting("a", "y", "1"), setting("b", "gone", "1"))

    def compare(self, *new: Setting, fixed: str = "") -> Differences:
        return compare(self.old, new, lambda one: one.key == fixed)

    def test_same(self) -> None:
        """Other lines are nothing new."""
        same = [setting(one.section, one.key, one.value, line=9) for one in self.old]
        found = self.compare(*same)
        self.assertEqual((found.changed, found.fixed), ((), ()))

    def test_changed(self) -> None:
        """What has another value or mark, is there for the first time, or is gone, has changed."""
        new = (setting("a", "x", "1", mark=b"m"), setting("a", "y", "2"), setting("b", "new", "1"))
        found = self.compare(*new)
        self.assertEqual(found.changed, ("[a] x", "[a] y", "[b] new", "[b] gone"))
        self.assertEqual(found.settings, new)
        self.assertTrue(found.touches("c", "b"))
        self.assertFalse(found.touches("c"))

    def test_fixed(self) -> None:
        """What cannot change stays in use, and is told again the next time."""
        new = (setting("a", "x", "2"), setting("a", "y", "2"), self.old[2])
        found = self.compare(*new, fixed="x")
        self.assertEqual((found.changed, found.fixed), (("[a] y",), ("[a] x",)))
        self.assertEqual(found.settings, (self.old[0], *new[1:]))
        again = compare(found.settings, new, lambda one: one.key == "x")
        self.assertEqual((again.changed, again.fixed), ((), ("[a] x",)))

    def test_fixed_section(self) -> None:
        """So does what is gone, and what is new does not come."""
        found = self.compare(*self.old[:2], fixed="gone")
        self.assertEqual((found.fixed, found.settings[2]), (("[b]",), self.old[2]))
        new = (setting("c", "new", "1"), setting("c", "new", "2"))
        found = self.compare(*self.old, *new, fixed="new")
        self.assertEqual((found.fixed, found.settings), (("[c]",), self.old))

    def test_heading(self) -> None:
        """A section is not one whose name only begins alike."""
        found = self.compare(*self.old, setting("tls name", "x", "1"))
        self.assertTrue(found.touches("tls"))
        self.assertFalse(found.touches("tl"))


class ReloadTests(SynchronousTestCase):
    """One reload after the other. The thread is a list of what is to be done in it."""

    def setUp(self) -> None:
        self.thread: list[Callable[[], None]] = []
        self.later: list[Callable[[], None]] = []
        self.content: Any = "one"
        self.applied: list[str] = []
        self.fault: Exception | None = None
        self.told: list[str] = []
        self.patch(reload, "notify", self.told.append)
        self.patch(reload, "reloading", lambda: self.told.append("RELOADING=1"))
        self.addCleanup(signal.signal, signal.SIGHUP, signal.getsignal(signal.SIGHUP))
        self.service = Reload(self, self.in_thread, self.read, self.apply)
        self.service.startService()

    def callFromThread(self, call: Callable[[], None]) -> None:
        self.later.append(call)

    def in_thread(self, call: Callable[[], Any]) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()

        def work() -> None:
            try:
                done.callback(call())
            except Exception:  # noqa: BLE001 - as a real thread pool does
                done.errback()

        self.thread.append(work)
        return done

    def read(self) -> Any:
        if isinstance(self.content, Exception):
            raise self.content
        return self.content

    def apply(self, found: Any) -> Differences:
        if self.fault is not None:
            raise self.fault
        self.applied.append(found)
        return Differences((f"[s] {found}",), ("[s] fixed",), ())

    def work(self) -> None:
        """Let the thread do what waits for it now."""
        waiting, self.thread = self.thread, []
        for call in waiting:
            call()

    def run_one(self) -> Any:
        asked = self.service.run()
        self.work()
        return self.successResultOf(asked)

    def test_applied(self) -> None:
        """What was read is applied; log, systemd and whoever asks are told."""
        self.assertIsNone(self.service.last)
        with capturedLogs() as logged:
            outcome = self.run_one()
        self.assertEqual(self.applied, ["one"])
        self.assertIs(self.service.last, outcome)
        answer = json.loads(json.dumps(outcome.as_json()))
        self.assertRegex(answer.pop("at"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$")
        self.assertEqual(
            answer,
            {"ok": True, "faults": [], "changed": ["[s] one"], "needs_restart": ["[s] fixed"]},
        )
        lines = [formatEvent(event) for event in logged]
        self.assertEqual(
            lines, ["reloaded: [s] one", "reloaded, but this needs a restart: [s] fixed"]
        )
        self.assertEqual(self.told, ["RELOADING=1", "READY=1"])
        self.assertEqual(self.service.warning, "")

    def test_faults(self) -> None:
        """Faults of the file or of what it names change nothing, and are one message."""
        for fault, said in (
            (
                ConfigurationFault(Path("/x.ini"), [Fault("first.", 3), Fault("second.")]),
                ["/x.ini, line 3: first.", "/x.ini, second."],
            ),
            (ReloadFault(["a certificate.", "a key."]), ["a certificate.", "a key."]),
        ):
            self.content = fault
            with capturedLogs() as logged:
                outcome = self.run_one()
            self.assertEqual((outcome.ok, list(outcome.faults)), (False, said))
            (event,) = logged
            self.assertIs(event["log_level"], LogLevel.error)
            for one in said:
                self.assertIn(one, formatEvent(event))
        self.assertEqual(self.applied, [])
        self.assertIn("not reloaded", self.service.warning)
        self.assertEqual(self.told[-1], "READY=1")

    def test_turn(self) -> None:
        """Who holds the turn is alone, and takes what is new into use; reloads wait for it."""
        turn = self.successResultOf(self.service.turn.acquire())
        asked = [self.service.run(), self.service.run()]
        self.assertEqual(self.thread, [])
        outcome = self.service.take(lambda: self.apply("two"))
        self.assertEqual((self.applied, outcome.changed), (["two"], ("[s] two",)))
        self.assertIs(self.service.last, outcome)
        turn.release()
        self.work()
        first, second = map(self.successResultOf, asked)
        self.assertIs(first, second)
        self.assertEqual(self.applied, ["two", "one"])

    def test_half_done(self) -> None:
        """An error of ours in taking it is told apart from a fault that changes nothing."""
        self.fault = ReloadFault(["no backend."])
        fault = self.assertRaises(ReloadFault, self.service.take, lambda: self.apply("two"))
        self.assertNotIsInstance(fault, HalfDone)
        self.fault = ValueError("ours")
        self.assertRaises(HalfDone, self.service.take, lambda: self.apply("two"))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertIsNone(self.service.last)

    def test_refused_late(self) -> None:
        """So are those that come up when it is applied."""
        self.fault = ReloadFault(["no backend."])
        self.assertEqual(self.run_one().faults, ("no backend.",))

    def test_bugs(self) -> None:
        """A bug is logged whole, and does not prevent the next reload."""
        self.content = ZeroDivisionError()
        self.assertEqual(self.run_one().faults, ("An internal error. The log has its traceback.",))
        self.content, self.fault = "two", ZeroDivisionError()
        self.assertIn("restart the daemon", self.run_one().faults[0])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.fault = None
        self.assertTrue(self.run_one().ok)

    def test_one_at_a_time(self) -> None:
        """Who asks while one runs gets the next, with all others; it reads what is there then."""
        first = self.service.run()
        others = [self.service.run() for _ in range(5)]
        self.assertEqual(len(self.thread), 1)
        self.work()
        self.successResultOf(first)
        for other in others:
            self.assertNoResult(other)
        self.content = "two"
        self.assertEqual(len(self.thread), 1)
        self.work()
        self.assertEqual(len({id(self.successResultOf(other)) for other in others}), 1)
        self.assertEqual((self.applied, self.thread), (["one", "two"], []))

    def test_signal(self) -> None:
        """SIGHUP asks the reactor; as many as come before its turn are one."""
        for _ in range(100):
            os.kill(os.getpid(), signal.SIGHUP)
        (call,) = self.later
        self.assertEqual(self.thread, [])
        call()
        os.kill(os.getpid(), signal.SIGHUP)
        self.later[1]()
        self.work()
        self.work()
        self.assertEqual((self.applied, self.thread), (["one", "one"], []))

    def test_stopping(self) -> None:
        """A daemon that stops applies nothing, and does not say that it was ready."""
        asked = self.service.run()
        self.service.stopService()
        self.work()
        self.assertFalse(self.successResultOf(asked).ok)
        os.kill(os.getpid(), signal.SIGHUP)
        self.later[0]()
        self.assertEqual((self.applied, self.thread), ([], []))
        self.assertEqual(self.told, ["RELOADING=1"])


class CtlTests(SynchronousTestCase):
    """The command, and the lines of a status."""

    credentials: str | None = None
    answer: dict[str, Any] = {
        "at": "2026-11-25T05:00:00+00:00",
        "ok": True,
        "faults": [],
        "changed": [],
        "needs_restart": [],
    }

    def run_ctl(self, *argv: str, **answer: Any) -> tuple[int, str, str]:
        """Exit status, standard output, standard error."""
        output, errors = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", output)
        self.patch(sys, "stderr", errors)
        told = {"reload": {**self.answer, **answer}, "credentials": self.credentials}
        self.patch(calling, "call", lambda _path, command, *_timeout: told[command])
        frame = Frame("testctl", "Operates testd.", Path("/testd.ini"), "no-such-thing")
        add_reload_command(frame, lambda path: path)
        return frame.run([*argv, "reload"]), output.getvalue(), errors.getvalue()

    def test_reloaded(self) -> None:
        """It says what is new, and what needs a restart."""
        self.assertEqual(self.run_ctl(), (0, "Reloaded: nothing is new.\n", ""))
        said = "Reloaded: [a] b, [c] d.\nNeeds a restart: [e] f.\n"
        done = self.run_ctl(changed=["[a] b", "[c] d"], needs_restart=["[e] f"])
        self.assertEqual(done, (0, said, ""))

    def test_failed(self) -> None:
        """Faults are for standard error; with --json, all is one object. The status is 1."""
        status, output, errors = self.run_ctl(ok=False, faults=["one.", "two\x1b."])
        self.assertEqual((status, output), (1, ""))
        self.assertEqual(
            errors,
            "testctl: not reloaded, and all that was in use before still is:\n  one.\n  two?.\n",
        )
        status, output, errors = self.run_ctl("--json", ok=False, faults=["one."])
        self.assertEqual((status, errors), (1, ""))
        self.assertEqual(json.loads(output)["faults"], ["one."])

    def test_copies(self) -> None:
        """Copies that systemd made are made anew by root, before the daemon is asked; others are
        told who can do that."""
        self.credentials = "/run/credentials/testd.service"
        refreshed: list[str] = []
        self.patch(reload_ctl, "refresh", refreshed.append)
        self.patch(os, "geteuid", lambda: 0)
        self.assertEqual(self.run_ctl(), (0, "Reloaded: nothing is new.\n", ""))
        self.assertEqual(refreshed, ["testd.service"])
        self.patch(os, "geteuid", lambda: 1000)
        _, _, errors = self.run_ctl()
        self.assertIn("run `systemctl reload testd.service`, or this as root", errors)
        self.assertEqual(refreshed, ["testd.service"])

    def test_copies_not_made(self) -> None:
        """Where the copies cannot be made, the daemon is not asked."""

        def refresh(unit: str) -> None:
            raise CtlFailure("systemd says no.")

        self.credentials = "/run/credentials/testd.service"
        self.patch(reload_ctl, "refresh", refresh)
        self.patch(os, "geteuid", lambda: 0)
        self.assertEqual(self.run_ctl(), (1, "", "testctl: systemd says no.\n"))

    def test_described(self) -> None:
        """The status has nothing before the first; then when, and what is wrong."""
        self.assertEqual(list(describe_reload(None)), [])
        (line,) = describe_reload(self.answer)
        self.assertRegex(line, r"^Last reload: 2026-11-2\d \d\d:\d\d:00 \S+$")
        more = {"ok": False, "faults": ["word " * 40], "needs_restart": ["[e] f"]}
        lines = list(describe_reload({**self.answer, **more}))
        self.assertIn("failed; what was in use before still is", lines[0])
        self.assertEqual(lines[-1], "Needs a restart: [e] f")
        self.assertLessEqual(max(map(len, lines)), 80)
