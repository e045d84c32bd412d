"""The table of docs/directories.md that ``sql:`` looks into, with all that may be in it."""

from __future__ import annotations

TABLE = """
CREATE TABLE callbridge_users (
    name TEXT PRIMARY KEY,
    scram TEXT,
    password_hash TEXT,
    disabled BOOLEAN NOT NULL DEFAULT FALSE,
    expired BOOLEAN NOT NULL DEFAULT FALSE
);
"""
