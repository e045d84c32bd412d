"""Console blocks of a page: which commands run on which host, and what they say.

    xmpp1# callbridgectl user add alice
    Password for alice:

The prompt names the host. Below a command is what it prints; ``...`` stands for any text, and what
is never twice the same (times, durations, ports of clients, ids) may differ. ``^C`` is Control-C.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.support.markdown import Code, Page

_PROMPT = re.compile(r"^(?P<host>[a-z]+[0-9])# (?P<line>.*)$")

#: What differs from run to run, and what it is called in its place.
_VARYING = (
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:\+00:00|\+0000|Z| UTC)?", "TIME"),
    (r"\d{4}-\d\d-\d\d", "DAY"),
    (r"\b[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d\b", "TIME"),
    (r"\b\d\d:\d\d:\d\d\b", "TIME"),
    (r"\b[0-9a-f]{8}(?:[0-9a-f]{24})?\b", "ID"),
    (r"\b\d+(?:\.\d+)? (?:ms|s|min|h|days?)\b", "DURATION"),
    (r"\b(\d+(?:\.\d+){3}):\d{5}\b", r"\1:PORT"),
)


@dataclass(frozen=True)
class Command:
    """One command line of the page. ``section``: the title that it stands below."""

    section: str
    host: str
    line: str
    expected: str


def commands(page: Page) -> list[Command]:
    """All of them, in their order. Raises ValueError where a block does not begin with a prompt."""
    return [
        command
        for block in page.code
        if block.language == "console"
        for command in _commands(page, block)
    ]


def _commands(page: Page, block: Code) -> list[Command]:
    found = list[Command]()
    lines = iter(block.text.splitlines())
    for line in lines:
        if prompt := _PROMPT.match(line):
            text = prompt["line"]
            while text.endswith("\\"):
                text += "\n" + next(lines)
            found.append(Command(block.section, prompt["host"], text, ""))
        elif found:
            last = found.pop()
            said = f"{last.expected}{line}\n"
            found.append(Command(last.section, last.host, last.line, said))
        else:
            raise ValueError(f"{page.path}: a console block without a prompt: {line}")
    return found


def told(expected: str, said: str) -> bool:
    """True if ``said`` is what was expected; where lines are broken does not matter."""
    parts = [re.escape(_settled(part)) for part in expected.split("...")]
    return re.fullmatch(r"\s*.*?\s*".join(parts), _settled(said), re.DOTALL) is not None


def _settled(text: str) -> str:
    for pattern, name in _VARYING:
        text = re.sub(pattern, name, text)
    return " ".join(text.split())
