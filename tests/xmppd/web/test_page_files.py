"""Tests of the files in xmppd/web/page: texts in both languages, and the library that they ship."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha512
from html.parser import HTMLParser

from twisted.trial.unittest import SynchronousTestCase

from xmppd.web.sign_in import page_files

PAGE = page_files()
#: Attributes that people read, or hear read.
READ = {"alt", "aria-label", "aria-description", "placeholder", "title"}


def read(*path: str) -> str:
    return PAGE.joinpath(*path).read_text(encoding="utf-8")


def messages(language: str) -> dict[str, str]:
    """The catalogue of a language, which is JSON but for its first words and its last sign."""
    text = read("messages", f"{language}.js")
    found: dict[str, str] = json.loads(text.removeprefix("export default ").rstrip().rstrip(";"))
    return found


def scripts() -> dict[str, str]:
    """Our own scripts, without comments, by name."""
    return {
        one.name: re.sub(r"(?m)^\s*//.*$|\s// .*$", "", one.read_text(encoding="utf-8"))
        for one in PAGE.iterdir()
        if one.name.endswith(".js")
    }


class _Texts(HTMLParser):
    """What there is to read in the document outside of <noscript>, and which messages it names."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.keys: set[str] = set()
        self._without_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._without_script |= tag == "noscript"
        for name, value in attrs:
            if name in ("data-text", "data-label"):
                self.keys.add(value or "")
            elif name in READ and value:
                self.texts.append(value)

    def handle_endtag(self, tag: str) -> None:
        self._without_script &= tag != "noscript"

    def handle_data(self, data: str) -> None:
        if data.strip(" \n…") and not self._without_script:
            self.texts.append(data)


class MessageTests(SynchronousTestCase):
    """English and Japanese."""

    def test_same_keys(self) -> None:
        """Both have the same messages, in the same order, none of them empty."""
        english, japanese = messages("en"), messages("ja")
        self.assertEqual(list(english), list(japanese))
        self.assertEqual([key for key in english if not (english[key] and japanese[key])], [])

    def test_same_values(self) -> None:
        """What is put into a message is put into it in both languages."""
        english, japanese = messages("en"), messages("ja")
        for key, text in english.items():
            braces = set(re.findall(r"\{\w+\}", text))
            self.assertEqual(braces, set(re.findall(r"\{\w+\}", japanese[key])), key)

    def test_translated(self) -> None:
        """A Japanese message has Japanese in it."""
        for key, text in messages("ja").items():
            self.assertRegex(text, r"[\u3040-\u30ff\u4e00-\u9fff]", key)

    def test_no_text_outside(self) -> None:
        """The document has no text of its own, but for browsers without scripts, in both."""
        document = read("index.html")
        parser = _Texts()
        parser.feed(document)
        self.assertEqual(parser.texts, [])
        self.assertEqual(parser.keys - set(messages("en")), set())
        without = document.partition("<noscript>")[2].partition("</noscript>")[0]
        self.assertEqual(re.findall(r'lang="(\w+)"', without), ["en", "ja"])

    def test_no_text_in_scripts(self) -> None:
        """Scripts have words in them as keys, names and signs only: no sentence, no label."""
        for name, script in scripts().items():
            texts = re.findall(r'"((?:[^"\\\n]|\\.)*)"', script)
            sentences = [one for one in texts if re.search(r"[A-Za-z]{2,} [A-Za-z]{2,}", one)]
            allowed = {"the server has proved nothing"}  # for developers, in an Error
            self.assertEqual(set(sentences) - allowed, set(), name)

    def test_all_keys_exist(self) -> None:
        """Each message that a script names is there, and each that is there is named somewhere."""
        every = "\n".join([*scripts().values(), read("index.html")])
        known = set(messages("en"))
        prefixes = {key.rpartition(".")[0] for key in known}
        named = {
            one
            for one in re.findall(r'"([a-z-]+(?:\.[a-z-]+)+)"', every)
            if one.rpartition(".")[0] in prefixes and not one.endswith(".js")
        }
        self.assertEqual(named - known, set())
        (facts,) = re.findall(r"FACTS = \[([^\]]*)\]", scripts()["session_view.js"])
        named |= {f"session.{one}" for one in re.findall(r'"(\w+)"', facts)}
        made = ("failure.", "turn.")  # of a name: see below
        self.assertEqual({key for key in known - named if not key.startswith(made)}, set())

    def test_all_failures(self) -> None:
        """Each failure has a sentence, and each sentence a failure."""
        script = scripts()["failures.js"]
        tables = re.findall(r"const OF_\w+ = \{([^}]*)\}", script)
        names = {name for table in tables for name in re.findall(r': "([\w-]+)"', table)}
        (more,) = re.findall(r"OF_PAGE = \[([^\]]*)\]", script)
        names |= set(re.findall(r'"([\w-]+)"', more))
        sentences = {
            key.removeprefix("failure.") for key in messages("en") if key.startswith("failure.")
        }
        self.assertEqual(names, sentences)

    def test_all_outcomes(self) -> None:
        """So has each outcome of the test of a service."""
        script = scripts()["turn.js"]
        reasons = set(re.findall(r'(?:reason: |return )"([\w-]+)"', script))
        kinds = set(re.findall(r'\? "(relay|reflexive)" : "(relay|reflexive)"', script)[0])
        wanted = {f"turn.{one}" for one in reasons} | {f"turn.works.{one}" for one in kinds}
        there = {key for key in messages("en") if key.startswith("turn.")}
        self.assertEqual(wanted | {"turn.running"}, there)


class LibraryTests(SynchronousTestCase):
    """strophe.js, as it was published."""

    def test_integrity(self) -> None:
        """What is shipped has the hashes in the manifest, and there is nothing else."""
        manifest = json.loads(read("vendor", "manifest.json"))
        hashes = {name: one["integrity"] for name, one in manifest["files"].items()}
        there = {
            one.name: f"sha512-{b64encode(sha512(one.read_bytes()).digest()).decode()}"
            for one in PAGE.joinpath("vendor").iterdir()
            if one.name != "manifest.json"
        }
        self.assertEqual(there, hashes)

    def test_licence(self) -> None:
        """Its licence comes with it."""
        self.assertIn("Permission is hereby granted", read("vendor", "strophe.LICENSE.txt"))
