"""Why a database has not answered, in words for the log: reason, what was seen, what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bridgewire.steps import Reason
from callbridged.backends import BackendUnavailable, unavailable

if TYPE_CHECKING:
    import psycopg

#: Characters of what a database says.
MAX_SAID = 300

#: SQLSTATE classes whose messages speak of the query and of the server, and show no values.
_SHOWN = frozenset({"08", "0A", "25", "28", "3D", "3F", "42", "53", "55", "57", "58"})
_QUERY_CANCELED = "57014"
_LOOK_AT_CERTIFICATE = (
    "Check sslmode and sslrootcert in database, and the server's certificate: its issuer, its time "
    "and its names."
)
_LOOK_AT_ROLE = "Check the user in database, password_file, and the server's pg_hba.conf."
_IS_IT_RUNNING = "Is PostgreSQL running there, and does it listen at that address?"
#: What libpq and servers say when there is no connection, in English at least.
_NOT_CONNECTED = (
    ("certificate verify failed", Reason.CERTIFICATE_UNTRUSTED, _LOOK_AT_CERTIFICATE),
    ("does not match host name", Reason.CERTIFICATE_NAME_MISMATCH, _LOOK_AT_CERTIFICATE),
    (
        "authentication failed|no password supplied|pg_hba|role .* (?:does not exist|is not perm)",
        Reason.AUTHENTICATION_FAILURE,
        _LOOK_AT_ROLE,
    ),
    ("SSL|TLS|certificate", Reason.TLS_FAILURE, _LOOK_AT_CERTIFICATE),
    ('database ".*" does not exist', Reason.NO_SUCH_SERVICE, "Correct database."),
    ("too many|slots", Reason.RESOURCE_LIMIT, "Lower connections, or let it take more."),
    ("resolve|translate", Reason.DNS_FAILURE, "Correct the host in database, or its DNS record."),
    ("timeout", Reason.CONNECT_TIMEOUT, _IS_IT_RUNNING),
    ("refused|No such file|No route|unreachable", Reason.CONNECT_REFUSED, _IS_IT_RUNNING),
    ("starting up|shutting down", Reason.CONNECT_REFUSED, ""),
    ("closed the connection", Reason.LINK_LOST, _IS_IT_RUNNING),
)


def not_connected(error: psycopg.Error) -> BackendUnavailable:
    """There is no connection."""
    text = one_line(str(error).removeprefix("connection failed: "))
    for pattern, reason, remedy in _NOT_CONNECTED:
        if re.search(pattern, text):
            return unavailable(reason, text, remedy)
    return unavailable(Reason.PROTOCOL_ERROR, text, "Is that a PostgreSQL server?")


def not_answered(error: psycopg.Error) -> BackendUnavailable:
    """The connection is good, and the query has failed."""
    state = error.sqlstate or ""
    if state == _QUERY_CANCELED:
        return too_slow()
    shown = state[:2] in _SHOWN or not state
    said = one_line((error.diag.message_primary or str(error)) if shown else type(error).__name__)
    return unavailable(
        Reason.PROTOCOL_ERROR, f"PostgreSQL cannot answer: {said} ({state}).", "Correct query."
    )


def too_slow() -> BackendUnavailable:
    """The database has given the query up."""
    return unavailable(Reason.TIMEOUT, "the query took too long.", "Does it use an index?")


def one_line(text: str) -> str:
    """Answer some of what a database says, fit for a log; a sentence."""
    words = " ".join(text.split())
    shown = "".join(char if char.isprintable() else "?" for char in words)
    return shown[:MAX_SAID].rstrip(". ") + "."
