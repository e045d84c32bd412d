"""The checkout's own promises that nothing else would notice."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

from twisted.trial import unittest

from tests.support.markdown import Page
from tests.support.processes import ROOT

#: Everything that a person reads on the way from the README.
PAGES = (*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md")))
#: Those that are in Japanese as well, as PAGE.ja.md.
TRANSLATED = (ROOT / "README.md", ROOT / "docs" / "operating.md")


class LayoutTests(unittest.SynchronousTestCase):
    """tox.ini against the folders that are there."""

    def test_every_package_of_tests_runs(self) -> None:
        """Every folder below tests/ with tests in it is run by some tox environment."""
        tox = ConfigParser(interpolation=None)
        tox.read(ROOT / "tox.ini")
        named = {
            word.rstrip("}").removeprefix("{posargs:")
            for section in ("testenv", "testenv:integration", "testenv:debs")
            for word in tox[section]["commands"].split()
            if "tests." in word
        }
        there = {f"tests.{found.parent.name}" for found in ROOT.glob("tests/*/test_*.py")}
        self.assertEqual(there - named, set())


class LinkTests(unittest.SynchronousTestCase):
    """The pages that are there, and what they lead to."""

    def test_every_link_leads_somewhere(self) -> None:
        """A link within the project names a file that is there, and a heading that it has."""
        pages = {path: Page(path) for path in PAGES}
        broken = []
        for path, page in pages.items():
            for link in page.links():
                if "://" not in link and not self.leads_somewhere(path, link, pages):
                    broken.append(f"{path.relative_to(ROOT)}: {link}")
        self.assertEqual(broken, [])

    def leads_somewhere(self, page: Path, link: str, pages: dict[Path, Page]) -> bool:
        name, _, anchor = link.partition("#")
        there = (page.parent / name).resolve() if name else page
        if not anchor or not there.exists():
            return there.exists()
        known = pages.get(there) or Page(there)
        return anchor in {heading.anchor for heading in known.headings()}

    def test_every_page_can_be_found(self) -> None:
        """The pages in docs/ are reached from the README by following links."""
        found, todo = set[Path](), [ROOT / "README.md"]
        while todo:
            path = todo.pop()
            if path in found or not path.is_file():
                continue
            found.add(path)
            if path.suffix == ".md":
                names = (link.partition("#")[0] for link in Page(path).links())
                todo += [(path.parent / name).resolve() for name in names if "://" not in name]
        self.assertEqual(set(PAGES) - found, set())


class TranslationTests(unittest.SynchronousTestCase):
    """The pages that are there in two languages, against each other."""

    def test_both_languages_have_the_same(self) -> None:
        """A page in Japanese has the headings, code, tables and links of the one in English."""
        for path in TRANSLATED:
            english, japanese = Page(path), Page(path.with_suffix(".ja.md"))
            self.assertEqual(self.shape(japanese), self.shape(english), path.name)
            self.assertEqual(self.code(japanese), self.code(english), path.name)
            self.assertEqual(japanese.tables(), english.tables(), path.name)
            self.assertEqual(self.targets(japanese), self.targets(english), path.name)

    def shape(self, page: Page) -> list[int]:
        return [heading.level for heading in page.headings()]

    def code(self, page: Page) -> list[tuple[str, str]]:
        return [(block.language, block.text) for block in page.code]

    def targets(self, page: Page) -> list[str]:
        """Where links lead; those between the translations without the language and the heading."""
        found = []
        for link in page.links():
            name, mark, anchor = link.partition("#")
            own = name.replace(".ja.md", ".md")
            translated = not name or (page.path.parent / own).resolve() in TRANSLATED
            found.append(own if translated else name + mark + anchor)
        return sorted(found)
