"""Tests for the tables of events of both daemons, and that every line is in one of them."""

from __future__ import annotations

import ast
import re
import runpy
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from bridgewire.log_fields import FIELDS
from callbridged import events as callbridged
from daemonkit.logging import events as common
from daemonkit.logging.event import Event, events_in
from tests.support.processes import ROOT
from xmppd import events as xmppd

EVENTS = [one for module in (common, xmppd, callbridged) for one in events_in(vars(module))]
CATALOG = ROOT / "packaging" / "catalog"
#: Fields that say who somebody is, as they come over the network.
_PEERS = {"peer", "user", "login", "network"}


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Each call of a logger's method, with where it stands."""
    for package in ("xmppd", "callbridged", "bridgewire", "daemonkit"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr in ("debug", "info", "warn", "error", "critical")
                    and ast.unparse(node.func.value).endswith("log")
                ):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def fields(event: Event) -> set[str]:
    """Those that stand in its text."""
    return {name.partition(".")[0] for _, name, _, _ in Formatter().parse(event) if name}


class EventTests(SynchronousTestCase):
    """What the tables have to be."""

    def test_names(self) -> None:
        """Each event has a name and an id of its own."""
        self.assertGreater(len(EVENTS), 50)
        names = Counter(one.name for one in EVENTS)
        self.assertEqual([name for name, count in names.items() if count > 1], [])
        self.assertEqual(len({one.message_id for one in EVENTS}), len(EVENTS))

    def test_id(self) -> None:
        """Ids are the same for ever: this one is in somebody's alarms."""
        self.assertEqual(xmppd.LOGIN_REFUSED.message_id.hex, "55da18cf3b2e5ae4878170626f3fedac")

    def test_limits(self) -> None:
        """What a peer can bring about is limited, but for who has logged in with a password."""
        unlimited = {one.name for one in EVENTS if one.limit is None and _PEERS & fields(one)}
        users = {"login-accepted", "login-succeeded"}
        operators = {"admin-changed", "admin-signed-in", "network-forgiven"}
        self.assertEqual(unlimited, users | operators)

    def test_calls(self) -> None:
        """Every line has an event: no logger is given a text."""
        found = list(calls())
        self.assertGreater(len(found), 40)
        for place, call in found:
            shown = ast.unparse(call.args[0])
            named = shown.isupper() or " if " in shown or shown == "event"
            self.assertTrue(named, f"{place}: {shown}")

    def test_fields_given(self) -> None:
        """A call gives its event all fields that its text, and its limit, need."""
        tables = {**vars(common), **vars(xmppd), **vars(callbridged)}
        checked = 0
        for place, call in calls():
            given = {keyword.arg for keyword in call.keywords}
            more = [ast.unparse(one.value) for one in call.keywords if one.arg is None]
            if any(one.endswith(".log_fields()") for one in more):
                given |= {"failure", "step", "reason", "remedy"}
            elif more:
                continue
            for node in ast.walk(call.args[0]):
                event = tables.get(node.id) if isinstance(node, ast.Name) else None
                if isinstance(event, Event):
                    checked += 1
                    needed = fields(event).union(event.limit.per if event.limit else ())
                    self.assertEqual(needed - given, set(), f"{place}: {event.name}")
        self.assertGreater(checked, 60)

    def test_all_said(self) -> None:
        """No event is in a table that nothing says."""
        source = "\n".join(
            path.read_text(encoding="utf-8")
            for package in ("xmppd", "callbridged", "daemonkit")
            for path in (ROOT / package).rglob("*.py")
            if path.name != "events.py"
        )
        for module in (common, xmppd, callbridged):
            for name, one in vars(module).items():
                if isinstance(one, Event):
                    self.assertRegex(source, rf"\b{name}\b")


class CatalogTests(SynchronousTestCase):
    """What journalctl shows with a line."""

    def test_made_of_the_tables(self) -> None:
        """The files are what `python packaging/catalog` makes."""
        directory = Path(self.mktemp())
        directory.mkdir()
        with patch.object(sys, "argv", ["catalog", str(directory)]):
            runpy.run_path(str(CATALOG), run_name="__main__")
        made = {path.name: path.read_text() for path in directory.iterdir()}
        self.assertEqual(made, {path.name: path.read_text() for path in CATALOG.glob("*.catalog")})
        entries = "".join(made.values()).count("\nSubject: ")
        self.assertEqual(entries, sum(bool(one.meaning) for one in EVENTS))


class FieldTests(SynchronousTestCase):
    """The fields that both daemons write."""

    def test_known(self) -> None:
        """A field that tells lines apart is in the lines, or is there for that alone."""
        for one in EVENTS:
            for name in one.limit.per if one.limit else ():
                self.assertIn(name, {*FIELDS, "fault", "address", "port", "server", "why"})

    def test_documented(self) -> None:
        """The table of fields in the docs has all of them, and says what is said here."""
        text = (ROOT / "docs" / "logs.md").read_text(encoding="utf-8")
        table = text.partition("\n## Fields\n")[2].partition("\n## ")[0]
        rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", table, re.MULTILINE))
        del rows["event"]
        self.assertEqual(rows, dict(FIELDS))

    def test_not_ours(self) -> None:
        """No field is called like what JSON lines begin with."""
        self.assertEqual(set(FIELDS) & {"time", "level", "event", "message", "traceback"}, set())
