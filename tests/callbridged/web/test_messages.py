"""Tests of the texts of the pages, in both languages, and of where they are used."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from importlib.resources import files
from typing import get_args

from twisted.trial.unittest import SynchronousTestCase

from bridgewire.steps import Reason, Step
from callbridged.alarms.alarm import Kind, Severity
from callbridged.links.link_interface import State
from callbridged.web.access import Role
from callbridged.web.pages import flow, view
from callbridged.web.pages.form import KEYS
from callbridged.web.pages.language import LANGUAGES, language, preferred

PAGES = files("callbridged.web.pages")
#: Attributes that people read, or hear read.
READ = {"alt", "aria-label", "placeholder", "title"}
#: What is called the same in every language.
NAMES = {"flow.bridge", "flow.dns", "plots.none"}


def sources(suffix: str) -> dict[str, str]:
    """Templates or modules, by name."""
    folders = [PAGES / "templates", PAGES / "static", PAGES]
    return {
        one.name: one.read_text(encoding="utf-8")
        for folder in folders
        for one in folder.iterdir()
        if one.name.endswith(suffix)
    }


class _Texts(HTMLParser):
    """What there is to read in a template that no message stands for."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.texts += [value for name, value in attrs if name in READ and value]

    def handle_data(self, data: str) -> None:
        if re.search(r"[A-Za-z]{2}", data):
            self.texts.append(data.strip())


class MessageTests(SynchronousTestCase):
    """English and Japanese."""

    def test_same_keys(self) -> None:
        """All have the same messages, in the same order, none of them empty."""
        first, *others = (language(tag).texts for tag in LANGUAGES)
        for texts in others:
            self.assertEqual(list(first), list(texts))
            self.assertEqual([key for key in first if not (first[key] and texts[key])], [])

    def test_same_values(self) -> None:
        """What is put into a message is put into it in both languages."""
        english, japanese = (language(tag).texts for tag in LANGUAGES)
        for key, text in english.items():
            braces = set(re.findall(r"\{\w+\}", text))
            self.assertEqual(braces, set(re.findall(r"\{\w+\}", japanese[key])), key)

    def test_translated(self) -> None:
        """A Japanese message has Japanese in it, unless it is but a name."""
        for key, text in language("ja").texts.items():
            if key not in NAMES and re.search(r"\w", re.sub(r"\{\w+\}", "", text)):
                self.assertRegex(text, r"[\u3040-\u30ff\u4e00-\u9fff]", key)

    def test_no_text_outside(self) -> None:
        """Templates have no text of their own."""
        for name, template in sources(".html").items():
            parser = _Texts()
            macros = r"(?s)\{% macro described.*?endmacro %\}|"
            bare = re.sub(macros + r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", template)
            parser.feed(bare.replace("<!doctype html>", ""))
            self.assertEqual(parser.texts, [], name)

    def test_all_keys(self) -> None:
        """Each message that is asked for is there, and each that is there is asked for."""
        every = "\n".join([*sources(".html").values(), *sources(".py").values()])
        known = set(language("en").texts)
        asked = set(re.findall(r'(?:\bt|\.text)\(\s*"([\w.-]+)"[,)]', every))
        self.assertEqual(asked - known, set())
        asked |= {key for key in known if f'"{key}"' in every}
        asked |= {
            f"duration.{unit}{end}" for unit in ("minute", "hour", "day") for end in ("", "s")
        }
        made = {
            "step": list(Step),
            "reason": list(Reason),
            "state": list(State),
            "alarm": list(Kind),
            "severity": list(Severity),
            "progress": get_args(flow.Progress),
            "age": [one for one in get_args(view.Age) if one],
            "role": get_args(Role),
            "level": ("debug", "info", "warn", "error", "critical"),
            "audit": ("signed-in", "signed-out", "refused", "changed"),
            "configuration.origin": ("overlay", "file", "default"),
            "theme": ("auto", "light", "dark"),
        }
        for prefix, names in made.items():
            there = {key for key in known if key.startswith(f"{prefix}.") and key not in asked}
            self.assertEqual(there, {f"{prefix}.{one}" for one in names}, prefix)
            asked |= there
        asked |= {f"configuration.{key}{end}" for key in KEYS for end in ("", ".hint")}
        # By a variable: a notice, a line of a plot.
        words = set(re.findall(r'"([a-z-]+)"', every))
        for key in known - asked:
            prefix, _, word = key.rpartition(".")
            if word in words and f'"{prefix}." ~' in every:
                asked.add(key)
        self.assertEqual(known - asked, set())


class LanguageTests(SynchronousTestCase):
    """Which language a reader gets."""

    def test_preferred(self) -> None:
        """The one that the browser asks for most, and English where we know none of them."""
        for accept, tag in (
            ("", "en"), ("ja", "ja"), ("ja-JP,en;q=0.5", "ja"), ("de,ja;q=0.3,en;q=0.7", "en"),
            ("de-CH", "en"), ("JA;q=0.9, en;q=0.8", "ja"), ("ja;q=0", "en"), ("ja;q=x, en", "en"),
            ("*" * 5000, "en"),
        ):  # fmt: skip
            self.assertEqual(preferred(accept), tag, accept[:50])

    def test_durations(self) -> None:
        """Durations are in whole units, and said as a language has it."""
        english, japanese = language("en"), language("ja")
        for seconds, said in ((59, "less than a minute"), (60, "1 minute"), (7300, "2 hours")):
            self.assertEqual(english.duration(seconds), said)
        self.assertEqual(japanese.duration(86400), "1 日間")

    def test_seconds(self) -> None:
        """How long a step took has no more digits than mean something."""
        for seconds, said in ((0.0012, "1.2 ms"), (0.25, "250 ms"), (3.14159, "3.1 s")):
            self.assertEqual(language("en").seconds(seconds), said)
