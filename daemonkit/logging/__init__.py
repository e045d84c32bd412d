"""A daemon's log: named events with fields, to journald, a file or stderr, as text or JSON."""
