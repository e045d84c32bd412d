"""The events of any daemon: faults of ours, and what its log says of itself."""

from __future__ import annotations

from daemonkit.logging.event import Event, Limit

#: Of a library, or of a plugin.
OTHER = Event(
    "other",
    "{log_text}",
    "",
    limit=Limit((), each=1000, in_all=1000),
)
PRINTED = Event(
    "printed",
    "{log_io}",
    "The daemon, or a library, has printed this on its standard error: mostly why it cannot start, "
    "or has ended.",
    limit=Limit((), each=1000, in_all=1000),
)
INTERNAL_ERROR = Event(
    "internal-error",
    "an internal error",
    "The daemon has a defect, or one of its plugins has. What it was doing then has failed; all "
    "else goes on. Please report it, with the traceback.",
    limit=Limit(("fault",), each=5, in_all=50),
)
LINES_LEFT_OUT = Event(
    "lines-left-out",
    "{suppressed} more lines of {about} were left out in the last minute{most}",
    "The same happened so often that saying it each time would have filled the log. The lines that "
    "are there say what it is about.",
)
LINES_LOST = Event(
    "lines-lost",
    "{suppressed} lines of the log before this one are lost: {why}",
    "The log could not be written for a while: journald was down or had too much to do, or the "
    "disk was full. The daemon went on meanwhile.",
)
RELOADED = Event(
    "reloaded",
    "reloaded: {what}",
    "The configuration was read again. These settings, and those whose files have changed, count "
    "from now on.",
)
NEEDS_RESTART = Event(
    "needs-restart",
    "reloaded, but this needs a restart: {what}",
    "These settings cannot change while the daemon runs. The old values are in use until it is "
    "restarted.",
)
NOT_RELOADED = Event(
    "not-reloaded",
    "not reloaded, and all that was in use before still is: {faults}",
    "The configuration, or a file that it names, has faults. Mend them, and reload again.",
)
WARNING = Event(
    "configuration-warning",
    "{text}",
    "The configuration can be used, but something about it, or about a file that it names, "
    "deserves a look.",
)
CONNECTIONS_FULL = Event(
    "connections-full",
    "a connection from {peer} to the {port} was closed, resource-limit: too many are open, from "
    "this address or in all",
    "Connections that are there go on. Who has opened so many, `ss -tnp` shows.",
    limit=Limit(("peer",)),
)
