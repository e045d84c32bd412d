"""Tests of callbridged.web.pages.form: fields, faults and conflicts."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from callbridged.web.pages.form import (
    Difference,
    Origin,
    differences,
    make_fields,
    other_faults,
    typed_values,
)
from daemonkit.inifile import Source
from daemonkit.setting import Setting

CURRENT = {"name": "cb1", "domain": "example.com", "server_address": ""}
ORIGINS = {
    "name": Origin("file"),
    "domain": Origin("overlay", "example.net"),
    "server_address": Origin("default"),
    "secret": Origin("overlay"),
}


class TypedTests(SynchronousTestCase):
    """What somebody wants to change."""

    def test_only_changes(self) -> None:
        """Fields that stand as they were are no change, nor is an empty secret."""
        self.assertEqual(typed_values({**CURRENT, "secret": ""}, CURRENT), {})
        self.assertEqual(
            typed_values({**CURRENT, "name": " cb2 ", "secret": " s "}, CURRENT),
            {"name": "cb2", "secret": " s "},
        )

    def test_emptied(self) -> None:
        """A server address that was taken out is one: SRV from now on."""
        current = {**CURRENT, "server_address": "xmpp1.example.com"}
        self.assertEqual(typed_values(CURRENT, current), {"server_address": ""})

    def test_origin(self) -> None:
        """A line of the ini file, a default and the overlay are told apart, and show no secret."""
        overlay = Source("overlay", Path("overlay.ini"))
        for line, source, name in (
            (3, None, "file"),
            (None, None, "default"),
            (2, overlay, "overlay"),
        ):
            setting = Setting("callbridge", "name", "cb1", line, b"", source, "cb0")
            self.assertEqual(Origin.of(setting), Origin(name, "cb0"))
        secret = Setting("callbridge", "secret", "(hidden)", 2, b"", overlay, "hush")
        self.assertEqual(Origin.of(secret), Origin("overlay"))

    def test_typed(self) -> None:
        """What was typed stays, with its faults; a secret does not."""
        faults = [("name", "Too long."), ("name", "And odd."), ("", "The disk is full.")]
        fields = {
            one.key: one
            for one in make_fields(CURRENT, ORIGINS, {"name": "x" * 99, "secret": "hush"}, faults)
        }
        self.assertEqual(fields["name"].value, "x" * 99)
        self.assertEqual(fields["name"].fault, "Too long. And odd.")
        self.assertNotIn("hush", repr(fields))
        self.assertEqual(other_faults(faults), "The disk is full.")


class DifferenceTests(SynchronousTestCase):
    """Two administrators at once."""

    def test_values(self) -> None:
        """Both values are shown where they differ."""
        self.assertEqual(
            differences({**CURRENT, "name": "theirs"}, {"name": "yours"}, CURRENT),
            [Difference("name", "theirs", "yours")],
        )

    def test_theirs(self) -> None:
        """What they have changed, and you have not, is shown as well; what both want is not."""
        current = {**CURRENT, "domain": "example.org", "name": "cb2"}
        self.assertEqual(
            differences(current, {"name": "cb2"}, CURRENT),
            [Difference("domain", "example.org", "example.com")],
        )

    def test_secret(self) -> None:
        """Of a secret it is shown only that there is another one."""
        self.assertEqual(
            differences(CURRENT, {"secret": "hush"}, CURRENT), [Difference("secret", "", "")]
        )
