"""Tests of /system/configuration/xmpp and of /system/diagnostics/xmpp, with settings that note."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridgewire.steps import Step
from callbridged.check.checks import Busy
from callbridged.check.report import Outcome, Report, Walk
from callbridged.settings import Changed, Conflict, SettingsFault
from callbridged.web.api.diagnostics import XmppDiagnostics
from callbridged.web.api.xmpp import XmppConfiguration
from tests.callbridged.web.api.calls import ObjectCase

XMPP = "/system/configuration/xmpp"


class Settings:
    """As `callbridged.settings.Settings`, for what the API asks of it."""

    def __init__(self) -> None:
        self.version = "v1"
        self.values = {"name": "cb1", "domain": "example.com", "server_address": ""}
        self.fault: Exception | None = None
        self.at_once: list[bool] = []
        self.tried: list[Mapping[str, str]] = []

    def current(self) -> dict[str, str]:
        return dict(self.values)

    async def change(
        self, values: Mapping[str, str], *, version: str | None, at_once: bool = False
    ) -> Changed:
        if self.fault is not None:
            raise self.fault
        if version not in (None, self.version):
            raise Conflict(self.version)
        found = {key: (self.values.get(key, ""), value) for key, value in values.items()}
        self.values |= {key: value for key, value in values.items() if key != "secret"}
        self.at_once.append(at_once)
        self.version = "v2"
        outcome: Any = None
        return Changed(outcome, {key: pair for key, pair in found.items() if len(set(pair)) > 1})

    async def candidate(self, values: Mapping[str, str]) -> Any:
        if self.fault is not None:
            raise self.fault
        self.tried.append(values)
        return "a candidate"


class XmppTests(ObjectCase):
    """What is shown, and what is changed."""

    def setUp(self) -> None:
        super().setUp()
        self.settings: Any = Settings()
        configuration = XmppConfiguration(self.settings, self.audit)
        self.show = configuration.operations["GET"]
        self.change = configuration.operations["PUT"]

    def test_show(self) -> None:
        """The settings in use, with CMS's names, and their version."""
        answer = self.run_it(self.show)
        self.assertEqual((answer.name, answer.etag), ("xmpp", "v1"))
        self.assertEqual(
            answer.value,
            {"uniqueName": "cb1", "domain": "example.com", "serverAddressOverride": None},
        )

    def test_change(self) -> None:
        """What is sent is changed, and told the audit log: old and new, secrets never."""
        sent = {"uniqueName": "cb2", "domain": "example.com", "sharedSecret": "marker-secret"}
        answer = self.run_it(self.change, sent)
        self.assertEqual((answer.value, answer.etag), (None, "v2"))
        self.assertEqual(self.settings.values["name"], "cb2")
        self.assertEqual(
            self.audit.entries,
            [(XMPP, {"uniqueName": ("cb1", "cb2"), "sharedSecret": "secret"})],
        )
        self.assertEqual(self.settings.at_once, [False])

    def test_at_once(self) -> None:
        """Links need not wait for those that replace them, if so asked."""
        self.run_it(self.change, {"serverAddressOverride": "x", "replaceImmediately": "true"})
        self.run_it(self.change, {"serverAddressOverride": "", "replaceImmediately": False})
        self.assertEqual(self.settings.at_once, [True, False])
        self.assertEqual(self.settings.values["server_address"], "")
        self.run_it(self.change, {"replaceImmediately": "true"})  # of an earlier change
        self.assertEqual(self.settings.at_once, [True, False, True])
        address = "serverAddressOverride"
        self.assertEqual(
            self.audit.entries,
            [
                (f"{XMPP} (replaceImmediately)", {address: ("", "x")}),
                (XMPP, {address: ("x", "")}),
                (f"{XMPP} (replaceImmediately)", {}),
            ],
        )

    def test_nothing(self) -> None:
        """Who sends nothing changes nothing, as with CMS."""
        for body in ({}, {"replaceImmediately": "false"}):
            self.assertEqual(self.run_it(self.change, body).etag, "v1")
        self.assertEqual(self.audit.entries, [])

    def test_if_match(self) -> None:
        """A change of the version in use is made, one of another version is not."""
        sent = {"uniqueName": "cb2"}
        refused = 412, [("preconditionFailed",)]
        for tags in ({"v0"}, set()):
            self.assertEqual(self.refused(self.change, sent, if_match=frozenset(tags)), refused)
        self.run_it(self.change, sent, if_match=frozenset({"v0", "v1"}))
        self.assertEqual(self.settings.values["name"], "cb2")

    def test_conflict(self) -> None:
        """Also where somebody is faster after that was looked at."""
        self.settings.fault = Conflict("v2")
        refused = self.refused(self.change, {"uniqueName": "cb2"}, if_match=frozenset({"v1"}))
        self.assertEqual(refused, (412, [("preconditionFailed",)]))

    def test_faults(self) -> None:
        """All faults of the settings come at once, by the names that were sent."""
        self.settings.fault = SettingsFault(
            [("name", "it is no name."), ("server_address", "no port."), ("secret", "too short.")]
        )
        failure = self.failing(self.change, {"uniqueName": "c1"})
        self.assertEqual(failure.status, 400)
        self.assertEqual(
            [(one.parameter, one.message) for one in failure.reasons],
            [
                ("uniqueName", "uniqueName: it is no name."),
                ("serverAddressOverride", "serverAddressOverride: no port."),
                ("sharedSecret", "sharedSecret: too short."),
            ],
        )

    def test_faults_elsewhere(self) -> None:
        """What is not the fault of what was sent is an invalidOperation, with what to do."""
        self.settings.fault = SettingsFault([("", "callbridge.crt is not there. Put it there.")])
        failure = self.failing(self.change, {"uniqueName": "cb2"})
        self.assertEqual((failure.status, failure.reasons[0].name), (409, "invalidOperation"))
        self.assertIn("Put it there", failure.reasons[0].message)

    def test_bad_values(self) -> None:
        """Values that cannot be any are refused before the settings are asked, all of them."""
        refused = self.refused(
            self.change,
            {
                "uniqueName": "",
                "domain": "x" * 256,
                "sharedSecret": 5,
                "serverAddressOverride": "a\nb",
                "replaceImmediately": "yes",
                "port": "5223",
            },
        )
        wanted = [
            ("parameterError", "uniqueName", "invalidValue"),
            ("parameterError", "domain", "valueTooLong"),
            ("parameterError", "sharedSecret", "invalidValue"),
            ("parameterError", "serverAddressOverride", "invalidValue"),
            ("parameterError", "replaceImmediately", "invalidValue"),
            ("parameterError", "port", "unknownParameter"),
        ]
        self.assertEqual(refused, (400, wanted))


class Checks:
    """As `callbridged.check.checks.Checks`."""

    def __init__(self) -> None:
        self.busy = False
        self.configs: list[object] = []

    async def run(self, config: object) -> Report:
        if self.busy:
            raise Busy
        self.configs.append(config)
        common = Walk("example.com", [Outcome(Step.SRV, "one record", 0.25)])
        return Report("cb1", "example.com", common)


class DiagnosticsTests(ObjectCase):
    """Which settings are tried, and what is answered."""

    def setUp(self) -> None:
        super().setUp()
        self.settings, self.checks = Settings(), Checks()
        parts: Any = self.checks, self.settings, lambda: "what is in use"
        operations = XmppDiagnostics(*parts).operations
        self.check, self.check_candidate = operations["GET"], operations["POST"]

    def test_in_use(self) -> None:
        """GET tries what is in use, and answers every step."""
        answer = self.run_it(self.check)
        self.assertEqual(self.checks.configs, ["what is in use"])
        assert answer.value is not None
        steps: Any = answer.value["steps"]
        self.assertEqual((steps[0]["step"], steps[0]["seconds"]), ("srv", 0.25))

    def test_candidate(self) -> None:
        """POST tries what is sent; nothing was changed."""
        self.run_it(self.check_candidate, {"sharedSecret": "s", "serverAddressOverride": ""})
        self.assertEqual(self.settings.tried, [{"secret": "s", "server_address": ""}])
        self.assertEqual(self.checks.configs, ["a candidate"])
        self.assertEqual((self.settings.version, self.audit.entries), ("v1", []))

    def test_faults(self) -> None:
        """What cannot be tried is refused like a change, and no check is run."""
        self.settings.fault = SettingsFault([("domain", "it is no domain.")])
        refused = self.refused(self.check_candidate, {"domain": "example.org"})
        self.assertEqual(refused, (400, [("parameterError", "domain", "invalidValue")]))
        self.assertEqual(self.checks.configs, [])

    def test_busy(self) -> None:
        """A second check at the same time is refused, with when to try again."""
        self.checks.busy = True
        for operation in (self.check, self.check_candidate):
            failure = self.failing(operation)
            self.assertEqual((failure.status, failure.headers), (503, {"retry-after": "5"}))
