"""The operator's query: one SELECT with one parameter, the user's name."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: What is asked unless the configuration says something else.
DEFAULT_QUERY = "SELECT * FROM callbridge_users WHERE name = :username"
#: The parameter's name.
USERNAME = "username"

#: Literals, quoted names, comments and casts, in which a colon is no parameter; and what counts.
_TOKEN = re.compile(
    r"""
    (?P<skipped>
        (?<![A-Za-z0-9_]) [eE] ' (?: [^'\\] | \\. | '' )* '
      | ' [^']* '
      | " [^"]* "
      | -- [^\n]*
      | /\* .*? \*/
      | (?P<dollar> \$ (?: [A-Za-z_][A-Za-z0-9_]* )? \$ ) .*? (?P=dollar)
      | ::
    )
    | (?P<open> ['"] | /\* )
    | (?P<end> ; )
    | : (?P<name> [A-Za-z_][A-Za-z0-9_]* )
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Query:
    """``pieces``: the text around the parameter, which stands between each two of them."""

    pieces: tuple[str, ...]

    @property
    def sqlite(self) -> str:
        """The text for SQLite, which is the operator's own."""
        return f":{USERNAME}".join(self.pieces)

    @property
    def psycopg(self) -> str:
        """The text for psycopg, to whom a percent sign means something."""
        return f"%({USERNAME})s".join(piece.replace("%", "%%") for piece in self.pieces)

    def __str__(self) -> str:
        return self.sqlite


def parse_query(text: str) -> Query:
    """Answer the query. Raises ValueError with a sentence; the SQL itself is not checked."""
    text = text.strip().removesuffix(";").rstrip()
    if not re.match(r"(?:SELECT|WITH)\b", text, re.IGNORECASE):
        raise ValueError("it does not begin with SELECT or WITH. The users are only looked at.")
    pieces: list[str] = []
    start = 0
    for token in _TOKEN.finditer(text):
        if token["open"]:
            raise ValueError(f"what begins with {token['open']} in it does not end. Close it.")
        if token["end"]:
            raise ValueError("there is more behind a semicolon. Keep one statement.")
        if token["name"] is None:
            continue
        if token["name"] != USERNAME:
            raise ValueError(f"nobody knows :{token['name']}. The only parameter is :{USERNAME}.")
        pieces.append(text[start : token.start()])
        start = token.end()
    if not pieces:
        raise ValueError(
            f"it does not say where the user's name belongs. Write it as :{USERNAME}, without "
            f"quotes, like: {DEFAULT_QUERY}"
        )
    return Query((*pieces, text[start:]))
