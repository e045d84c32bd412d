"""Tests of the manual pages and the completion, which packaging/manual makes."""

from __future__ import annotations

import argparse
import functools
import re
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import callbridged.config
import callbridged.ctl
import xmppd.config
import xmppd.ctl
from daemonkit.units import parse_duration
from tests.support.processes import ROOT, output

sys.path.insert(0, str(ROOT / "packaging" / "manual"))

from settings import Row, chapter

LOAD = {"xmppd": xmppd.config.load, "callbridged": callbridged.config.load}
FRAMES = {"xmppctl": xmppd.ctl.make_frame, "callbridgectl": callbridged.ctl.make_frame}
PAGES = (
    *(f"{program}.8" for program in (*FRAMES, *LOAD)),
    *(f"{daemon}.ini.5" for daemon in LOAD),
)
#: A line of a shipped file that is a setting or a heading once its # is taken away.
_COMMENTED_OUT = re.compile(r"^#(?=\[[a-z]+ [a-z0-9.]+\]$|[a-z_]+ =)", re.MULTILINE)


def commands(parser: argparse.ArgumentParser, words: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Every command line without options: ("callbridge", "add"), for instance."""
    found = {words} if words else set()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                found |= commands(below, (*words, name))
    return found


def seconds(value: str) -> float | str:
    """The seconds of a duration, since 60s are 1m; other values as they are."""
    try:
        return parse_duration(value)
    except ValueError:
        return value


@functools.cache
def made() -> Path:
    """The directory with all that packaging/manual writes, written once."""
    place = Path("manual").absolute()
    output(sys.executable, ROOT / "packaging" / "manual", place)
    return place


class PageTests(SynchronousTestCase):
    """man/*."""

    def text(self, page: str) -> str:
        """The page as it is read, on a terminal that is wide enough for every line."""
        return re.sub(".\b", "", output("mandoc", "-Tascii", "-Owidth=400", made() / "man" / page))

    def test_no_reader_complains(self) -> None:
        """Neither mandoc nor man finds anything to warn of."""
        for page in PAGES:
            path = made() / "man" / page
            self.assertEqual(output("mandoc", "-Tlint", "-Wwarning", path), "")
            self.assertEqual(
                output("sh", "-c", 'man --warnings -l -Z "$0" 2>&1 >/dev/null', path), ""
            )

    def test_every_command(self) -> None:
        """A page has every command, with its arguments, options, details and examples."""
        for program, make_frame in FRAMES.items():
            text, parser = self.text(f"{program}.8"), make_frame().parser
            for words in commands(parser):
                self.assertIn(f"usage: {program} {' '.join(words)}", text)
            self.assertIn("EXAMPLES", text)
            for line in (parser.epilog or "").splitlines()[1:]:
                self.assertIn(line.strip(), text)
        text = " ".join(self.text("xmppctl.8").split())
        self.assertIn("usage: xmppctl callbridge add [--domain DOMAIN] NAME", text)
        self.assertIn("The secret is typed without being shown", text)

    def test_daemons(self) -> None:
        """A daemon's page says how it is started, and where its files are."""
        text = self.text("callbridged.8")
        self.assertIn("twistd --nodaemon --pidfile= callbridged [--config FILE]", text)
        self.assertIn("/etc/callbridged/callbridged.ini", text)

    def test_settings(self) -> None:
        """A page of settings has every key in its section, and the shipped file as it is."""
        for daemon in LOAD:
            text = self.text(f"{daemon}.ini.5")
            settings, _, example = text.partition("EXAMPLE")
            section = ""
            for row in chapter(daemon).rows:
                if row.section != section:
                    section = row.section
                    settings = settings.partition(f"[{section}]\n")[2]
                self.assertIn(", ".join(row.keys), settings.partition("\n   [")[0])
            shipped = (ROOT / "etc" / daemon / f"{daemon}.ini").read_text()
            for line in filter(None, shipped.splitlines()):
                self.assertIn(line, example)


class SettingsTests(SynchronousTestCase):
    """The tables in docs/settings.md, of which the pages are made, against the daemons."""

    def load(self, daemon: str, text: str) -> dict[tuple[str, str], str]:
        """Every setting that the daemon knows, with what is in force."""
        path = Path(self.mktemp())
        path.write_text(text)
        config = LOAD[daemon](path, check_files=False)
        return {(one.section, one.key): one.value for one in config.settings}

    def tables(self, daemon: str) -> dict[tuple[str, str], Row]:
        return {(row.section, key): row for row in chapter(daemon).rows for key in row.keys}

    def shipped(self, daemon: str) -> str:
        """The shipped file with all in force that is commented out in it."""
        text = (ROOT / "etc" / daemon / f"{daemon}.ini").read_text()
        return _COMMENTED_OUT.sub("", text)

    def test_none_is_missing_or_made_up(self) -> None:
        """The tables have the settings that the daemons know, and no others."""
        for daemon in LOAD:
            text, tables = self.shipped(daemon), self.tables(daemon)
            named = {}  # "http hook" in the file is "http NAME" in the table
            for kind, name in re.findall(r"^\[([a-z]+) ([a-z0-9.]+)\]$", text, re.MULTILINE):
                named[f"{kind} {name}"] = f"{kind} NAME"
                if kind in ("http", "ldap", "sql"):
                    text = re.sub("(?m)^backend = ", rf"backend = {kind}:{name}\n    ", text)
            known = {(named.get(section, section), key) for section, key in self.load(daemon, text)}
            self.assertEqual(set(tables), known)

    def test_defaults(self) -> None:
        """A default in the tables is the one that counts."""
        needed = {
            "xmppd": "[xmppd]\ndomain = example.com\nhostname = xmpp1.example.com\n",
            "callbridged": "[callbridge]\ndomain = example.com\nname = cb1\n",
        }
        for daemon, text in needed.items():
            tables = self.tables(daemon)
            for place, value in self.load(daemon, text).items():
                told = re.fullmatch("`([^`]+)`", tables[place].default)
                if told:
                    self.assertEqual((place, seconds(told[1])), (place, seconds(value)))


class CompletionTests(SynchronousTestCase):
    """bash/, zsh/, fish/."""

    def bash(self, line: str) -> set[str]:
        """What bash offers for the last word of the line."""
        words = line.split(" ")
        script = (
            'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; '
            'COMP_POINT=${#COMP_LINE}; complete -p "$1" >/dev/null || exit 1; '
            'f=$(complete -p "$1" | sed "s/.*-F \\([^ ]*\\).*/\\1/"); '
            '"$f" "$1" "${COMP_WORDS[COMP_CWORD]}"; printf "%s\\n" "${COMPREPLY[@]}"'
        )
        path = made() / "bash" / words[0]
        return set(output("bash", "--norc", "-c", script, "bash", path, *words).split())

    def fish(self, line: str) -> set[str]:
        path = made() / "fish" / f"{line.split()[0]}.fish"
        script = "source $argv[1]; complete -C $argv[2]"
        out = output("fish", "--no-config", "-c", script, path, line)
        return {one.partition("\t")[0] for one in out.splitlines()}

    def zsh(self, line: str) -> set[str]:
        """What zsh lists, asked on a terminal of its own (zsh/zpty), as it is by a person."""
        return set(
            output("zsh", "-f", ROOT / "tests/packages/complete.zsh", made() / "zsh", line).split()
        )

    def test_commands(self) -> None:
        """Each shell completes each command, and the commands below it."""
        for program, make_frame in FRAMES.items():
            every = commands(make_frame().parser)
            top = {words[0] for words in every}
            groups = {
                words[0]: {two[1] for two in every if two[:1] == words[:1] and two[1:]}
                for words in every
                if words[1:]
            }
            for shell in (self.bash, self.fish, self.zsh):
                self.assertEqual(top - shell(f"{program} "), set(), shell.__name__)
                for group, names in groups.items():
                    self.assertEqual(names - shell(f"{program} {group} "), set(), shell.__name__)
                    self.assertEqual(shell(f"{program} {group} ") & (top - names), set())

    def test_options_and_files(self) -> None:
        """Each shell completes the options of a command, and the files that --config takes."""
        (made() / "other.ini").touch()
        for shell in (self.bash, self.fish, self.zsh):
            self.assertIn("--show-secrets", shell("xmppctl callbridge list --"), shell.__name__)
            self.assertIn(
                f"{made()}/other.ini",
                {str(made() / Path(name).name) for name in shell(f"xmppctl --config {made()}/oth")},
                shell.__name__,
            )
